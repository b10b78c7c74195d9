import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import type { ChainFile, GivenFile, OpenedImage } from '../../src/worker/api.ts';
import { EngineClient } from '../../src/worker/client.ts';
import { expectBytes, pattern } from '../storage/conformance.ts';
import { guestContent, type TinyImage, tinyQcow2 } from './tiny-images.ts';

const CLUSTER = 65536;
const SIZE = 8 * CLUSTER;
const client = new EngineClient();
/** One point in time for files that belong together. */
const THEN = Date.UTC(2024, 0, 1);

function file(content: Uint8Array<ArrayBuffer>, name: string, lastModified = THEN): File {
  return new File([content], name, { lastModified });
}

function cluster(index: number, seed: number): TinyImage['clusters'] {
  return new Map([[index, { kind: 'data', bytes: pattern(CLUSTER, seed) }]]);
}

const RAW = pattern(SIZE, 1);
const MIDDLE: TinyImage = {
  size: SIZE,
  clusters: cluster(1, 2),
  backing: '../base/base.raw',
  backingFormat: 'raw',
};
const TOP: TinyImage = {
  size: SIZE,
  clusters: cluster(2, 3),
  backing: 'middle.qcow2',
  backingFormat: 'qcow2',
};
const base = file(RAW, 'base.raw');
const middle = file(tinyQcow2(MIDDLE), 'middle.qcow2');
const top = file(tinyQcow2(TOP), 'top.qcow2');

/** What the three hold together. */
function wholeContent(): Uint8Array<ArrayBuffer> {
  const content = RAW.slice();
  content.set(pattern(CLUSTER, 2), CLUSTER);
  content.set(pattern(CLUSTER, 3), 2 * CLUSTER);
  return content;
}

function states({ chain }: OpenedImage): string[] {
  return chain.map(({ depth, kind, state }) => `${depth} ${kind} ${state}`);
}

function doubts(link: ChainFile | undefined): string[] {
  return (link?.doubts ?? []).map(({ kind }) => kind);
}

function keyAt({ chain }: OpenedImage, index: number): string {
  return chain[index]?.key ?? 'no such place';
}

async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}

function convert(image: number) {
  const target = { kind: 'private', name: 'chain.raw' } as const;
  return client.start<'convert'>({ kind: 'convert', image, target, verify: true }).promise;
}

async function expectContent(image: number, content: Uint8Array<ArrayBuffer>): Promise<void> {
  expect(await convert(image)).toMatchObject({ verified: true });
  const result = await client.privateFile('chain.raw');
  expectBytes(new Uint8Array(await result.arrayBuffer()), content);
}

/** What was given for the base of an image, and how that went. */
async function withBase(image: Partial<TinyImage>, given: File): Promise<ChainFile | undefined> {
  const overlay: TinyImage = { size: SIZE, clusters: cluster(0, 9), backing: 'base', ...image };
  const opened = await client.open(file(tinyQcow2(overlay), 'overlay.qcow2'));
  return (await client.attach(opened.id, keyAt(opened, 1), given)).chain[1];
}

afterEach(async () => {
  for (const { name } of await client.privateFiles()) await client.deletePrivateFile(name);
});
afterAll(() => client.stop());

