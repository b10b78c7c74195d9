/** VHDs that the real program does not make, or does not open. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  editDisk,
  inspect,
  isImageError,
  openImage,
  readDisk,
  type Disk,
  type Gate,
  type MemoryStorage,
  type OpenOptions,
} from '../../src/engine/index.ts';
import {
  buildVhd,
  fixFooter,
  SECTOR,
  utf16,
  uuidText,
  type VhdLocator,
  type VhdSpec,
} from '../images/build-vhd.ts';
import { memory } from '../images/memory.ts';

const BLOCK = 65536;
const APP: OpenOptions = { lenient: true, looksAtEnd: true, strict: true };

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

/** Bytes that all differ from one sector to the next. */
function numbered(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + (i >> 9)) & 0xff);
}

async function open(bytes: Uint8Array, options: OpenOptions = APP): Promise<Disk> {
  return openImage(await memory(bytes, 'image.vhd'), options);
}

async function expectContent(disk: Disk, expected: Uint8Array): Promise<void> {
  expect(disk.size).toBe(expected.length);
  const bytes = await readDisk(disk, 0, disk.size);
  expect(Buffer.from(bytes).equals(expected)).toBe(true);
}

function kinds(disk: Disk): string[] {
  return (disk.findings ?? []).map(({ kind }) => kind);
}

const parentSpec: VhdSpec = {
  size: 4 * BLOCK,
  blockSize: BLOCK,
  uuid: 0x20,
  time: 500,
  blocks: new Map([
    [0, { bytes: numbered(BLOCK, 1) }],
    [1, { bytes: numbered(BLOCK, 2) }],
  ]),
};

const names: readonly VhdLocator[] = [
  { platform: 'W2ku', bytes: utf16('C:\\disks\\base.vhd', true) },
  { platform: 'MacX', bytes: Buffer.from('file://localhost/Disks/b%C3%A4se.vhd\0') },
  { platform: 'Wi2k', bytes: Buffer.from('C:\\DISKS\\BASE.VHD') },
  { platform: 'W2ru', bytes: utf16('.\\disks\\base.vhd', true) },
  { platform: 'Wi2r', bytes: Buffer.from('.\\DISKS\\B\xc4SE.VHD', 'latin1') },
];

const childSpec: VhdSpec = {
  ...{ size: 4 * BLOCK, blockSize: BLOCK, type: 4, uuid: 0x40, parentUuid: 0x20, parentTime: 500 },
  ...{ parentName: 'base.vhd', locators: names },
  blocks: new Map([
    [3, { bytes: numbered(BLOCK, 77) }],
    [1, { bytes: numbered(BLOCK, 99), sectors: [0, 7, 8, 9, 64, 127] }],
  ]),
};

/** What the child shows over its parent. */
function childContent(): Uint8Array {
  const bytes = new Uint8Array(4 * BLOCK);
  bytes.set(numbered(BLOCK, 1), 0);
  bytes.set(numbered(BLOCK, 2), BLOCK);
  const own = numbered(BLOCK, 99);
  for (const sector of [0, 7, 8, 9, 64, 127]) {
    const at = sector * SECTOR;
    bytes.set(own.subarray(at, at + SECTOR), BLOCK + at);
  }
  bytes.set(numbered(BLOCK, 77), 3 * BLOCK);
  return bytes;
}

function gateTo(parent: Uint8Array, asked: string[][] = []): Gate {
  return ({ name, otherNames = [], format }) => {
    asked.push([format, name, ...otherNames]);
    return memory(parent, 'base.vhd');
  };
}

