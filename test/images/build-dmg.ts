/** DMG, cloop and Bochs images, after what is known of their formats, without the engine's help. */
import { crc32 } from './crc.ts';
import { deflateSync } from 'node:zlib';
import { packLzfse } from './lzfse.ts';
import { freshNoise } from './noise.ts';
import { contentOf, packedSamples } from './packed-samples.ts';

const SECTOR = 512;

export interface DmgChunk {
  readonly type: number;
  readonly sectors: number;
  readonly packed: Uint8Array;
  /** What it reads as. */
  readonly content: Uint8Array;
}

export interface DmgOptions {
  readonly form?: 'xml' | 'resources';
  /** Bytes behind the trailer. */
  readonly behind?: number;
  readonly dataOffset?: number;
}

function zlibChunk(content: Uint8Array): DmgChunk {
  const packed = deflateSync(content);
  return { type: 0x80000005, sectors: content.length / SECTOR, packed, content };
}

function emptyChunk(type: number, sectors: number): DmgChunk {
  return { type, sectors, packed: new Uint8Array(), content: new Uint8Array(sectors * SECTOR) };
}

/** A chunk packed by the real bzip2 or xz. */
export function sampleChunk(program: 'bzip2' | 'xz'): DmgChunk {
  const sample = packedSamples(program).find(({ content }) => content === 'disk')!;
  const content = contentOf('disk');
  const type = program === 'bzip2' ? 0x80000006 : 0x80000008;
  return { type, sectors: content.length / SECTOR, packed: sample.packed, content };
}

/** A chunk as in ULFO images. @param content whole sectors */
export function lzfseChunk(content: Uint8Array): DmgChunk {
  const packed = packLzfse(content);
  return { type: 0x80000007, sectors: content.length / SECTOR, packed, content };
}

/** Chunks that QEMU knows without its modules, in two partitions. */
export function usualTables(): DmgChunk[][] {
  const raw = freshNoise(11, 3 * SECTOR);
  return [
    [zlibChunk(contentOf('disk')), emptyChunk(0, 100), zlibChunk(freshNoise(12, 8 * SECTOR, 3))],
    [
      { type: 1, sectors: 3, packed: raw, content: raw },
      emptyChunk(2, 5),
      zlibChunk(freshNoise(13, 512 * SECTOR, 2)),
      emptyChunk(0, 1000),
    ],
  ];
}

/** What a disk of these tables has on it. */
export function dmgContent(tables: readonly DmgChunk[][]): Buffer {
  return Buffer.concat(tables.flat().map(({ content }) => content));
}

export function buildDmg(
  tables: readonly DmgChunk[][],
  { form = 'xml', behind = 0, dataOffset = 0 }: DmgOptions = {},
): Uint8Array<ArrayBuffer> {
  const data: Uint8Array[] = [new Uint8Array(dataOffset)];
  const mish: Buffer[] = [];
  let at = 0;
  let sector = 0;
  for (const chunks of tables) {
    const table = Buffer.alloc(204 + (chunks.length + 2) * 40);
    const total = chunks.reduce((sum, { sectors }) => sum + sectors, 0);
    table.write('mish');
    table.writeUInt32BE(1, 4);
    table.writeBigUInt64BE(BigInt(sector), 8);
    table.writeBigUInt64BE(BigInt(total), 16);
    const checked = chunks.filter(({ type }) => type !== 2).map(({ content }) => content);
    table.writeUInt32BE(2, 64);
    table.writeUInt32BE(32, 68);
    table.writeUInt32BE(crc32(Buffer.concat(checked)), 72);
    table.writeUInt32BE(chunks.length + 2, 200);
    let inside = 0;
    const entries = [{ type: 0x7ffffffe, sectors: 0, packed: new Uint8Array() }, ...chunks];
    for (const [index, { type, sectors, packed }] of entries.entries()) {
      const entry = 204 + index * 40;
      table.writeUInt32BE(type, entry);
      table.writeBigUInt64BE(BigInt(inside), entry + 8);
      table.writeBigUInt64BE(BigInt(sectors), entry + 16);
      table.writeBigUInt64BE(BigInt(at), entry + 24);
      table.writeBigUInt64BE(BigInt(packed.length), entry + 32);
      data.push(packed);
      at += packed.length;
      inside += sectors;
    }
    table.writeUInt32BE(0xffffffff, table.length - 40);
    table.writeBigUInt64BE(BigInt(total), table.length - 32);
    mish.push(table);
    sector += total;
  }
  return assemble(Buffer.concat(data), mish, { sector, form, behind, dataOffset });
}

