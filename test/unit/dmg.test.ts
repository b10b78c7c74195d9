/** DMG and cloop: the check that only we have, and kinds of chunks that QEMU mostly was not built for. */
import { describe, expect, it } from 'vitest';
import { crc32, crc32OfZeros } from '../../src/engine/binary/crc32.ts';
import { checkImage, openImage, readDisk } from '../../src/engine/index.ts';
import {
  buildCloop,
  buildDmg,
  dmgContent,
  lzfseChunk,
  sampleChunk,
  usualTables,
} from '../images/build-dmg.ts';
import { memory } from '../images/memory.ts';
import { freshNoise } from '../images/noise.ts';
import { contentOf } from '../images/packed-samples.ts';
import { frameContent } from '../images/zstd.ts';

async function open(bytes: Uint8Array, format: 'dmg' | 'cloop' = 'dmg') {
  return openImage(await memory(bytes), { format });
}

async function found(bytes: Uint8Array, format: 'dmg' | 'cloop' = 'dmg') {
  return checkImage(await open(bytes, format));
}

/** A DMG with one of its bytes changed. */
function changed(at: (bytes: Buffer) => number): Buffer {
  const bytes = Buffer.from(buildDmg(usualTables(), { form: 'resources' }));
  const place = at(bytes);
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes;
}

const koly = (bytes: Buffer) => bytes.length - 512;
/** The tables, one behind the other. */
const table = (bytes: Buffer, index: number) => {
  let at = -1;
  for (let i = 0; i <= index; i++) at = bytes.indexOf('mish', at + 1);
  return at;
};

describe('a DMG', () => {
  it.each([{ form: 'xml' }, { form: 'resources', dataOffset: 1000 }] as const)(
    'whose checksums are right has no findings (%j)',
    async (options) => {
      const report = await found(buildDmg(usualTables(), options));
      expect(report.findings).toEqual([]);
      expect(report).toMatchObject({ corruptions: 0, checkErrors: 0 });
    },
  );

  it('has a checksum over each table', async () => {
    for (const index of [0, 1]) {
      const report = await found(changed((bytes) => table(bytes, index) + 75));
      // That one, and the checksum over the checksums of all tables.
      expect(report.findingCounts).toEqual({ 'content-checksum': 2 });
      const [first, second] = report.findings;
      const sizes = usualTables().map((chunks) => dmgContent([chunks]).length);
      const offset = index === 0 ? 0 : sizes[0];
      expect(first).toMatchObject({
        severity: 'corruption',
        guest: { offset, length: sizes[index] },
      });
      const { found: own, expected } = first?.values ?? {};
      expect(Number.parseInt(String(own), 16) ^ Number.parseInt(String(expected), 16)).toBe(1);
      expect(second?.host?.length).toBe(512);
    }
  });

  it('has a checksum over the file, and one over the checksums of its tables', async () => {
    const file = await found(changed((bytes) => koly(bytes) + 91));
    expect(file.findings).toMatchObject([{ kind: 'content-checksum', host: { offset: 0 } }]);
    const master = await found(changed((bytes) => koly(bytes) + 363));
    expect(master.findings).toMatchObject([{ kind: 'content-checksum', host: { length: 512 } }]);
  });

  it('with other content than its checksums say is damaged', async () => {
    // The chunk that is not packed: only checksums tell.
    const raw = freshNoise(11, 3 * 512);
    const report = await found(changed((bytes) => bytes.indexOf(raw) + 700));
    expect(report.findingCounts).toEqual({ 'content-checksum': 2 });
    expect(report.findings[0]?.guest?.offset).toBe(dmgContent(usualTables().slice(0, 1)).length);
    expect(report.findings[1]?.host?.offset).toBe(0);
  });

  it('with checksums of another kind is not judged by them', async () => {
    const bytes = Buffer.from(buildDmg(usualTables(), { form: 'resources' }));
    for (const index of [0, 1]) {
      bytes.writeUInt32BE(4, table(bytes, index) + 64);
      bytes.writeUInt32BE(7, table(bytes, index) + 72);
    }
    bytes.writeUInt32BE(4, koly(bytes) + 80);
    bytes.writeUInt32BE(4, koly(bytes) + 352);
    expect((await found(bytes)).findings).toEqual([]);
  });

  it('whose chunks cannot be unpacked says which', async () => {
    const { packed, content } = usualTables()[0]![0]!;
    const report = await found(changed((bytes) => bytes.indexOf(packed) + 30));
    expect(report.findings).toMatchObject([
      { kind: 'content-checksum', guest: { offset: 0, length: content.length } },
    ]);
  });

  it('of LZFSE (ULFO), bzip2 (UDBZ) and xz is read and checked', async () => {
    const tables = [
      [lzfseChunk(frameContent(41, 128 * 512)), lzfseChunk(contentOf('disk'))],
      [sampleChunk('bzip2'), lzfseChunk(freshNoise(42, 512 * 20)), sampleChunk('xz')],
    ];
    const bytes = buildDmg(tables);
    const disk = await open(bytes);
    const content = dmgContent(tables);
    expect(disk.size).toBe(content.length);
    expect(content.equals(await readDisk(disk, 0, disk.size))).toBe(true);
    const piece = await readDisk(disk, 100 * 512, 100 * 512);
    expect(content.subarray(100 * 512, 200 * 512).equals(piece)).toBe(true);
    expect((await found(bytes)).findings).toEqual([]);
    const { packed } = tables[0]![1]!;
    bytes.fill(
      0xff,
      Buffer.from(bytes).indexOf(packed) + 40,
      Buffer.from(bytes).indexOf(packed) + 90,
    );
    const report = await found(bytes);
    expect(report.findings).toMatchObject([
      { kind: 'content-checksum', guest: { offset: 128 * 512, length: contentOf('disk').length } },
    ]);
    await expect(readDisk(await open(bytes), 128 * 512, 512)).rejects.toMatchObject({
      code: 'unreadable-cluster',
    });
  });
});