describe('a differencing disk', () => {
  it('shows its parent where its bitmaps say so', async () => {
    const asked: string[][] = [];
    const gate = gateTo(buildVhd(parentSpec).bytes, asked);
    for (const options of [APP, {}]) {
      const disk = await open(buildVhd(childSpec).bytes, { ...options, gate });
      await expectContent(disk, childContent());
      expect(kinds(disk)).toEqual([]);
    }
    expect(asked[0]).toEqual([
      ...['vpc', 'disks/base.vhd', 'DISKS/B\u00c4SE.VHD', 'C:\\disks\\base.vhd'],
      ...['C:\\DISKS\\BASE.VHD', '/Disks/b\u00e4se.vhd', 'base.vhd'],
    ]);
  });

  it('reads over a fixed parent, and over another one', async () => {
    const content = numbered(4 * BLOCK, 5);
    const fixed = buildVhd({ size: content.length, type: 2, uuid: 0x20, content }).bytes;
    const middle = { ...childSpec, blocks: new Map(), uuid: 0x30 };
    const top = { ...childSpec, parentUuid: 0x30 };
    const layers = [buildVhd(middle).bytes, fixed];
    let asked = 0;
    const gate: Gate = () => memory(layers[asked++] ?? new Uint8Array(), `layer ${asked}`);
    const disk = await open(buildVhd(top).bytes, { ...APP, gate });
    const own = childContent();
    const expected = content.slice();
    expected.set(own.subarray(3 * BLOCK), 3 * BLOCK);
    for (const sector of [0, 7, 8, 9, 64, 127]) {
      const at = BLOCK + sector * SECTOR;
      expected.set(own.subarray(at, at + SECTOR), at);
    }
    await expectContent(disk, expected);
  });

  it('does not take another parent', async () => {
    const { bytes } = buildVhd(childSpec);
    const other = buildVhd({ ...parentSpec, uuid: 0x21 }).bytes;
    for (const parent of [other, filled(4 * BLOCK, 1)]) {
      const result = await open(bytes, { ...APP, gate: gateTo(parent) }).catch((e: unknown) => e);
      const isFormat = parent === other ? 'parent-mismatch' : 'invalid-image';
      expect(isImageError(result, isFormat)).toBe(true);
    }
  });

  it('says that the parent was made anew since', async () => {
    const parent = buildVhd({ ...parentSpec, time: 501 }).bytes;
    const disk = await open(buildVhd(childSpec).bytes, { ...APP, gate: gateTo(parent) });
    expect(kinds(disk)).toEqual(['parent-changed']);
  });

  it('is not taken for zeros without its parent', async () => {
    const disk = await open(buildVhd(childSpec).bytes);
    expect(disk.backingMissing).toBe(true);
    await expect(readDisk(disk, 0, 512)).rejects.toMatchObject({ code: 'unreadable-cluster' });
    const own = await readDisk(disk, 3 * BLOCK, BLOCK);
    expect(Buffer.from(own).equals(numbered(BLOCK, 77))).toBe(true);
    const info = await inspect(disk);
    expect(info.backing).toEqual({ name: 'disks/base.vhd', format: 'vpc', found: false });
    const facts = new Map(info.description?.facts.map(({ key, value }) => [key, value]));
    expect(facts.get('subformat')).toBe('differencing');
    expect(facts.get('parent-uuid')).toBe(uuidText(0x20));
    expect(facts.get('parent-date')).toBe('2000-01-01T00:08:20.000Z');
  });

  it('asks for its parent by its identity when every name is lost', async () => {
    const asked: string[][] = [];
    const gate = gateTo(buildVhd(parentSpec).bytes, asked);
    const nameless = { ...childSpec, parentName: '', locators: [] };
    await expectContent(await open(buildVhd(nameless).bytes, { gate }), childContent());
    expect(asked).toEqual([['vpc', uuidText(0x20)]]);
  });

  it('keeps what is written, and the rest of its parent', async () => {
    const gate = gateTo(buildVhd(parentSpec).bytes);
    const storage = await memory(buildVhd(childSpec).bytes, 'image.vhd');
    const disk = await openImage(storage, { gate });
    const writer = await editDisk(disk);
    const expected = childContent();
    const writes = [
      [5 * SECTOR, 3],
      [2 * BLOCK - SECTOR, 2],
      [BLOCK + 10 * SECTOR, 20],
    ] as const;
    for (const [at, count] of writes) {
      const bytes = filled(count * SECTOR, count) as Uint8Array<ArrayBuffer>;
      expected.set(bytes, at);
      await writer.write(at, bytes);
    }
    await writer.zero(64 * SECTOR, 2 * SECTOR);
    expected.fill(0, 64 * SECTOR, 66 * SECTOR);
    await expectContent(disk, expected);
    await writer.flush();
    const again = await openImage(storage, { gate });
    await expectContent(again, expected);
    expect(kinds(again)).toEqual([]);
    expect(await checkImage(again)).toMatchObject({ corruptions: 0, leaks: 0 });
    // The names of the parent are still there.
    expect(again).toMatchObject({ backingName: 'disks/base.vhd' });
  });

  it('does not write over the names of its parent', async () => {
    const { bytes, end } = buildVhd({ ...childSpec, locators: [] });
    const name = utf16('.\\behind.vhd', true);
    const longer = new Uint8Array(end + 3 * SECTOR);
    longer.set(bytes.subarray(0, end));
    longer.set(name, end + SECTOR);
    longer.set(bytes.subarray(end), end + 2 * SECTOR);
    longer.set(Buffer.from('W2ru'), SECTOR + 576);
    const view = new DataView(longer.buffer);
    view.setUint32(SECTOR + 576 + 8, name.length);
    view.setBigUint64(SECTOR + 576 + 16, BigInt(end + SECTOR));
    const storage = await memory(longer, 'image.vhd');
    const writer = await editDisk(await openImage(storage, {}));
    await writer.write(0, filled(SECTOR, 7) as Uint8Array<ArrayBuffer>);
    await writer.flush();
    const disk = await openImage(storage, {});
    expect(disk).toMatchObject({ backingName: 'behind.vhd' });
    expect((await readDisk(disk, 0, 1))[0]).toBe(7);
  });
});