describe('a chain of three', () => {
  it('is followed file by file, and its content is that of all', async () => {
    const opened = await client.open(top);
    expect(states(opened)).toEqual(['0 image open', '1 backing missing']);
    expect(opened.chain[1]).toMatchObject({
      name: 'middle.qcow2',
      recordedFormat: 'qcow2',
      file: undefined,
      reference: { kind: 'path', fileName: 'middle.qcow2' },
    });
    const two = await client.attach(opened.id, keyAt(opened, 1), middle);
    expect(two.id).toBe(opened.id);
    expect(states(two)).toEqual(['0 image open', '1 backing open', '2 backing missing']);
    expect(two.chain[2]).toMatchObject({ name: '../base/base.raw', recordedFormat: 'raw' });
    const error = await failure(convert(opened.id));
    expect([error.code, error.details]).toMatchObject([
      'unreadable-cluster',
      { guestOffset: 0, reason: 'backing-missing' },
    ]);
    const three = await client.attach(opened.id, keyAt(two, 2), base);
    expect(states(three)).toEqual(['0 image open', '1 backing open', '2 backing open']);
    expect(three.chain.flatMap(doubts)).toEqual([]);
    expect(three.chain[2]).toMatchObject({
      format: 'raw',
      virtualSize: SIZE,
      file: { size: SIZE },
    });
    await expectContent(opened.id, wholeContent());
  });

  it('says of every byte whether it is known', async () => {
    const { id, chain } = await client.open(top);
    const plan = () => client.start<'plan'>({ kind: 'plan', image: id }).promise;
    expect(await plan()).toMatchObject({ data: CLUSTER, zero: 0, unknown: SIZE - CLUSTER });
    await client.attach(id, chain[1]?.key ?? '', middle);
    expect(await plan()).toMatchObject({ data: 2 * CLUSTER, unknown: SIZE - 2 * CLUSTER });
    await client.attachAll(id, [{ file: base, path: 'base.raw' }]);
    expect(await plan()).toMatchObject({ data: SIZE, unknown: 0 });
  });

  it('is found in a folder, in whatever order its files come', async () => {
    const others = ['a.txt', 'middle.raw', 'base.qcow2'].map((name) => file(pattern(600), name));
    const files = [base, ...others, middle].map((one) => ({ file: one, path: `vm/${one.name}` }));
    const { id } = await client.open(top);
    const opened = await client.attachAll(id, files);
    expect(states(opened)).toEqual(['0 image open', '1 backing open', '2 backing open']);
    expect(opened.chain.map((link) => link.file?.name)).toEqual([top.name, middle.name, base.name]);
  });

  it('can lose a file again, and take another', async () => {
    const { id, chain } = await client.open(top);
    const key = chain[1]?.key ?? '';
    await client.attach(id, key, middle);
    expect(states(await client.detach(id, key))).toEqual(['0 image open', '1 backing missing']);
    const other = file(tinyQcow2({ size: SIZE, clusters: cluster(5, 4) }), 'other.qcow2');
    await client.attach(id, key, other);
    const content = guestContent({ size: SIZE, clusters: cluster(5, 4) });
    content.set(pattern(CLUSTER, 3), 2 * CLUSTER);
    await expectContent(id, content);
  });

  it('takes changes that come at once one after the other', async () => {
    const opened = await client.open(top);
    const { id } = opened;
    const two = await client.attach(id, keyAt(opened, 1), middle);
    const [again, three] = await Promise.all([
      client.attach(id, keyAt(two, 1), middle),
      client.attach(id, keyAt(two, 2), base),
    ]);
    expect(states(again).at(-1)).toBe('2 backing missing');
    expect(states(three).at(-1)).toBe('2 backing open');
  });
});

describe('files of one name in a folder', () => {
  const wrongBase = file(pattern(SIZE, 77), 'base.raw', THEN + 1);
  const cases: [string, GivenFile[], string][] = [
    [
      'the one where the image looks is taken',
      [
        { file: wrongBase, path: 'vm/base.raw' },
        { file: base, path: 'vm/base/base.raw' },
        { file: middle, path: 'vm/disks/middle.qcow2' },
      ],
      'open',
    ],
    [
      'the one whose folder has the right name is taken',
      [
        { file: wrongBase, path: 'x/y/base.raw' },
        { file: base, path: 'x/base/base.raw' },
        { file: middle, path: 'middle.qcow2' },
      ],
      'open',
    ],
    [
      'none is taken when nothing decides',
      [
        { file: wrongBase, path: 'x/base.raw' },
        { file: base, path: 'y/base.raw' },
        { file: middle, path: 'z/middle.qcow2' },
      ],
      'missing',
    ],
  ];

  it.each(cases)('%s', async (_, files, state) => {
    const { id } = await client.open(top);
    const { chain } = await client.attachAll(id, files);
    expect([chain[1]?.state, chain[2]?.state]).toEqual(['open', state]);
    if (state === 'open') expect(chain[2]?.file?.modified).toBe(THEN);
  });
});