describe('a cloop image', () => {
  it('is checked by the checksums of its blocks', async () => {
    const content = contentOf('disk');
    const bytes = Buffer.from(buildCloop(content, 4096));
    const sound = await found(bytes, 'cloop');
    expect(sound.findings).toEqual([]);
    expect(sound.compressedClusters).toBe(content.length / 4096);
    // The last byte of a block is part of its checksum.
    const end = Number(bytes.readBigUInt64BE(136 + 3 * 8));
    bytes.writeUInt8(bytes.readUInt8(end - 1) ^ 1, end - 1);
    const report = await found(bytes, 'cloop');
    expect(report.findings).toMatchObject([
      { kind: 'content-checksum', guest: { offset: 2 * 4096, length: 4096 } },
    ]);
  });
});

describe('a CRC-32', () => {
  const before = crc32(Buffer.from('something before'));

  it.each([0, 1, 2, 3, 7, 8, 255, 256, 512, 4097, 65_536, 1_000_003])(
    'of %i zeros is the same without them',
    (count) => {
      const zeros = new Uint8Array(count);
      expect(crc32OfZeros(count)).toBe(crc32(zeros));
      expect(crc32OfZeros(count, before)).toBe(crc32(zeros, before));
      expect(crc32OfZeros(count, 0xffffffff)).toBe(crc32(zeros, 0xffffffff));
    },
  );

  it('of more zeros than could be gone through', () => {
    const half = 2 ** 40 + 3;
    const whole = crc32OfZeros(2 * half, before);
    expect(crc32OfZeros(half, crc32OfZeros(half, before))).toBe(whole);
    expect(whole).toBeGreaterThanOrEqual(0);
    // 2^32 - 1 zero bits and their multiples turn the polynomial's register once around.
    expect(crc32OfZeros(2 ** 32 - 1, before)).toBe(before);
  });
});