function assemble(
  data: Buffer,
  mish: readonly Buffer[],
  rest: { sector: number; form: string; behind: number; dataOffset: number },
): Uint8Array<ArrayBuffer> {
  const isXml = rest.form === 'xml';
  const tables = isXml ? propertyList(mish) : resourceFork(mish);
  const koly = Buffer.alloc(512);
  koly.write('koly');
  koly.writeUInt32BE(4, 4);
  koly.writeUInt32BE(512, 8);
  koly.writeUInt32BE(1, 12);
  koly.writeBigUInt64BE(BigInt(rest.dataOffset), 24);
  koly.writeBigUInt64BE(BigInt(data.length - rest.dataOffset), 32);
  koly.writeUInt32BE(1, 60);
  koly.writeUInt32BE(2, 80);
  koly.writeUInt32BE(32, 84);
  koly.writeUInt32BE(crc32(data.subarray(rest.dataOffset)), 88);
  const place = isXml ? 216 : 40;
  koly.writeBigUInt64BE(BigInt(data.length), place);
  koly.writeBigUInt64BE(BigInt(tables.length), place + 8);
  koly.writeUInt32BE(2, 352);
  koly.writeUInt32BE(32, 356);
  koly.writeUInt32BE(crc32(Buffer.concat(mish.map((table) => table.subarray(72, 76)))), 360);
  koly.writeBigUInt64BE(BigInt(rest.sector), 492);
  return Uint8Array.from(Buffer.concat([data, tables, koly, Buffer.alloc(rest.behind)]));
}

function propertyList(mish: readonly Buffer[]): Buffer {
  const items = mish.map((table, index) => {
    const lines = table.toString('base64').replace(/.{1,52}/g, '\t\t\t\t$&\n');
    const name = `<key>Name</key>\n<string>part &lt;${index}&gt;</string>`;
    return `\t\t\t<dict>\n<key>Data</key>\n<data>\n${lines}\t\t\t\t</data>\n${name}</dict>\n`;
  });
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n<plist version="1.0">\n<dict>\n';
  const other = '<key>plst</key><array><dict><key>Data</key><data>AAAA</data></dict></array>\n';
  return Buffer.from(`${head}<key>blkx</key>\n<array>${items.join('')}</array>\n${other}</dict>`);
}

function resourceFork(mish: readonly Buffer[]): Buffer {
  const parts = mish.flatMap((table) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(table.length);
    return [length, table];
  });
  const data = Buffer.concat(parts);
  const head = Buffer.alloc(256);
  head.writeUInt32BE(256, 0);
  head.writeUInt32BE(256 + data.length, 4);
  head.writeUInt32BE(data.length, 8);
  return Buffer.concat([head, data, Buffer.alloc(50)]);
}

const PREAMBLE =
  '#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n';

/** @param content whole blocks */
export function buildCloop(content: Uint8Array, blockSize: number): Uint8Array<ArrayBuffer> {
  const blocks = content.length / blockSize;
  const head = Buffer.alloc(136 + (blocks + 1) * 8);
  head.write(PREAMBLE);
  head.writeUInt32BE(blockSize, 128);
  head.writeUInt32BE(blocks, 132);
  const parts: Buffer[] = [head];
  let at = head.length;
  for (let block = 0; block <= blocks; block++) {
    head.writeBigUInt64BE(BigInt(at), 136 + block * 8);
    if (block === blocks) break;
    const packed = deflateSync(content.subarray(block * blockSize, (block + 1) * blockSize));
    parts.push(packed);
    at += packed.length;
  }
  return Uint8Array.from(Buffer.concat(parts));
}

export interface BochsOptions {
  readonly version: 1 | 2;
  readonly extent: number;
  /** Bytes of the disk. */
  readonly size: number;
  /** For each written extent which sectors are, in the order of the file. */
  readonly extents: readonly (readonly [index: number, sectors: readonly number[]])[];
}

export function buildBochs(options: BochsOptions): Uint8Array<ArrayBuffer> {
  const { version, extent, size, extents } = options;
  const catalog = Math.ceil(size / extent);
  const bitmap = Math.ceil(extent / SECTOR / 8 / SECTOR) * SECTOR;
  const head = Buffer.alloc(512 + catalog * 4, 0xff);
  head.fill(0, 0, 512);
  head.write('Bochs Virtual HD Image');
  head.write('Redolog', 32);
  head.write('Growing', 48);
  const numbers = [version * 0x10000, 512, catalog, bitmap, extent];
  for (const [index, value] of numbers.entries()) head.writeUInt32LE(value, 64 + index * 4);
  head.writeBigUInt64LE(BigInt(size), version === 1 ? 84 : 88);
  const parts: Buffer[] = [head];
  for (const [place, [index, sectors]] of extents.entries()) {
    head.writeUInt32LE(place, 512 + index * 4);
    const part = Buffer.alloc(bitmap + extent, 0x77);
    part.fill(0, 0, bitmap);
    for (const sector of sectors) {
      part[sector >>> 3]! |= 1 << (sector & 7);
      part.fill(1 + ((sector + index) % 200), bitmap + sector * SECTOR, bitmap + (sector + 1) * SECTOR);
    }
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}
