/**
 * Makes qcow2 images for tests, after the specification and without a line of the engine: what the
 * engine reads must have been written by somebody else. For images that QEMU wrote see test/golden.
 */
import { deflateRawSync } from 'node:zlib';

/** What a guest cluster is. */
export type ClusterSpec =
  | { kind: 'data'; bytes: Uint8Array }
  | { kind: 'compressed'; bytes: Uint8Array }
  | { kind: 'zero' }
  | { kind: 'zero-kept' };

export interface ImageSpec {
  version?: 2 | 3;
  clusterBits?: number;
  refcountBits?: number;
  /** Virtual size, bytes. */
  size: number;
  /** By index of the guest cluster; all others are unallocated. */
  clusters: ReadonlyMap<number, ClusterSpec>;
  /** Order in which the host clusters are handed out; default: as they come in the map. */
  backing?: { name: string; format: string };
  /** Cut the file after the last byte in use, as QEMU does after compression. */
  cutTail?: boolean;
}

/** An image and where its parts lie, bytes. */
export interface BuiltImage {
  bytes: Uint8Array<ArrayBuffer>;
  clusterSize: number;
  l1Offset: number;
  l2Offsets: Map<number, number>;
  refcountTableOffset: number;
  refcountBlockOffset: number;
}

const HEADER_V3 = 112;
const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;

class Writer {
  readonly clusterSize: number;
  chunks: { offset: number; bytes: Uint8Array }[] = [];
  references: number[] = [];
  next = 0;
  /** Where the next compressed cluster may go on, bytes; 0: a new host cluster is needed. */
  packedAt = 0;

  constructor(clusterSize: number) {
    this.clusterSize = clusterSize;
  }

  allocate(count: number): number {
    const first = this.next;
    this.next += count;
    for (let i = 0; i < count; i++) this.references[first + i] = 1;
    return first * this.clusterSize;
  }

  put(offset: number, bytes: Uint8Array): void {
    this.chunks.push({ offset, bytes });
  }

  /** Packs a stream behind the one before, as QEMU does. Returns its offset. */
  pack(stream: Uint8Array, most: number): number {
    const { clusterSize } = this;
    const left = this.packedAt === 0 ? 0 : clusterSize - (this.packedAt % clusterSize);
    const cluster = Math.floor(this.packedAt / clusterSize);
    const shareable = this.packedAt !== 0 && this.references[cluster]! < most;
    const straddles = stream.length > left;
    if (!shareable || left === clusterSize || (straddles && cluster + 1 !== this.next)) {
      this.packedAt = this.allocate(1);
    } else {
      this.references[cluster]! += 1;
      if (straddles) this.allocate(1);
    }
    const offset = this.packedAt;
    this.put(offset, stream);
    this.packedAt += stream.length;
    if (this.packedAt % clusterSize === 0) this.packedAt = 0;
    return offset;
  }
}

function u64(view: DataView, at: number, value: number | bigint): void {
  view.setBigUint64(at, BigInt(value));
}

/** Builds the image. */
export function buildQcow2(spec: ImageSpec): BuiltImage {
  const { version = 3, clusterBits = 16, refcountBits = 16, size, clusters } = spec;
  const clusterSize = 2 ** clusterBits;
  const perTable = clusterSize / 8;
  const writer = new Writer(clusterSize);
  const most = refcountBits >= 32 ? 2 ** 31 : 2 ** refcountBits - 1;
  writer.allocate(1);
  const l1Size = Math.ceil(size / (perTable * clusterSize));
  const l1Offset = writer.allocate(Math.max(1, Math.ceil((l1Size * 8) / clusterSize)));
  const l2Offsets = new Map<number, number>();
  const tables = new Map<number, BigUint64Array>();
  for (const [index, cluster] of clusters) {
    const table = Math.floor(index / perTable);
    let entries = tables.get(table);
    if (entries === undefined) {
      entries = new BigUint64Array(perTable);
      tables.set(table, entries);
      l2Offsets.set(table, writer.allocate(1));
    }
    entries[index % perTable] = place(writer, cluster, clusterBits, most);
  }
  for (const [table, entries] of tables) {
    const bytes = new Uint8Array(clusterSize);
    const view = new DataView(bytes.buffer);
    entries.forEach((entry, index) => {
      u64(view, index * 8, entry);
    });
    writer.put(l2Offsets.get(table)!, bytes);
  }
  const l1 = new Uint8Array(l1Size * 8);
  for (const [table, offset] of l2Offsets) {
    u64(new DataView(l1.buffer), table * 8, BigInt(offset) | COPIED);
  }
  writer.put(l1Offset, l1);
  const refcounts = putRefcounts(writer, refcountBits);
  writer.put(0, makeHeader({ ...spec, version, clusterBits, refcountBits }, l1Size, l1Offset, refcounts));
  const bytes = assemble(writer, spec.cutTail === true);
  return {
    bytes,
    clusterSize,
    l1Offset,
    l2Offsets,
    refcountTableOffset: refcounts.tableOffset,
    refcountBlockOffset: refcounts.blockOffset,
  };
}

