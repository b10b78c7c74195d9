import { crc32 as zlibCrc } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/engine/binary/crc32.ts';
import { MemoryStorage, planResize, openImage } from '../../src/engine/index.ts';
import { readPartitions } from '../../src/engine/guest/partitions.ts';

const SECTOR = 512;
const MIB = 1024 * 1024;

/** Of a disk that is in memory. */
function readerOf(disk: Uint8Array) {
  return (offset: number, length: number) => {
    const bytes = new Uint8Array(length);
    bytes.set(disk.subarray(offset, offset + length));
    return Promise.resolve(bytes);
  };
}

function putEntry(
  disk: Uint8Array,
  sector: number,
  index: number,
  [type, first, count]: readonly [number, number, number],
): void {
  const view = new DataView(disk.buffer, disk.byteOffset);
  const at = sector * SECTOR + 446 + index * 16;
  view.setUint8(at + 4, type);
  view.setUint32(at + 8, first, true);
  view.setUint32(at + 12, count, true);
  view.setUint16(sector * SECTOR + 510, 0xaa55, true);
}

/** A primary partition, an extended one with two logical ones. */
function mbrDisk(): Uint8Array {
  const disk = new Uint8Array(8 * MIB);
  putEntry(disk, 0, 0, [0x83, 2048, 2048]);
  putEntry(disk, 0, 2, [0x05, 4096, 8192]);
  putEntry(disk, 4096, 0, [0x83, 64, 1000]);
  putEntry(disk, 4096, 1, [0x05, 4096, 4096]);
  putEntry(disk, 8192, 0, [0x82, 64, 2000]);
  return disk;
}

/** Two partitions, the second with a name; the backup at the end. */
function gptDisk(size = 8 * MIB, sector = 512): Uint8Array {
  const disk = new Uint8Array(size);
  putEntry(disk, 0, 0, [0xee, 1, 0xffffffff]);
  const table = new Uint8Array(128 * 128);
  const view = new DataView(table.buffer);
  for (const [index, [first, last]] of [
    [64, 127],
    [128, 511],
  ].entries()) {
    table.fill(index + 1, index * 128, index * 128 + 32);
    view.setUint32(index * 128 + 32, first as number, true);
    view.setUint32(index * 128 + 40, last as number, true);
  }
  for (const [at, letter] of [...'data'].entries()) {
    view.setUint16(128 + 56 + at * 2, letter.charCodeAt(0), true);
  }
  const last = size / sector - 1;
  const tableSectors = table.length / sector;
  for (const [own, other, tableAt] of [
    [1, last, 2],
    [last, 1, last - tableSectors],
  ] as const) {
    disk.set(table, tableAt * sector);
    const header = new Uint8Array(92);
    const fields = new DataView(header.buffer);
    header.set(new TextEncoder().encode('EFI PART'));
    fields.setUint32(8, 0x10000, true);
    fields.setUint32(12, 92, true);
    fields.setUint32(24, own, true);
    fields.setUint32(32, other, true);
    fields.setUint32(72, tableAt, true);
    fields.setUint32(80, 128, true);
    fields.setUint32(84, 128, true);
    fields.setUint32(88, zlibCrc(table), true);
    fields.setUint32(16, zlibCrc(header), true);
    disk.set(header, own * sector);
  }
  return disk;
}

const open = async (disk: Uint8Array) => {
  const storage = new MemoryStorage();
  await storage.write(0, disk);
  return openImage(storage, { format: 'raw' });
};

describe('the checksum', () => {
  it('is that of zlib, also in pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(crc32(b, crc32(a))).toBe(zlibCrc(Buffer.concat([a, b])));
      }),
    );
  });
});

