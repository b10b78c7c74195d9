/** What the real qemu-img does not read, and what it does not look at. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  createVhdx,
  editDisk,
  inspect,
  isImageError,
  MemoryStorage,
  openImage,
  OverlayStorage,
  readDisk,
  repairDisk,
  type Disk,
  type Extent,
  type Gate,
} from '../../src/engine/index.ts';
import {
  buildVhdx,
  DATA_GUID,
  LOG_GUID,
  sealAt,
  sealVhdx,
  VHDX_LAYOUT,
  type VhdxBlock,
  type VhdxLogEntry,
} from '../images/build-vhdx.ts';
import { memory } from '../images/memory.ts';
import { noise } from '../images/noise.ts';

const MIB = 1024 * 1024;
const KIB64 = 64 * 1024;
const { BAT_AT, DATA_AT, LOG_BYTES } = VHDX_LAYOUT;
const OTHER_GUID = 'ffffffff-4e5f-4a6b-8c7d-8e9fa0b1c2d3';

async function open(bytes: Uint8Array, gate?: Gate): Promise<Disk> {
  return openImage(await memory(bytes, 'image.vhdx'), { lenient: true, gate });
}

function kinds(extents: readonly Extent[]): string[] {
  return extents.map(({ kind, offset, length }) => `${kind} ${offset}+${length}`);
}

async function same(disk: Disk, expected: Uint8Array): Promise<boolean> {
  return Buffer.from(await readDisk(disk, 0, disk.size)).equals(expected);
}

describe('differencing VHDX', () => {
  const size = 8 * MIB;
  const parent = buildVhdx({
    size,
    blocks: new Map([
      [0, { state: 6, bytes: noise(1, 2 * MIB) }],
      [1, { state: 6, bytes: noise(2, 2 * MIB) }],
      [3, { state: 6, bytes: noise(3, 2 * MIB) }],
    ]),
  });
  const names = {
    absolute_win32_path: '\\\\?\\d:\\images\\base.vhdx',
    relative_path: '.\\images\\base.vhdx',
    parent_linkage: `{${DATA_GUID.toUpperCase()}}`,
  };
  const isHere = (sector: number) => sector < 3 || (sector >= 2000 && sector % 2 === 0);
  const blocks = new Map<number, VhdxBlock>([
    [1, { state: 7, bytes: noise(9, 2 * MIB), present: isHere }],
    [2, { state: 6, bytes: noise(10, 2 * MIB) }],
    [3, { state: 2 }],
  ]);
  const child = buildVhdx({ size, blocks, parent: names });
  const asked: string[][] = [];
  const gate: Gate = ({ name, otherNames = [], format }) => {
    asked.push([name, ...otherNames, format]);
    return memory(parent, 'base.vhdx');
  };

  function content(): Uint8Array {
    const bytes = new Uint8Array(size);
    bytes.set(noise(1, 2 * MIB), 0);
    bytes.set(noise(2, 2 * MIB), 2 * MIB);
    bytes.set(noise(10, 2 * MIB), 4 * MIB);
    const own = noise(9, 2 * MIB);
    for (let sector = 0; sector < 4096; sector++) {
      if (!isHere(sector)) continue;
      bytes.set(own.subarray(sector * 512, sector * 512 + 512), 2 * MIB + sector * 512);
    }
    return bytes;
  }

  it('is read with its parent, sector by sector', async () => {
    const disk = await open(child, gate);
    expect(asked.at(-1)).toEqual(['images/base.vhdx', names.absolute_win32_path, '']);
    expect(await same(disk, content())).toBe(true);
  });

  it('maps the sectors of partial blocks, whatever part is asked for', async () => {
    const disk = await open(child);
    const extents = await disk.map(0, size);
    expect(kinds(extents).slice(0, 3)).toEqual([
      `unallocated 0+${2 * MIB}`,
      `data ${2 * MIB}+1536`,
      `unallocated ${2 * MIB + 1536}+${1997 * 512}`,
    ]);
    expect(extents).toHaveLength(3 + (2 * (4096 - 2000)) / 2 + 2);
    const part = await disk.map(2 * MIB + 700, 1000);
    expect(kinds(part)).toEqual([`data ${2 * MIB + 700}+836`, `unallocated ${2 * MIB + 1536}+164`]);
    const few = await disk.map(2 * MIB, 2 * MIB, 10);
    expect(few.length).toBeGreaterThan(9);
    expect(few.length).toBeLessThan(13);
  });

  it('knows nothing of what is with a parent that is missing', async () => {
    const disk = await open(child);
    expect(disk.backingMissing).toBe(true);
    await expect(readDisk(disk, 0, 512)).rejects.toMatchObject({
      details: { reason: 'backing-missing' },
    });
    await expect(readDisk(disk, 2 * MIB, 512)).resolves.toHaveLength(512);
  });

  it('refuses a parent that is another image, or was changed', async () => {
    const changed = buildVhdx({ size, dataWriteGuid: OTHER_GUID });
    await expect(open(child, () => memory(changed, 'base.vhdx'))).rejects.toMatchObject({
      code: 'parent-mismatch',
      details: { expected: DATA_GUID, found: OTHER_GUID, parent: 'base.vhdx' },
    });
    const raw = new Uint8Array(MIB);
    await expect(open(child, () => memory(raw))).rejects.toMatchObject({ code: 'parent-mismatch' });
  });

  it('takes the second linkage', async () => {
    const both = { ...names, parent_linkage2: `{${OTHER_GUID}}` };
    const top = buildVhdx({ size, blocks, parent: both });
    const base = buildVhdx({ size, dataWriteGuid: OTHER_GUID });
    await expect(open(top, () => memory(base, 'base.vhdx'))).resolves.toBeDefined();
  });

  it('is checked, and described', async () => {
    const disk = await openImage(await memory(child), { mode: 'check', lenient: true });
    const { corruptions, findings } = await checkImage(disk);
    expect([corruptions, findings]).toEqual([0, []]);
    const { description } = await inspect(disk);
    expect(description?.facts).toContainEqual({ key: 'subformat', value: 'differencing' });
    expect(description?.facts).toContainEqual({ key: 'parent-uuid', value: DATA_GUID });
    expect(description?.facts).toContainEqual({ key: 'parent-name', value: 'images/base.vhdx' });
  });

  it('is not written into', async () => {
    const disk = await open(child);
    await expect(editDisk(disk)).rejects.toMatchObject({ code: 'unsupported-feature' });
  });

  it('calls a partial block without its bitmap unreadable', async () => {
    const bytes = child.slice();
    const ratio = 2048;
    new DataView(bytes.buffer).setBigUint64(BAT_AT + ratio * 8, 0n, true);
    const disk = await open(bytes);
    expect((await disk.map(2 * MIB, 512))[0]).toMatchObject({
      kind: 'invalid',
      reason: 'block-state',
    });
  });

  it('has bitmaps for the second chunk of blocks, too', async () => {
    const far = 2048 + 5;
    const deep = buildVhdx({
      size: 5 * 2 ** 30,
      blocks: new Map([
        [far, { state: 7, bytes: noise(4, 2 * MIB), present: (sector) => sector === 4095 }],
      ]),
      parent: names,
    });
    const disk = await open(deep);
    const extents = await disk.map(far * 2 * MIB, 2 * MIB);
    expect(kinds(extents)).toEqual([
      `unallocated ${far * 2 * MIB}+${2 * MIB - 512}`,
      `data ${(far + 1) * 2 * MIB - 512}+512`,
    ]);
    expect(extents[1]?.hostOffset).toBe(DATA_AT + 2 * MIB - 512);
  });
});

describe('sectors of 4096 bytes', () => {
  const size = 6 * MIB;
  const here = (sector: number) => sector === 1;
  const spec = { size, sectorSize: 4096, blockSize: MIB };

  it('are read', async () => {
    const disk = await open(
      buildVhdx({ ...spec, blocks: new Map([[5, { state: 6, bytes: noise(1, MIB) }]]) }),
    );
    expect(Buffer.from(await readDisk(disk, 5 * MIB, MIB)).equals(noise(1, MIB))).toBe(true);
    const { description } = await inspect(disk);
    expect(description?.facts).toContainEqual({ key: 'sector-size', value: 4096 });
  });

  it('have a bit each', async () => {
    const blocks = new Map([[0, { state: 7, bytes: noise(1, MIB), present: here }]]);
    const parent = { parent_linkage: `{${DATA_GUID}}`, relative_path: 'base.vhdx' };
    const disk = await open(buildVhdx({ ...spec, blocks, parent }));
    expect(kinds(await disk.map(0, 16384))).toEqual([
      'unallocated 0+4096',
      'data 4096+4096',
      'unallocated 8192+8192',
    ]);
  });

  it('are refused where the real program refuses them', async () => {
    const storage = await memory(buildVhdx(spec));
    await expect(openImage(storage)).rejects.toMatchObject({
      code: 'invalid-image',
      details: { message: "Could not open 'image': Operation not supported" },
    });
  });
});

describe('the log of a VHDX', () => {
  const size = 8 * MIB;
  const first = noise(1, 2 * MIB);
  const second = noise(2, 2 * MIB);
  /** The table with the first so many blocks. */
  function table(count: number): Uint8Array {
    const sector = new Uint8Array(4096);
    const view = new DataView(sector.buffer);
    for (let index = 0; index < count; index++) {
      view.setBigUint64(index * 8, BigInt(DATA_AT + index * 2 * MIB) | 6n, true);
    }
    return sector;
  }
  /** An image whose table is empty but for what the log says. */
  function withLog(entries: VhdxLogEntry[], guid = LOG_GUID): Uint8Array<ArrayBuffer> {
    const blocks = new Map([
      [0, { state: 6, bytes: first }],
      [1, { state: 6, bytes: second }],
    ]);
    const bytes = buildVhdx({ size, blocks, log: { guid, entries } });
    bytes.fill(0, BAT_AT, BAT_AT + 16);
    return bytes;
  }
  const update = (count: number) => ({ writes: [{ offset: BAT_AT, bytes: table(count) }] });

  /** How many blocks there are. */
  async function blocksOf(bytes: Uint8Array): Promise<number> {
    const disk = await open(bytes);
    const { extents } = { extents: await disk.map(0, size) };
    return (
      extents.filter(({ kind }) => kind === 'data').reduce((sum, { length }) => sum + length, 0) /
      (2 * MIB)
    );
  }

  it('is replayed in memory; the file stays as it is', async () => {
    const bytes = withLog([{ at: 4096, sequence: 7, ...update(2) }]);
    const before = bytes.slice();
    const disk = await open(bytes);
    const expected = new Uint8Array(size);
    expected.set(first);
    expected.set(second, 2 * MIB);
    expect(await same(disk, expected)).toBe(true);
    expect(disk.findings?.map(({ kind }) => kind)).toEqual(['log-pending']);
    expect(Buffer.from(bytes).equals(before)).toBe(true);
    const { description } = await inspect(disk);
    expect(description?.facts).toContainEqual({ key: 'log', value: 'to be replayed' });
  });

  it('is replayed from its tail to its head, round the end of the ring', async () => {
    const last = LOG_BYTES - 8192;
    const entries = [
      { at: last, sequence: 5, tail: last, ...update(1) },
      { at: 0, sequence: 6, tail: last, writes: [{ offset: BAT_AT, zeros: 4096 }] },
      { at: 4096, sequence: 7, tail: last, ...update(2) },
    ];
    expect(await blocksOf(withLog(entries))).toBe(2);
    // Without the entry in the middle the newest sequence lacks its tail.
    const torn = withLog(entries);
    torn.fill(0, MIB, MIB + 64);
    expect(await blocksOf(torn)).toBe(1);
  });

  it('may have an entry that itself goes round the end', async () => {
    const at = LOG_BYTES - 4096;
    expect(await blocksOf(withLog([{ at, sequence: 1, ...update(2) }]))).toBe(2);
  });

  it('has what is older than its tail in its places already', async () => {
    const entries = [
      { at: 0, sequence: 5, ...update(2) },
      { at: 8192, sequence: 6, tail: 8192, ...update(1) },
    ];
    expect(await blocksOf(withLog(entries))).toBe(1);
  });

  it('has nothing to say with another identity, or with none', async () => {
    const entries = [{ at: 0, sequence: 5, guid: OTHER_GUID, ...update(2) }];
    expect(await blocksOf(withLog(entries))).toBe(0);
    const none = '00000000-0000-0000-0000-000000000000';
    expect(await blocksOf(withLog([{ at: 0, sequence: 5, ...update(2) }], none))).toBe(0);
  });

  it.each([
    ['a checksum that is wrong', (bytes: Uint8Array) => (bytes[MIB + 100]! ^= 1), false],
    [
      'a sector of another entry',
      (bytes: Uint8Array) => (bytes[MIB + 4096 + 8191 - 4096]! ^= 1),
      true,
    ],
    ['a descriptor of another entry', (bytes: Uint8Array) => (bytes[MIB + 64 + 24]! ^= 1), true],
  ])('does not count with %s', async (_, damage, isSealed) => {
    const bytes = withLog([{ at: 0, sequence: 5, ...update(2) }]);
    damage(bytes);
    if (isSealed) sealAt(bytes, MIB, 8192);
    expect(await blocksOf(bytes)).toBe(0);
  });

  it('is refused where no sequence is complete', async () => {
    const bytes = withLog([{ at: 8192, sequence: 5, tail: 0, ...update(2) }]);
    await expect(open(bytes)).rejects.toMatchObject({
      code: 'invalid-image',
      details: { problem: 'checksum', field: 'log' },
    });
  });

  it('is refused where the file was cut short after it was written', async () => {
    const bytes = withLog([{ at: 0, sequence: 5, flushed: 64 * MIB, ...update(2) }]);
    await expect(open(bytes)).rejects.toMatchObject({ details: { problem: 'truncated' } });
  });

  it.each([
    ['zeros', { writes: [{ offset: 2 ** 30, zeros: 2 ** 40 }] }, 'too-large'],
    ['a place', { writes: [{ offset: 2 ** 60, bytes: table(1) }] }, 'invalid-image'],
    ['a length', { last: 2 ** 60, ...update(1) }, 'invalid-image'],
  ])('does not lead to %s beyond all measure', async (_, entry, code) => {
    await expect(open(withLog([{ at: 0, sequence: 5, ...entry }]))).rejects.toMatchObject({ code });
  });

  it('is put in place by a repair', async () => {
    const bytes = withLog([{ at: 4096, sequence: 7, last: 16 * MIB - 4096, ...update(2) }]);
    const overlay = new OverlayStorage(await memory(bytes));
    const disk = await openImage(overlay, { mode: 'check' });
    const { findings } = await checkImage(disk);
    expect(findings.map(({ kind, severity }) => `${kind} ${severity}`)).toEqual([
      'log-pending notice',
    ]);
    expect(await repairDisk(disk, 'all', {})).toEqual({ leaksFixed: 0, corruptionsFixed: 1 });
    expect(overlay.size).toBe(16 * MIB);
    const repaired = await openImage(overlay);
    expect(repaired.findings).toEqual([]);
    const read = await readDisk(repaired, 0, 2 * MIB);
    expect(Buffer.from(read).equals(first)).toBe(true);
  });

  it('does not hold up with entries within entries', async () => {
    const bytes = withLog([]);
    for (let at = 0; at < LOG_BYTES; at += 4096) {
      bytes.set(Buffer.from('loge'), MIB + at);
      const view = new DataView(bytes.buffer, MIB + at);
      view.setUint32(8, LOG_BYTES, true);
      view.setBigUint64(16, 1n, true);
      bytes.copyWithin(MIB + at + 32, 2 * KIB64 + 48, 2 * KIB64 + 64);
    }
    await expect(open(bytes)).rejects.toMatchObject({ code: 'too-large' });
  });
});