describe('what is no good as a base', () => {
  it('a loop is refused, and the image stays open', async () => {
    const link = await withBase(
      { backing: 'overlay.qcow2' },
      file(
        tinyQcow2({
          size: SIZE,
          clusters: cluster(0, 9),
          backing: 'overlay.qcow2',
        }),
        'overlay.qcow2',
      ),
    );
    expect(link).toMatchObject({ state: 'loop', problem: { code: 'backing-loop' } });
  });

  it('a loop over two files is refused where it closes', async () => {
    const a = file(tinyQcow2({ size: SIZE, clusters: cluster(0, 1), backing: 'b' }), 'a');
    const b = file(tinyQcow2({ size: SIZE, clusters: cluster(1, 2), backing: 'a' }), 'b');
    const { id } = await client.open(a);
    const opened = await client.attachAll(
      id,
      [a, b].map((one) => ({ file: one, path: one.name })),
    );
    expect(states(opened)).toEqual(['0 image open', '1 backing open', '2 backing loop']);
    const report = await client.start<'check'>({ kind: 'check', image: id }).promise;
    expect(report.corruptions).toBe(0);
  });

  it('two files of one name in two folders are no loop', async () => {
    const content = guestContent({ size: SIZE, clusters: cluster(3, 4) });
    const link = await withBase({ backing: '/old/overlay.qcow2' }, file(content, 'overlay.qcow2'));
    expect(link).toMatchObject({ state: 'open', format: 'raw' });
  });

  it.each([
    ['raw content that is recorded as qcow2', 'qcow2', RAW, 'not-a-disk-image'],
    ['a format that is not read here', 'vvfat', RAW, 'unsupported-feature'],
    ['raw content that is recorded as vmdk', 'vmdk', RAW, 'invalid-image'],
    ['a damaged header', 'qcow2', damagedHeader(), 'invalid-header'],
  ] as const)('%s', async (_, backingFormat, content, code) => {
    const link = await withBase({ backingFormat }, file(content.slice(), 'base'));
    expect(link).toMatchObject({ state: 'wrong', problem: { code }, file: { name: 'base' } });
  });

  it('what looks like another format and is none, where no format is recorded', async () => {
    const vmdk = pattern(SIZE, 1);
    vmdk.set(new TextEncoder().encode('KDMV'));
    const link = await withBase({}, file(vmdk, 'base'));
    expect(link).toMatchObject({
      state: 'wrong',
      problem: { code: 'invalid-image', details: { format: 'vmdk' } },
    });
  });

  it('another is taken after a wrong one', async () => {
    const opened = await client.open(top);
    const key = keyAt(opened, 1);
    const bad = await client.attach(opened.id, key, file(RAW, 'middle.qcow2'));
    expect(bad.chain[1]?.state).toBe('wrong');
    const good = await client.attach(opened.id, key, middle);
    expect(good.chain[1]).toMatchObject({ state: 'open', problem: undefined });
  });
});

function damagedHeader(): Uint8Array<ArrayBuffer> {
  const content = tinyQcow2(MIDDLE);
  new DataView(content.buffer).setUint32(20, 40);
  return content;
}

describe('what is suspicious is said and not refused', () => {
  const small = tinyQcow2({ size: CLUSTER, clusters: new Map() });
  const large = tinyQcow2({ size: 2 * SIZE, clusters: new Map() });
  const gzip = pattern(SIZE, 1);
  gzip.set([0x1f, 0x8b, 8]);

  it.each([
    ['another name', {}, file(RAW, 'other'), ['other-name']],
    [
      'qcow2 that is recorded as raw',
      { backingFormat: 'raw' },
      file(small, 'base'),
      ['format', 'base-smaller'],
    ],
    ['a base that ends early', {}, file(small, 'base'), ['base-smaller']],
    ['a base that is longer', {}, file(large, 'base'), ['base-larger']],
    ['a base that changed later', {}, file(RAW, 'base', THEN + 3_600_000), ['changed-later']],
    ['files that were copied in one go', {}, file(RAW, 'base', THEN + 5000), []],
    ['an archive for a raw disk', { backingFormat: 'raw' }, file(gzip, 'base'), ['foreign']],
    ['a disk of zeros', {}, file(new Uint8Array(SIZE), 'base'), []],
  ] as const)('%s', async (_, image, given, expected) => {
    const link = await withBase(image, given);
    expect(link?.state).toBe('open');
    expect(doubts(link)).toEqual(expected);
  });

  it('a copy of the image itself', async () => {
    const overlay = { size: SIZE, clusters: cluster(0, 9), backing: 'base' };
    const link = await withBase({}, file(tinyQcow2(overlay), 'base', THEN - 1));
    expect(doubts(link)).toEqual(['same-file']);
    expect(link?.doubts[0]).toMatchObject({ other: 'overlay.qcow2' });
  });
});

