/** Every kind of change in the real worker; what the real program makes of them is seen in test/golden. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import type { Edit, EditResult, JobRequest, OpenedImage } from '../../src/worker/api.ts';
import { EngineClient, type JobProgress } from '../../src/worker/client.ts';
import { expectBytes, pattern } from '../storage/conformance.ts';
import { guestContent, type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const client = new EngineClient();

const BASE: TinyImage = {
  size: 8 * MIB,
  clusters: new Map([
    [0, { kind: 'data', bytes: pattern(65536, 1) }],
    [20, { kind: 'compressed', bytes: pattern(3000, 3) }],
  ]),
};
const OVERLAY: TinyImage = {
  size: 8 * MIB,
  clusters: new Map([
    [1, { kind: 'data', bytes: pattern(65536, 5) }],
    [20, { kind: 'zero' }],
  ]),
  backing: 'base.qcow2',
  backingFormat: 'qcow2',
};
const base = new File([tinyQcow2(BASE)], 'base.qcow2', { lastModified: 1 });
const overlay = new File([tinyQcow2(OVERLAY)], 'over.qcow2', { lastModified: 2 });
/** What the guest sees of both together. */
const SEEN = guestContent(BASE);
SEEN.set(guestContent(OVERLAY).subarray(65536, 2 * 65536), 65536);
SEEN.fill(0, 20 * 65536, 21 * 65536);

async function clean(): Promise<void> {
  for (const { name } of await client.privateFiles()) await client.deletePrivateFile(name);
}
beforeAll(clean);
afterAll(async () => {
  await clean();
  client.stop();
});

function edit(image: number, edit: Edit): Promise<EditResult> {
  return client.start<'edit'>({ kind: 'edit', image, edit }).promise;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return (error as ImageError).code;
}

async function openOverlay(): Promise<OpenedImage> {
  const { id } = await client.open(overlay);
  return client.attachAll(id, [{ file: base, path: 'base.qcow2' }]);
}

/** The disk as the guest sees it, by way of a raw copy. */
async function diskOf(image: number): Promise<Uint8Array> {
  const target = { kind: 'private', name: 'disk.raw' } as const;
  await client.start<'convert'>({ kind: 'convert', image, target, verify: false }).promise;
  return new Uint8Array(await (await client.privateFile('disk.raw')).arrayBuffer());
}