describe('a VHDX with damage that does not matter', () => {
  const size = 4 * MIB;
  const bytes = () =>
    buildVhdx({ size, blocks: new Map([[0, { state: 6, bytes: noise(1, 2 * MIB) }]]) });
  const wound = (at: number) => {
    const image = bytes();
    image[at]! ^= 0xff;
    return image;
  };

  it.each([
    ['first header', KIB64 + 20, 'header-copy'],
    ['second header', 2 * KIB64 + 20, 'header-copy'],
    ['first region table', 3 * KIB64 + 20, 'header-copy'],
    ['second region table', 4 * KIB64 + 20, 'header-copy'],
  ])('is read with a damaged %s, and repaired', async (_, at, kind) => {
    const overlay = new OverlayStorage(await memory(wound(at)));
    const disk = await openImage(overlay, { lenient: true });
    expect(disk.findings?.map((finding) => finding.kind)).toEqual([kind]);
    expect(Buffer.from(await readDisk(disk, 0, 2 * MIB)).equals(noise(1, 2 * MIB))).toBe(true);
    expect(await repairDisk(disk, 'all', {})).toEqual({ leaksFixed: 0, corruptionsFixed: 1 });
    expect((await openImage(overlay)).findings).toEqual([]);
  });

  it('says when the region tables differ', async () => {
    const image = bytes();
    image[4 * KIB64 + 200] = 1;
    sealVhdx(image);
    expect((await open(image)).findings?.map(({ kind }) => kind)).toEqual(['table-copy']);
  });

  it('reads what is left of a file that was cut short', async () => {
    const cut = bytes().slice(0, DATA_AT + MIB + 100);
    const disk = await open(cut);
    expect(disk.findings?.map(({ kind }) => kind)).toEqual(['block-outside']);
    expect(kinds(await disk.map(0, size))).toEqual([
      `data 0+${MIB}`,
      `invalid ${MIB}+${MIB}`,
      `zero ${2 * MIB}+${2 * MIB}`,
    ]);
    await expect(openImage(await memory(cut))).rejects.toMatchObject({ code: 'invalid-image' });
  });

  it('finds blocks that share a place, and states that do not exist', async () => {
    const image = buildVhdx({ size: 10 * MIB, blocks: new Map([[0, { state: 6 }]]) });
    const view = new DataView(image.buffer);
    view.setBigUint64(BAT_AT + 8, BigInt(DATA_AT) | 6n, true);
    view.setBigUint64(BAT_AT + 16, 4n, true);
    view.setBigUint64(BAT_AT + 24, 7n, true);
    view.setBigUint64(BAT_AT + 32, 6n, true);
    const disk = await openImage(await memory(image), { mode: 'check', lenient: true });
    const { corruptions, findings } = await checkImage(disk);
    expect(corruptions).toBe(1);
    expect(findings.map(({ kind, values }) => `${kind} ${values['index']}`)).toEqual([
      'block-duplicate 1',
      'block-state 2',
      'block-state 3',
      'block-outside 4',
    ]);
    const extents = await disk.map(4 * MIB, 6 * MIB);
    expect(extents.map(({ kind, reason }) => `${kind} ${reason}`)).toEqual([
      'invalid block-state',
      'invalid block-state',
      'invalid block-outside',
    ]);
  });
});