describe('a data file', () => {
  const image: TinyImage = {
    size: SIZE,
    clusters: new Map([...cluster(1, 4), ...cluster(6, 5)]),
    dataFile: 'disk.data',
    backing: 'base.raw',
    backingFormat: 'raw',
  };
  const own = file(tinyQcow2(image), 'disk.qcow2');

  it('is asked for beside the backing file', async () => {
    const opened = await client.open(own);
    expect(states(opened)).toEqual(['0 image open', '0 data-file missing', '1 backing missing']);
    await client.attach(opened.id, keyAt(opened, 2), base);
    const error = await failure(convert(opened.id));
    expect(error.details).toMatchObject({ guestOffset: CLUSTER, reason: 'data-file-missing' });
    const data = file(guestContent(image), 'disk.data');
    const whole = await client.attach(opened.id, keyAt(opened, 1), data);
    expect(states(whole)).toEqual(['0 image open', '0 data-file open', '1 backing open']);
    expect(whole.chain.flatMap(doubts)).toEqual([]);
    const content = RAW.slice();
    for (const index of [1, 6]) {
      const at = index * CLUSTER;
      content.set(guestContent(image).subarray(at, at + CLUSTER), at);
    }
    await expectContent(opened.id, content);
  });

  it('may be too short, and may be the wrong file', async () => {
    const opened = await client.open(own);
    const cut = file(guestContent(image).slice(0, 3 * CLUSTER), 'disk.data');
    const short = await client.attach(opened.id, keyAt(opened, 1), cut);
    expect(short.chain[1]?.doubts).toEqual([
      { kind: 'data-file-short', size: 3 * CLUSTER, disk: SIZE },
    ]);
    const itself = await client.attach(opened.id, keyAt(opened, 1), own);
    expect(doubts(itself.chain[1])).toEqual(
      expect.arrayContaining(['other-name', 'same-file', 'format']),
    );
  });
});

describe('an encrypted file', () => {
  const PASSPHRASE = 'sixteen letters!';

  /** A disk in the legacy AES of qcow2 whose first cluster has what a boot sector ends with. */
  async function legacy(name: string): Promise<{ file: File; content: Uint8Array<ArrayBuffer> }> {
    const plain = pattern(CLUSTER, 5);
    plain.set([0x55, 0xaa], 510);
    const raw = new TextEncoder().encode(PASSPHRASE);
    const key = await crypto.subtle.importKey('raw', raw, 'AES-CBC', false, ['encrypt']);
    const bytes = new Uint8Array(CLUSTER);
    for (let at = 0; at < CLUSTER; at += 512) {
      const iv = new Uint8Array(16);
      new DataView(iv.buffer).setUint32(0, at / 512, true);
      const sector = plain.slice(at, at + 512);
      const packed = await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, key, sector);
      bytes.set(new Uint8Array(packed, 0, 512), at);
    }
    const image = tinyQcow2({ size: SIZE, clusters: new Map([[0, { kind: 'data', bytes }]]) });
    new DataView(image.buffer).setUint32(32, 1);
    return {
      file: file(image, name),
      content: guestContent({
        size: SIZE,
        clusters: new Map([[0, { kind: 'data', bytes: plain }]]),
      }),
    };
  }

  const bytesOf = (text: string) => new TextEncoder().encode(text);

  it('is locked, and readable once it has its passphrase, which is gone then', async () => {
    const { file: image, content } = await legacy('locked.qcow2');
    const opened = await client.open(image);
    expect(opened.chain[0]).toMatchObject({ state: 'locked', encryption: 'aes' });
    const error = await failure(convert(opened.id));
    expect(error.details).toMatchObject({ guestOffset: 0, reason: 'locked' });
    const wrong = await client.unlock(opened.id, '', bytesOf('wrong'));
    expect(wrong.chain[0]).toMatchObject({ state: 'open', looksRight: false });
    const passphrase = bytesOf(PASSPHRASE);
    const right = await client.unlock(opened.id, '', passphrase);
    expect(right.chain[0]).toMatchObject({ state: 'open', looksRight: true });
    expect(passphrase.byteLength).toBe(0);
    await expectContent(opened.id, content);
    await client.close(opened.id);
    expect((await client.open(image)).chain[0]?.state).toBe('locked');
  });

  it('stays unlocked while the chain changes, but another file is not', async () => {
    const { file: image } = await legacy('base.qcow2');
    const overlay: TinyImage = { size: SIZE, clusters: new Map(), backing: 'base.qcow2' };
    const opened = await client.open(file(tinyQcow2(overlay), 'overlay.qcow2'));
    const key = keyAt(opened, 1);
    expect((await client.attach(opened.id, key, image)).chain[1]?.state).toBe('locked');
    await client.unlock(opened.id, key, bytesOf(PASSPHRASE));
    expect((await client.attachAll(opened.id, [])).chain[1]?.state).toBe('open');
    const { file: other } = await legacy('base.qcow2');
    expect((await client.attach(opened.id, key, other)).chain[1]?.state).toBe('locked');
  });
});