/** A dynamic disk of four blocks, of which two are in the file. */
const dynamicSpec: VhdSpec = parentSpec;

function dynamicContent(): Uint8Array {
  const bytes = new Uint8Array(4 * BLOCK);
  bytes.set(numbered(BLOCK, 1), 0);
  bytes.set(numbered(BLOCK, 2), BLOCK);
  return bytes;
}

describe('two footers', () => {
  it('one is enough, with a finding; the command line wants the first', async () => {
    const { bytes, end } = buildVhd(dynamicSpec);
    for (const [at, field] of [
      [0, 100],
      [0, 0],
      [end, 100],
      [end, 0],
    ] as const) {
      const damaged = bytes.slice();
      damaged[at + field]! ^= 0x55;
      const disk = await open(damaged);
      expect(kinds(disk), `${at} ${field}`).toEqual(['header-copy']);
      expect(disk.findings?.[0]?.host).toEqual({ offset: at, length: SECTOR });
      await expectContent(disk, dynamicContent());
      const strict = await open(damaged, { format: 'vpc' }).catch((error: unknown) => error);
      expect(isImageError(strict, 'invalid-image'), `${at} ${field}`).toBe(at === 0);
    }
  });

  it('both with a wrong checksum are better than none', async () => {
    const { bytes, end } = buildVhd(dynamicSpec);
    for (const at of [0, end]) bytes[at + 64]! ^= 1;
    const disk = await open(bytes);
    expect(kinds(disk)).toEqual(['header-checksum', 'header-copy']);
    await expectContent(disk, dynamicContent());
    await expect(open(bytes, {})).rejects.toMatchObject({
      details: { message: 'Incorrect header checksum' },
    });
  });

  it('a wrong checksum of the header behind is noted', async () => {
    const { bytes } = buildVhd(dynamicSpec);
    bytes[SECTOR + 36]! ^= 1;
    for (const options of [APP, {}]) {
      const disk = await open(bytes, options);
      expect(kinds(disk)).toEqual(['header-checksum']);
      await expectContent(disk, dynamicContent());
    }
  });

  it('the last byte may be missing', async () => {
    const content = numbered(BLOCK, 3);
    const { bytes } = buildVhd({ size: BLOCK, type: 2, content });
    for (const options of [APP, { format: 'vpc' as const }]) {
      await expectContent(await open(bytes.subarray(0, -1), options), content);
    }
  });
});