function place(writer: Writer, cluster: ClusterSpec, clusterBits: number, most: number): bigint {
  if (cluster.kind === 'zero') return 1n;
  if (cluster.kind === 'zero-kept') return BigInt(writer.allocate(1)) | COPIED | 1n;
  if (cluster.kind === 'compressed') {
    const stream = deflateRawSync(cluster.bytes, { windowBits: 12, memLevel: 9 });
    if (stream.length < writer.clusterSize) {
      const offset = writer.pack(stream, most);
      const sectors = Math.floor(((offset % 512) + stream.length - 1) / 512);
      const shift = BigInt(62 - (clusterBits - 8));
      return COMPRESSED | (BigInt(sectors) << shift) | BigInt(offset);
    }
  }
  const offset = writer.allocate(1);
  writer.put(offset, cluster.bytes);
  return BigInt(offset) | COPIED;
}

interface Refcounts {
  tableOffset: number;
  tableClusters: number;
  blockOffset: number;
}

function putRefcounts(writer: Writer, bits: number): Refcounts {
  const { clusterSize } = writer;
  const perBlock = (clusterSize * 8) / bits;
  let blocks = 0;
  let tableClusters = 0;
  for (;;) {
    const total = writer.next + blocks + tableClusters;
    const wanted = Math.ceil(total / perBlock);
    const wantedTable = Math.ceil((wanted * 8) / clusterSize);
    if (wanted === blocks && wantedTable === tableClusters) break;
    blocks = wanted;
    tableClusters = wantedTable;
  }
  const blockOffset = writer.allocate(blocks);
  const tableOffset = writer.allocate(tableClusters);
  const table = new Uint8Array(tableClusters * clusterSize);
  for (let i = 0; i < blocks; i++) {
    u64(new DataView(table.buffer), i * 8, blockOffset + i * clusterSize);
  }
  writer.put(tableOffset, table);
  const bytes = new Uint8Array(blocks * clusterSize);
  writer.references.forEach((count, cluster) => {
    setRefcount(bytes, bits, cluster, count);
  });
  writer.put(blockOffset, bytes);
  return { tableOffset, tableClusters, blockOffset };
}

/** Writes one refcount into a run of refcount blocks. */
export function setRefcount(bytes: Uint8Array, bits: number, index: number, count: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (bits === 64) u64(view, index * 8, count);
  else if (bits === 32) view.setUint32(index * 4, count);
  else if (bits === 16) view.setUint16(index * 2, count);
  else {
    const perByte = 8 / bits;
    const at = Math.floor(index / perByte);
    const shift = (index % perByte) * bits;
    const mask = (2 ** bits - 1) << shift;
    bytes[at] = (bytes[at]! & ~mask) | (count << shift);
  }
}

function makeHeader(
  spec: ImageSpec & { version: 2 | 3; clusterBits: number; refcountBits: number },
  l1Size: number,
  l1Offset: number,
  refcounts: Refcounts,
): Uint8Array {
  const bytes = new Uint8Array(2 ** spec.clusterBits);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, spec.version);
  view.setUint32(20, spec.clusterBits);
  u64(view, 24, spec.size);
  view.setUint32(36, l1Size);
  u64(view, 40, l1Offset);
  u64(view, 48, refcounts.tableOffset);
  view.setUint32(56, refcounts.tableClusters);
  let at = 72;
  if (spec.version === 3) {
    view.setUint32(96, Math.log2(spec.refcountBits));
    view.setUint32(100, HEADER_V3);
    at = HEADER_V3;
  }
  if (spec.backing === undefined) return bytes;
  const { name, format } = spec.backing;
  if (format !== '') {
    view.setUint32(at, 0xe2792aca);
    view.setUint32(at + 4, format.length);
    bytes.set(Buffer.from(format), at + 8);
    at += 8 + Math.ceil(format.length / 8) * 8;
  }
  at += 8;
  u64(view, 8, at);
  view.setUint32(16, name.length);
  bytes.set(Buffer.from(name), at);
  return bytes;
}

function assemble(writer: Writer, cutTail: boolean): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(writer.next * writer.clusterSize);
  let end = 0;
  for (const { offset, bytes } of writer.chunks) {
    whole.set(bytes, offset);
    end = Math.max(end, offset + bytes.length);
  }
  return cutTail ? whole.slice(0, Math.ceil(end / 512) * 512) : whole;
}

/** What the guest must read: the plain array that the image stands for. */
export function guestContent(spec: ImageSpec): Uint8Array {
  const clusterSize = 2 ** (spec.clusterBits ?? 16);
  const disk = new Uint8Array(Math.floor(spec.size / 512) * 512);
  for (const [index, cluster] of spec.clusters) {
    if (cluster.kind !== 'data' && cluster.kind !== 'compressed') continue;
    const at = index * clusterSize;
    if (at < disk.length) disk.set(cluster.bytes.subarray(0, disk.length - at), at);
  }
  return disk;
}