describe('edits', () => {
  it('another image below, taken back and made again', async () => {
    const { id, chain } = await openOverlay();
    const other = await client.open(new File([new Uint8Array(6 * MIB)], 'o.raw'), { raw: true });
    const to = { image: other.id, name: '../o.raw', format: 'raw' } as const;
    const { opened, report } = await edit(id, { kind: 'rebase', to, compress: false });
    expect(report).toMatchObject({ corruptions: 0, leaks: 0 });
    expect(opened.chain.map(({ name, state }) => [name, state])).toEqual([
      ['over.qcow2', 'open'],
      ['../o.raw', 'open'],
    ]);
    expectBytes(await diskOf(id), SEEN);
    const back = await client.undoEdit(id);
    expect(back.chain).toEqual(chain);
    expect(back.undone).toHaveLength(1);
    const again = await client.redoEdit(id);
    expect(again.chain).toEqual(opened.chain);
    expect(again.undone).toEqual([]);
    expect(await codeOf(client.redoEdit(id))).toBe('internal');
    expectBytes(await diskOf(id), SEEN);
    await client.close(id);
    await client.close(other.id);
  });

  it('commits into what is below, and empties', async () => {
    const over = await openOverlay();
    const { id } = await client.open(base);
    const seen = await client.start<'foresee'>({
      ...{ kind: 'foresee', image: id },
      edit: { kind: 'commit', from: over.id },
    }).promise;
    expect(seen.takes).toEqual({ data: 65536, zeros: 65536, exact: true });
    await edit(id, { kind: 'commit', from: over.id });
    expectBytes(await diskOf(id), SEEN);
    const { opened } = await edit(over.id, { kind: 'empty' });
    expect(opened.pending?.edits[0]?.freed).toBeGreaterThan(0);
    expectBytes(await diskOf(over.id), guestContent(BASE));
    const compared = await client.start<'compare'>({
      ...{ kind: 'compare', first: { image: id }, second: { image: over.id } },
    }).promise;
    expect(compared).toMatchObject({ identical: false, ranges: 2 });
    await client.close(id);
    await client.close(over.id);
  });

  it('names, options, bitmaps, in one file', async () => {
    const { id } = await openOverlay();
    const edits: Edit[] = [
      { kind: 'rename-backing', name: 'sub/base.qcow2', format: 'qcow2' },
      { kind: 'amend', options: { lazy_refcounts: 'on', refcount_bits: '64' } },
      { kind: 'add-bitmap', name: 'one', granularity: 4096, disabled: true },
      { kind: 'add-bitmap', name: 'two', granularity: 65536 },
      { kind: 'merge-bitmap', name: 'one', from: 'two' },
      { kind: 'enable-bitmap', name: 'one' },
      { kind: 'disable-bitmap', name: 'two' },
      { kind: 'resize', size: 16 * MIB },
    ];
    let last: OpenedImage | undefined;
    for (const one of edits) last = (await edit(id, one)).opened;
    expect(last?.chain.map(({ state }) => state)).toEqual(['open', 'open']);
    expect(last?.info.backing?.name).toBe('sub/base.qcow2');
    expect(last?.info.qcow2).toMatchObject({ refcountBits: 64 });
    expect(last?.info.qcow2?.bitmaps).toMatchObject([
      { name: 'one', flags: ['auto'], granularity: 4096 },
      { name: 'two', flags: [] },
    ]);
    const target = { kind: 'private', name: 'saved.qcow2' } as const;
    const way = { kind: 'copy', target, verify: true } as const;
    await client.start<'save'>({ kind: 'save', image: id, way }).promise;
    const saved = await client.open(await client.privateFile('saved.qcow2'));
    const check = await client.start<'check'>({ kind: 'check', image: saved.id }).promise;
    expect(check).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0 });
    await client.close(id);
    await client.close(saved.id);
  });

  it('passphrases do not stay on the page', async () => {
    const { id } = await client.open(base);
    const passphrase = new TextEncoder().encode('new');
    const current = new TextEncoder().encode('old');
    const refused = edit(id, { kind: 'add-passphrase', passphrase, current, slot: undefined });
    expect(await codeOf(refused)).toBe('edit-refused');
    expect([passphrase.length, current.length]).toEqual([0, 0]);
    await client.close(id);
  });
});

/** A disk that takes a while. */
const LARGE = new File(
  Array.from({ length: 48 }, () => pattern(8 * MIB, 7)),
  'large.raw',
);

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a job that is paused', () => {
  const requests: [string, (image: number) => JobRequest][] = [
    ['checksum', (image) => ({ kind: 'checksum', image, of: 'content', algorithm: 'sha256' })],
    [
      'convert',
      (image) => ({
        ...{ kind: 'convert', image, verify: false },
        target: { kind: 'private', name: 'large-copy.raw' },
      }),
    ],
    ['command', () => ({ kind: 'command', line: 'qemu-img convert -p -O raw large.raw c.raw' })],
  ];

  it.each(requests)('%s stands still, goes on, and can be stopped', async (_kind, requestFor) => {
    const { id } = await client.open(LARGE, { raw: true });
    const seen: JobProgress[] = [];
    let said = 0;
    let hasBegun: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (hasBegun = resolve));
    const note = () => {
      said += 1;
      hasBegun();
    };
    const job = client.start(requestFor(id), {
      progress: (progress) => {
        seen.push(progress);
        note();
      },
      output: note,
    });
    let ended = false;
    const end = job.promise.then(
      () => (ended = true),
      () => (ended = true),
    );
    await begun;
    job.pause();
    await pause(400);
    const before = said;
    await pause(400);
    expect(said).toBe(before);
    expect(ended).toBe(false);
    job.resume();
    await pause(150);
    job.pause();
    await pause(200);
    job.cancel();
    await end;
    await job.promise.catch((error: unknown) => expect(error).toMatchObject({ code: 'cancelled' }));
    await client.close(id);
  });
});