describe('what is not in an image', () => {
  it('a snapshot: an error, and no file is left', async () => {
    const { id } = await client.open(base, { raw: true });
    const error = await failure(
      client.start<'convert'>({
        kind: 'convert',
        image: id,
        snapshot: { id: '1', name: 'x' },
        target: { kind: 'private', name: 'snapshot.raw' },
        verify: true,
      }).promise,
    );
    expect(error.code).toBe('snapshot-missing');
    expect(await client.privateFiles()).toEqual([]);
  });

  it('a bitmap', async () => {
    const { id } = await client.open(top);
    const error = await failure(client.bitmap(id, 'monday'));
    expect([error.code, error.details]).toEqual(['bitmap-missing', { name: 'monday' }]);
  });
});

describe('names that lead elsewhere', () => {
  it.each([
    ['nbd://host:10809/disk', { kind: 'protocol', drivers: ['nbd'], fileName: '' }],
    [
      'https://host/images/base.qcow2?sum=1',
      { kind: 'protocol', drivers: ['https'], fileName: 'base.qcow2' },
    ],
    ['file:/images/base.raw', { kind: 'path', drivers: [], fileName: 'base.raw' }],
    ['C:\\images\\base.raw', { kind: 'path', drivers: [], fileName: 'base.raw' }],
    [
      'json:{"driver":"raw","file":{"driver":"file","filename":"/images/base.raw"}}',
      { kind: 'json', drivers: ['raw', 'file'], fileName: 'base.raw', target: '/images/base.raw' },
    ],
    [
      'json:{"driver":"qcow2","file.driver":"nbd","file.host":"vm","file.port":"10809"}',
      { kind: 'json', drivers: ['qcow2', 'nbd'], fileName: '', target: 'vm:10809' },
    ],
    ['json:{broken', { kind: 'json', drivers: [], fileName: '', target: '' }],
  ])('%s is taken apart and not followed', async (name, reference) => {
    const image: TinyImage = { size: SIZE, clusters: new Map(), backing: name };
    const { chain } = await client.open(file(tinyQcow2(image), 'overlay.qcow2'));
    expect(chain[1]).toMatchObject({ name, reference, state: 'missing' });
  });

  it.each([
    ['json:{"driver":"raw","offset":1048576,"file":{"filename":"base"}}', 'json: offset'],
    ['json:{"driver":"vmdk","file":{"filename":"base"}}', 'json: driver=vmdk'],
    [
      'json:{"driver":"raw","file":{"driver":"qcow2","file":{"filename":"base"}}}',
      'json: file.file',
    ],
    ['json:{"driver":"raw","file":{"filename":"base"}}', undefined],
  ])('%s: a plain file stands in for it only where it can', async (backing, feature) => {
    const link = await withBase({ backing, backingFormat: 'raw' }, file(RAW, 'base'));
    expect(link?.problem?.details['feature']).toBe(feature);
    expect(link?.state).toBe(feature === undefined ? 'open' : 'wrong');
  });
});