describe('writing a VHDX', () => {
  async function newImage(size: number, options = {}) {
    const main = new MemoryStorage({ name: 'new.vhdx' });
    const beside = () => Promise.reject(new Error('one file is enough'));
    return { main, writer: await createVhdx({ main, beside }, size, options) };
  }

  it('takes what comes, in any order', async () => {
    const { main, writer } = await newImage(9 * MIB + 512, { blockSize: MIB });
    const expected = new Uint8Array(9 * MIB + 512);
    const put = async (seed: number, offset: number, length: number) => {
      expected.set(noise(seed, length), offset);
      await writer.write(offset, noise(seed, length) as Uint8Array<ArrayBuffer>);
    };
    await put(1, 9 * MIB, 512);
    await put(2, 3 * MIB - 1024, 2 * MIB);
    await writer.flush();
    await put(3, 3 * MIB, 512);
    expected.fill(0, 3 * MIB - 512, 6 * MIB);
    await writer.zero(3 * MIB - 512, 3 * MIB + 512);
    await put(4, 512, 1024);
    await writer.flush();
    const disk = await openImage(main);
    expect(await same(disk, expected)).toBe(true);
    expect((await checkImage(disk)).findings).toEqual([]);
    // Blocks that were never written take no room, zeros or not.
    expect(kinds(await disk.map(5 * MIB, 4 * MIB))).toEqual([`zero ${5 * MIB}+${4 * MIB}`]);
  });

  it('goes on in an image that is there', async () => {
    const { main, writer } = await newImage(8 * MIB);
    await writer.write(0, noise(1, 4096) as Uint8Array<ArrayBuffer>);
    await writer.flush();
    const overlay = new OverlayStorage(main);
    const editor = await editDisk(await openImage(overlay));
    await editor.write(4096, noise(2, 4096) as Uint8Array<ArrayBuffer>);
    await editor.flush();
    const disk = await openImage(overlay);
    expect(Buffer.from(await readDisk(disk, 0, 4096)).equals(noise(1, 4096))).toBe(true);
    expect(Buffer.from(await readDisk(disk, 4096, 4096)).equals(noise(2, 4096))).toBe(true);
    expect(disk.findings).toEqual([]);
    const old = await openImage(main);
    expect(Buffer.from(await readDisk(old, 4096, 4096)).equals(new Uint8Array(4096))).toBe(true);
  });

  it('does not go on in one with blocks where there are none', async () => {
    const bytes = buildVhdx({ size: 4 * MIB, blocks: new Map([[0, { state: 6 }]]) });
    const overlay = new OverlayStorage(await memory(bytes.slice(0, DATA_AT + 4096)));
    const disk = await openImage(overlay, { lenient: true });
    const error: unknown = await editDisk(disk).catch((reason: unknown) => reason);
    expect(isImageError(error, 'image-damaged')).toBe(true);
  });
});