describe('partitions', () => {
  it('of an MBR, the logical ones too', async () => {
    const disk = mbrDisk();
    const table = await readPartitions(readerOf(disk), disk.length);
    expect(table?.scheme).toBe('mbr');
    const found = table?.partitions.map((one) => [one.number, one.start / SECTOR, one.type]);
    expect(found).toEqual([
      [1, 2048, '83'],
      [3, 4096, '05'],
      [5, 4160, '83'],
      [6, 8256, '82'],
    ]);
    expect(table?.partitions[3]?.length).toBe(2000 * SECTOR);
  });

  it('of a GPT, with sectors of either size', async () => {
    for (const sector of [512, 4096]) {
      const disk = gptDisk(8 * MIB, sector);
      const table = await readPartitions(readerOf(disk), disk.length);
      expect(table).toMatchObject({
        scheme: 'gpt',
        partitions: [
          { number: 1, start: 64 * sector, length: 64 * sector, name: '' },
          { number: 2, start: 128 * sector, length: 384 * sector, name: 'data' },
        ],
        gpt: { primary: true, backup: true, backupEnd: disk.length },
      });
      expect(table?.partitions[0]?.type).toBe('01010101-0101-0101-0101-010101010101');
    }
  });

  it('of a GPT whose primary or backup header is damaged', async () => {
    const disk = gptDisk();
    disk[SECTOR + 60] = 1;
    expect(await readPartitions(readerOf(disk), disk.length)).toMatchObject({
      partitions: [{ number: 1 }, { number: 2 }],
      gpt: { primary: false, backup: true },
    });
    const other = gptDisk();
    other[other.length - SECTOR - 1] = 1;
    expect(await readPartitions(readerOf(other), other.length)).toMatchObject({
      partitions: [{ number: 1 }, { number: 2 }],
      gpt: { primary: true, backup: false },
    });
  });

  it('are not there on an empty disk, nor where a file system begins', async () => {
    expect(await readPartitions(readerOf(new Uint8Array(MIB)), MIB)).toBeUndefined();
    const fat = new Uint8Array(MIB).fill(0x41, 3, 510);
    fat.set([0x55, 0xaa], 510);
    expect(await readPartitions(readerOf(fat), MIB)).toBeUndefined();
  });

  it('in a circle end', async () => {
    const disk = mbrDisk();
    putEntry(disk, 8192, 1, [0x05, 4096, 4096]);
    const table = await readPartitions(readerOf(disk), disk.length);
    expect(table?.partitions).toHaveLength(4);
  });

  it('of damaged tables are found or not, in bounded time', async () => {
    const whole = [mbrDisk(), gptDisk(), gptDisk(8 * MIB, 4096)];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(2),
        fc.array(fc.tuple(fc.nat(8191), fc.nat(255)), { maxLength: 12 }),
        async (which, changes) => {
          const disk = (whole[which] as Uint8Array).slice();
          for (const [at, value] of changes) disk[at] = value;
          let reads = 0;
          const read = readerOf(disk);
          const counted = (offset: number, length: number) => {
            reads++;
            expect(length).toBeLessThanOrEqual(MIB);
            return read(offset, length);
          };
          const table = await readPartitions(counted, disk.length);
          expect(table?.partitions.length ?? 0).toBeLessThanOrEqual(8192);
          expect(reads).toBeLessThan(160);
        },
      ),
    );
  });
});

describe('the plan of another size', () => {
  it('names the partitions that are cut', async () => {
    const plan = await planResize(await open(mbrDisk()), 4100 * SECTOR);
    expect(plan.cut.map(({ number }) => number)).toEqual([3, 5, 6]);
    expect(plan.gptBackup).toBe('unaffected');
  });

  it('knows what becomes of the backup of a GPT', async () => {
    const disk = await open(gptDisk());
    expect((await planResize(disk, 4 * MIB)).gptBackup).toBe('lost');
    expect((await planResize(disk, 9 * MIB)).gptBackup).toBe('misplaced');
    expect((await planResize(disk, 8 * MIB)).gptBackup).toBe('unaffected');
    expect((await planResize(disk, 200 * SECTOR)).cut).toMatchObject([{ name: 'data' }]);
  });
});