describe('a fixed disk', () => {
  it('is known by its end, where that is asked for', async () => {
    const content = numbered(BLOCK, 9);
    const { bytes } = buildVhd({ size: BLOCK, type: 2, content });
    const disk = await open(bytes);
    expect(disk.format).toBe('vpc');
    await expectContent(disk, content);
    expect((await open(bytes, {})).format).toBe('raw');
    const checked = await checkImage(disk);
    expect(checked).toMatchObject({ corruptions: 0, leaks: 0, findings: [] });
  });

  it('may hold another VHD', async () => {
    const inner = buildVhd(dynamicSpec).bytes;
    inner[100]! ^= 1;
    const content = new Uint8Array(8 * BLOCK);
    content.set(inner);
    const { bytes } = buildVhd({ size: content.length, type: 2, content });
    const disk = await open(bytes);
    expect(kinds(disk)).toEqual([]);
    await expectContent(disk, content);
  });

  it('does not show its footer when it should be longer than its file', async () => {
    const content = numbered(BLOCK, 9);
    const { bytes } = buildVhd({ size: 2 * BLOCK, type: 2, content });
    const disk = await open(bytes);
    expect(kinds(disk)).toContain('truncated');
    const expected = new Uint8Array(2 * BLOCK);
    expected.set(content);
    await expectContent(disk, expected);
    await expect(editDisk(disk)).rejects.toMatchObject({ code: 'image-damaged' });
  });
});

describe('two sizes', () => {
  const content = numbered(BLOCK, 9);
  const build = (creator: string, geometry: readonly [number, number, number]) =>
    buildVhd({ size: BLOCK, type: 2, content, creator, geometry }).bytes;

  it.each([
    ['vpc ', [31, 2, 2], 124 * SECTOR, ['size-contradiction']],
    ['*img', [31, 2, 2], 124 * SECTOR, ['size-contradiction']],
    ['win ', [31, 2, 2], BLOCK, []],
    ['tap\0', [31, 2, 2], BLOCK, []],
    ['qemu', [32, 2, 2], BLOCK, []],
    ['win ', [33, 2, 2], BLOCK, ['size-contradiction']],
    ['vpc ', [65535, 16, 255], BLOCK, []],
  ] as const)('of %j with %j', async (creator, geometry, size, findings) => {
    const bytes = build(creator, geometry);
    const disk = await open(bytes);
    expect(disk.size).toBe(size);
    expect(kinds(disk)).toEqual(findings);
    const { description } = await inspect(disk);
    const facts = new Map(description?.facts.map(({ key, value }) => [key, value]));
    expect(facts.get('geometry')).toBe(geometry.join('/'));
    expect(facts.get('geometry-size')).toBe(geometry[0] * geometry[1] * geometry[2] * SECTOR);
    expect(facts.get('current-size')).toBe(BLOCK);
    expect(facts.get('subformat')).toBe('fixed');
  });

  it('the other one can be asked for', async () => {
    const bytes = build('vpc ', [31, 2, 2]);
    expect((await open(bytes, { ...APP, sizeRule: 'current' })).size).toBe(BLOCK);
    const other = build('win ', [31, 2, 2]);
    expect((await open(other, { ...APP, sizeRule: 'geometry' })).size).toBe(124 * SECTOR);
  });
});

/** A dynamic disk with other entries in its table. */
function withTable(entries: Readonly<Record<number, number>>, cut = 0): Uint8Array {
  const { bytes, tableAt } = buildVhd(dynamicSpec);
  const view = new DataView(bytes.buffer);
  for (const [index, entry] of Object.entries(entries)) {
    view.setUint32(tableAt + Number(index) * 4, entry);
  }
  return bytes.subarray(0, bytes.length - cut);
}

