import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { mulberry32 } from './data.ts';

const CLUSTER = 65_536;
const ENTRIES = CLUSTER / 8;
const COUNTS = CLUSTER / 2;
const COPIED = 2 ** 31;

/** Writes a cluster-sized buffer with what the guest has at an offset, bytes. */
type Fill = (cluster: Buffer, guestOffset: number) => void;

interface Scatter {
  /** Clusters that lie in random order among each other; all of them unless it is said. */
  among?: number;
  /** Without it, the clusters are holes of the file. */
  fill?: Fill;
}

/**
 * A qcow2 image (version 3, clusters of 64 KiB) whose clusters lie in random order in the file, as
 * after years of a machine's life.
 * @param size of the disk, bytes: whole clusters
 */
export function writeScattered(file: string, size: number, { among, fill }: Scatter): void {
  const clusters = size / CLUSTER;
  const tables = Math.ceil(clusters / ENTRIES);
  const l1Clusters = Math.ceil(tables / ENTRIES);
  // The header, the refcount table, its blocks (which count themselves), L1, L2, and the data.
  let blocks = 1;
  const all = (): number => 2 + blocks + l1Clusters + tables + clusters;
  while (blocks * COUNTS < all()) blocks++;
  const l1 = 2 + blocks;
  const l2 = l1 + l1Clusters;
  const first = l2 + tables;
  const descriptor = openSync(file, 'w');
  const write = (bytes: Buffer, cluster: number): void => {
    writeSync(descriptor, bytes, 0, bytes.length, cluster * CLUSTER);
  };
  write(header(size, tables, l1), 0);
  write(
    entries(blocks, (index) => 2 + index, 0),
    1,
  );
  for (let block = 0; block < blocks; block++) write(counts(block, all()), 2 + block);
  write(
    entries(tables, (index) => l2 + index, COPIED),
    l1,
  );
  const order = shuffled(clusters, among ?? clusters);
  for (let table = 0; table < tables; table++) {
    const there = Math.min(ENTRIES, clusters - table * ENTRIES);
    const place = (index: number): number => first + (order[table * ENTRIES + index] ?? 0);
    write(entries(there, place, COPIED), l2 + table);
  }
  if (fill !== undefined) writeClusters(order, first, fill, write);
  ftruncateSync(descriptor, all() * CLUSTER);
  closeSync(descriptor);
}

/** In the order of the file: that is quicker by far. */
function writeClusters(
  order: Uint32Array,
  first: number,
  fill: Fill,
  write: (bytes: Buffer, cluster: number) => void,
): void {
  const guests = new Uint32Array(order.length);
  order.forEach((place, guest) => {
    guests[place] = guest;
  });
  const cluster = Buffer.alloc(CLUSTER);
  guests.forEach((guest, place) => {
    fill(cluster, guest * CLUSTER);
    write(cluster, first + place);
  });
}

function header(size: number, l1Entries: number, l1: number): Buffer {
  const bytes = Buffer.alloc(CLUSTER);
  bytes.writeUInt32BE(0x514649fb, 0);
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(16, 20);
  bytes.writeBigUInt64BE(BigInt(size), 24);
  bytes.writeUInt32BE(l1Entries, 36);
  bytes.writeBigUInt64BE(BigInt(l1 * CLUSTER), 40);
  bytes.writeBigUInt64BE(BigInt(CLUSTER), 48);
  bytes.writeUInt32BE(1, 56);
  bytes.writeUInt32BE(4, 96);
  bytes.writeUInt32BE(104, 100);
  return bytes;
}

/** A table of offsets, as long as whole clusters. */
function entries(count: number, place: (index: number) => number, flags: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil((count * 8) / CLUSTER) * CLUSTER);
  for (let index = 0; index < count; index++) {
    const offset = place(index) * CLUSTER;
    bytes.writeUInt32BE(flags + Math.floor(offset / 2 ** 32), index * 8);
    bytes.writeUInt32BE(offset % 2 ** 32, index * 8 + 4);
  }
  return bytes;
}

function counts(block: number, all: number): Buffer {
  const bytes = Buffer.alloc(CLUSTER);
  const used = Math.max(0, Math.min(COUNTS, all - block * COUNTS));
  for (let index = 0; index < used; index++) bytes[index * 2 + 1] = 1;
  return bytes;
}

/**
 * The numbers below `count` in an order that is random, and the same on every machine; `among` of
 * them stay together.
 */
function shuffled(count: number, among: number): Uint32Array {
  const random = mulberry32(0x5ca77e5);
  const numbers = Uint32Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index--) {
    const first = index - (index % among);
    const other = first + Math.floor(random() * (index - first + 1));
    const kept = numbers[index] ?? 0;
    numbers[index] = numbers[other] ?? 0;
    numbers[other] = kept;
  }
  return numbers;
}
