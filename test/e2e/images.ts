import { readFileSync } from 'node:fs';

/** The sample image that ships with the app, and what is known of it. */
export const SAMPLE = 'src/app/sample/sample.qcow2';
export const SAMPLE_FACTS = JSON.parse(readFileSync('src/app/sample/sample.json', 'utf8')) as {
  size: number;
  sha256: string;
  raw: { size: number; sha256: string };
};

/** A file to be chosen, made in memory. */
export interface MadeFile {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

export function made(name: string, content: Buffer | string): MadeFile {
  return { name, mimeType: 'application/octet-stream', buffer: Buffer.from(content) };
}

/** The sample after `change` was done to a copy of its bytes. */
export function damagedSample(name: string, change: (image: Buffer) => Buffer | void): MadeFile {
  const image = readFileSync(SAMPLE);
  return made(name, change(image) ?? image);
}

/** Offsets of header fields that the tests change: qcow2 specification, «Header». */
export const HEADER = {
  version: 4,
  clusterBits: 20,
  size: 24,
  cryptMethod: 32,
  l1Offset: 40,
  refcountTable: 48,
  incompatible: 72,
  backingOffset: 8,
  backingSize: 16,
} as const;

/** The first extension of the feature name table; each entry has 48 bytes. */
export function renameFeature(image: Buffer, bit: number, name: string): void {
  let at = image.readUInt32BE(100);
  while (image.readUInt32BE(at) !== 0x6803f857) at += 8 + align8(image.readUInt32BE(at + 4));
  const entry = at + 8;
  image.writeUInt8(0, entry);
  image.writeUInt8(bit, entry + 1);
  image.fill(0, entry + 2, entry + 48);
  image.write(name, entry + 2, 'latin1');
}

function align8(length: number): number {
  return Math.ceil(length / 8) * 8;
}

const CLUSTER = 65536;

/**
 * Header and tables of an image of `clusters` data clusters of 64 KiB, each with a byte of its own
 * in front: what a test of long work needs. The data behind the tables is a hole of the file.
 */
export function largeImage(clusters: number): { head: Buffer; size: number } {
  const perTable = CLUSTER / 8;
  const tables = Math.ceil(clusters / perTable);
  const blocks = Math.ceil((clusters + tables + 64) / (CLUSTER / 2));
  const l1 = CLUSTER * (2 + blocks);
  const firstTable = l1 + CLUSTER;
  const firstData = firstTable + tables * CLUSTER;
  const head = Buffer.alloc(firstData);
  writeHeader(head, clusters, tables, l1);
  for (let block = 0; block < blocks; block++) {
    head.writeBigUInt64BE(BigInt(CLUSTER * (2 + block)), CLUSTER + block * 8);
  }
  const used = firstData / CLUSTER + clusters;
  for (let cluster = 0; cluster < used; cluster++) {
    head.writeUInt16BE(1, 2 * CLUSTER + cluster * 2);
  }
  const copied = 1n << 63n;
  for (let table = 0; table < tables; table++) {
    head.writeBigUInt64BE(BigInt(firstTable + table * CLUSTER) | copied, l1 + table * 8);
  }
  for (let cluster = 0; cluster < clusters; cluster++) {
    const offset = BigInt(firstData + cluster * CLUSTER);
    head.writeBigUInt64BE(offset | copied, firstTable + cluster * 8);
  }
  return { head, size: firstData + clusters * CLUSTER };
}

function writeHeader(head: Buffer, clusters: number, tables: number, l1: number): void {
  head.write('QFI\xfb', 0, 'latin1');
  head.writeUInt32BE(3, HEADER.version);
  head.writeUInt32BE(16, HEADER.clusterBits);
  head.writeBigUInt64BE(BigInt(clusters) * BigInt(CLUSTER), HEADER.size);
  head.writeUInt32BE(tables, 36);
  head.writeBigUInt64BE(BigInt(l1), HEADER.l1Offset);
  head.writeBigUInt64BE(BigInt(CLUSTER), HEADER.refcountTable);
  head.writeUInt32BE(1, 56);
  head.writeUInt32BE(4, 96);
  head.writeUInt32BE(104, 100);
}