describe('damage', () => {
  const first = (SECTOR + 1024 + SECTOR) / SECTOR;

  it.each([
    ['a block behind the end', { 0: 100_000 }, ['block-outside'], 0],
    ['a block over the header', { 0: 0 }, ['block-outside'], 0],
    ['a block over the table', { 1: first - 1 }, ['block-outside'], BLOCK],
    ['the same block twice', { 1: first }, ['block-duplicate'], undefined],
    ['two blocks that overlap', { 1: first + 5 }, ['block-duplicate'], undefined],
  ] as const)('%s', async (_, entries, expected, lost) => {
    const bytes = withTable(entries);
    const disk = await open(bytes);
    const report = await checkImage(disk);
    const found = report.findings.map(({ kind }) => kind);
    expect(found).toEqual(expect.arrayContaining([...expected]));
    expect(report.corruptions).toBeGreaterThan(0);
    await expect(editDisk(disk)).rejects.toMatchObject({ code: 'image-damaged' });
    if (lost === undefined) return;
    await expect(readDisk(disk, lost, 512)).rejects.toMatchObject({
      details: { reason: 'block-outside' },
    });
    const other = BLOCK - lost;
    const intact = await readDisk(disk, other, BLOCK);
    expect(Buffer.from(intact).equals(dynamicContent().subarray(other, other + BLOCK))).toBe(true);
  });

  it('a file that was cut off gives what it has', async () => {
    const cut = SECTOR + BLOCK / 2;
    const disk = await open(withTable({}, cut));
    expect(kinds(disk)).toEqual(['header-copy', 'truncated']);
    const there = await readDisk(disk, 0, 2 * BLOCK - BLOCK / 2);
    expect(Buffer.from(there).equals(dynamicContent().subarray(0, there.length))).toBe(true);
    await expect(readDisk(disk, there.length, 512)).rejects.toMatchObject({
      details: { reason: 'block-outside' },
    });
    await expect(open(withTable({}, cut), {})).rejects.toMatchObject({
      details: { problem: 'truncated' },
    });
  });

  it('room that nothing uses is a leak', async () => {
    const disk = await open(withTable({ 1: 0xffffffff }));
    const report = await checkImage(disk);
    expect(report).toMatchObject({ corruptions: 0, leaks: 1, allocatedClusters: 1 });
    expect(report.findings[0]?.host?.length).toBe(SECTOR + BLOCK);
  });

  it('what was left behind the blocks does not show in new ones', async () => {
    const storage: MemoryStorage = await memory(withTable({ 1: 0xffffffff }), 'image.vhd');
    const writer = await editDisk(await openImage(storage, {}));
    await writer.write(2 * BLOCK, filled(SECTOR, 7) as Uint8Array<ArrayBuffer>);
    await writer.flush();
    const expected = dynamicContent();
    expected.fill(0, BLOCK);
    expected.fill(7, 2 * BLOCK, 2 * BLOCK + SECTOR);
    const disk = await openImage(storage, {});
    await expectContent(disk, expected);
    expect(kinds(disk)).toEqual([]);
    expect(await checkImage(disk)).toMatchObject({ corruptions: 0, leaks: 0 });
  });

  it('numbers that no image has', async () => {
    const { bytes } = buildVhd(dynamicSpec);
    const view = new DataView(bytes.buffer);
    const tries: readonly (readonly [number, number, string])[] = [
      [SECTOR + 32, 3 * 2 ** 20, 'Invalid block size 3145728'],
      [SECTOR + 32, 512, 'Page table too small'],
      [SECTOR + 28, 3, 'Page table too small'],
      [SECTOR + 28, 0xffffffff, 'Max Table Entries too large (-1)'],
      [SECTOR, 0, 'Invalid header magic'],
    ];
    for (const [at, value, message] of tries) {
      const old = view.getUint32(at);
      view.setUint32(at, value);
      await expect(open(bytes)).rejects.toMatchObject({ details: { message } });
      view.setUint32(at, old);
    }
    view.setBigUint64(48, 0xff000001n * 512n);
    fixFooter(bytes, 0);
    const message = "Could not open 'image.vhd': File too large";
    await expect(open(bytes)).rejects.toMatchObject({ details: { message } });
  });
});
