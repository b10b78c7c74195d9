/** Parallels images: additions behind the header, and what qemu-img's check does not look at. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  editDisk,
  inspect,
  isImageError,
  MemoryStorage,
  openImage,
  readDisk,
  repairDisk,
} from '../../src/engine/index.ts';
import {
  BAD_EXTENSIONS,
  bitmap,
  buildParallels,
  CLUSTER,
  CLUSTERS,
  END,
  FATAL_EXTENSIONS,
  type ParallelsSpec,
} from '../images/build-parallels.ts';

/** As a file that is opened for reading only. */
function file(spec: ParallelsSpec, writable = false): MemoryStorage {
  return new MemoryStorage({ content: buildParallels(spec), name: 'image.hdd', writable });
}

async function messageOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isImageError(error, 'invalid-image')) return error.details.message;
    if (isImageError(error)) return error.code;
    throw error;
  }
  return '';
}

describe('the format extension', () => {
  it('names dirty bitmaps', async () => {
    const disk = await openImage(file({ features: [bitmap(), END] }));
    const { description } = await inspect(disk);
    const values = description?.facts.filter(({ key }) => key === 'features');
    expect(values?.map(({ value }) => value)).toEqual([
      'dirty bitmap 01020304-0506-0708-090a-0b0c0d0e0f10 (4096)',
    ]);
    expect(disk.findings).toEqual([]);
  });

  it.each([...BAD_EXTENSIONS, ...FATAL_EXTENSIONS])(
    'with %s is refused, unless somebody is lenient',
    async (_, features, message) => {
      const storage = file({ features, entries: { 1: 1 } });
      expect(await messageOf(openImage(storage))).toContain(message);
      const disk = await openImage(storage, { lenient: true });
      expect(disk.findings?.map(({ kind }) => kind)).toEqual(['extension-damaged']);
      await readDisk(disk, 0, CLUSTER);
    },
  );

  it('is refused where its checksum is wrong', async () => {
    const content = buildParallels({ features: [bitmap(), END] });
    content.writeUInt8(1, content.length - 1);
    const storage = new MemoryStorage({ content, writable: false });
    expect(await messageOf(openImage(storage))).toMatch(/^Wrong checksum in Format Extension/);
  });

  it('is not overwritten, nor cut off as a leak', async () => {
    const storage = file({ features: [bitmap(), END], entries: { 0: 1 } }, true);
    const before = Buffer.alloc(CLUSTER);
    await storage.read(5 * CLUSTER, before);
    const fixed = await repairDisk(await openImage(storage, { mode: 'check' }), 'all', {});
    expect(fixed).toEqual({ leaksFixed: 0, corruptionsFixed: 0 });
    const writer = await editDisk(await openImage(storage));
    await writer.write(8 * CLUSTER, new Uint8Array(CLUSTER).fill(9));
    await writer.flush();
    const after = Buffer.alloc(CLUSTER);
    await storage.read(5 * CLUSTER, after);
    expect(after.equals(before)).toBe(true);
    const again = await openImage(storage);
    const read = await readDisk(again, 8 * CLUSTER, CLUSTER);
    expect(read.every((byte) => byte === 9)).toBe(true);
    expect(storage.size).toBe(7 * CLUSTER);
  });
});

describe('what writes leave', () => {
  it('a cluster is whole where the file has something behind its end already', async () => {
    const storage = file({ entries: { 3: 1 } }, true);
    const writer = await editDisk(await openImage(storage));
    await writer.write(512, new Uint8Array(512).fill(1));
    await writer.flush();
    const expected = new Uint8Array(CLUSTER).fill(1, 512, 1024);
    const read = await readDisk(await openImage(storage), 0, CLUSTER);
    expect(Buffer.from(read).equals(expected)).toBe(true);
  });

  it('zeros take no room', async () => {
    const storage = file({ entries: { 3: 1 }, length: 2 }, true);
    const writer = await editDisk(await openImage(storage));
    await writer.zero(0, CLUSTERS * CLUSTER);
    await writer.flush();
    expect(storage.size).toBe(2 * CLUSTER);
    const read = await readDisk(await openImage(storage), 0, CLUSTERS * CLUSTER);
    expect(read.every((byte) => byte === 0)).toBe(true);
  });

  it('the mark of newer programs goes, as it says that the extension is up to date', async () => {
    const storage = file({ inUse: 0x312e3276 }, true);
    const writer = await editDisk(await openImage(storage));
    await writer.flush();
    const mark = Buffer.alloc(4);
    await storage.read(44, mark);
    expect(mark.readUInt32LE()).toBe(0x312e3276);
    await writer.write(0, new Uint8Array(512));
    await writer.flush();
    await storage.read(44, mark);
    expect(mark.readUInt32LE()).toBe(0);
  });

  it.each([
    ['two entries at one place', { entries: { 0: 1, 1: 1 } }],
    ['an entry outside', { entries: { 0: 100 } }],
    ['an entry at the end of the file', { entries: { 0: 6 } }],
    ['an old one at an odd place', { magic: 'WithoutFreeSpace', entries: { 0: 9 } }],
    ['an old one in the header', { magic: 'WithoutFreeSpace', entries: { 0: 1 } }],
  ])('nothing where there is %s', async (_, spec) => {
    const disk = await openImage(file(spec, true));
    expect(await messageOf(editDisk(disk))).toBe('image-damaged');
  });

  it('nothing where it was not closed', async () => {
    const storage = file({ inUse: 0x746f6e59 }, true);
    expect(await messageOf(openImage(storage))).toBe('image-dirty');
    const disk = await openImage(storage, { lenient: true });
    expect(disk.findings?.map(({ kind }) => kind)).toEqual(['dirty']);
    expect(await messageOf(editDisk(disk))).toBe('image-dirty');
  });
});

describe('check', () => {
  it.each([
    ['two entries at one place', { entries: { 0: 1, 1: 1, 2: 1 } }, { 'block-duplicate': 2 }],
    ['an entry at the end of the file', { entries: { 0: 6, 1: 5 } }, { 'block-outside': 1 }],
    [
      'an old one at an odd place',
      { magic: 'WithoutFreeSpace', entries: { 0: 9, 1: 40 } },
      { 'block-unaligned': 1 },
    ],
  ])('notices %s, although qemu-img does not', async (_, spec, counts) => {
    const report = await checkImage(await openImage(file(spec)));
    expect(report.findingCounts).toMatchObject(counts);
    expect(report.corruptions).toBe(0);
    expect(
      report.findings.every(({ values }) => !String(values['message']).includes('block')),
    ).toBe(true);
  });

  it('clusters behind the end of the file are not zeros', async () => {
    const disk = await openImage(file({ entries: { 0: 1, 1: 50 } }));
    expect(await messageOf(readDisk(disk, 0, CLUSTER))).toBe('');
    expect(await messageOf(readDisk(disk, CLUSTER, 512))).toBe('unreadable-cluster');
  });

  it('a file that ends within its table is not read', async () => {
    const storage = new MemoryStorage({ content: buildParallels({}).subarray(0, 100) });
    await expect(openImage(storage)).rejects.toMatchObject({ details: { problem: 'truncated' } });
  });
});
