/**
 * Makes qcow2 images for tests, after the specification and without a line of the engine: what the
 * engine reads must have been written by somebody else. For images that QEMU wrote see test/golden.
 */
import { deflateRawSync } from 'node:zlib';
import { zstdFrame } from './zstd.ts';

/** What a guest cluster is. */
export type ClusterSpec =
  | { kind: 'data'; bytes: Uint8Array }
  | { kind: 'compressed'; bytes: Uint8Array }
  | { kind: 'zero' }
  | { kind: 'zero-kept' }
  /** With extended L2 only; a bit for each subcluster, lowest first. No bit may be set in both. */
  | { kind: 'subclusters'; allocated: number; zeros: number; bytes: Uint8Array };

export type Clusters = ReadonlyMap<number, ClusterSpec>;

export interface SnapshotSpec {
  id: string;
  name: string;
  /** Its own content; by default it shares all of the active layer's. */
  clusters?: Clusters;
  /** Bytes of extra data: 0, 16 or 24. */
  extra?: number;
  vmStateSize?: number;
}

export interface BitmapSpec {
  name: string;
  granularityBits: number;
  inUse?: boolean;
  /** A bit for each granule, lowest first. */
  bits: Uint8Array;
}

export interface ImageSpec {
  version?: 2 | 3;
  clusterBits?: number;
  refcountBits?: number;
  /** Entries of 16 bytes with 32 subclusters each; clusters of 16 KiB at least. */
  extendedL2?: boolean;
  compression?: 'zlib' | 'zstd';
  /** Data lies in a file of its own, at its guest offset. */
  dataFile?: boolean;
  /** Virtual size, bytes. */
  size: number;
  /** By index of the guest cluster; all others are unallocated. Host clusters go in this order. */
  clusters: Clusters;
  snapshots?: readonly SnapshotSpec[];
  bitmaps?: readonly BitmapSpec[];
  backing?: { name: string; format: string };
  /** Cut the file after the last byte in use, as QEMU does after compression. */
  cutTail?: boolean;
}

/** An image and where its parts lie, bytes. */
export interface BuiltImage {
  bytes: Uint8Array<ArrayBuffer>;
  /** The content of the external data file; empty without one. */
  data: Uint8Array<ArrayBuffer>;
  clusterSize: number;
  l1Offset: number;
  l2Offsets: Map<number, number>;
  refcountTableOffset: number;
  refcountBlockOffset: number;
  /** 0 where there are none. */
  snapshotsOffset: number;
  snapshotL1Offsets: number[];
  bitmapsOffset: number;
  bitmapTableOffsets: number[];
  /** Where header extensions begin. */
  extensionsOffset: number;
}

const HEADER_V3 = 112;
const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;
const ALL = 0xffffffffn;

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

  /** Room for this many bytes. */
  allocateBytes(bytes: number): number {
    return this.allocate(Math.max(1, Math.ceil(bytes / this.clusterSize)));
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

type Full = ImageSpec & Required<Pick<ImageSpec, 'version' | 'clusterBits' | 'refcountBits'>>;

function u64(view: DataView, at: number, value: number | bigint): void {
  view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)));
}

/** An L2 entry without its COPIED flag. */
interface Entry {
  value: bigint;
  /** The subcluster bitmap. */
  bits: bigint;
  /** Offset of the cluster it keeps for itself, in the file or the external one; or none. */
  host: number | undefined;
}

/** One L1 table and what it leads to. */
interface Tree {
  offset: number;
  /** Entries of the L1 table. */
  size: number;
  /** By index in the L1 table. */
  tables: Map<number, { offset: number; entries: Map<number, Entry> }>;
  /** Host clusters that it refers to, once for each reference; without the L1 table itself. */
  uses: number[];
  /** The tables are the active layer's. */
  isShared: boolean;
}

/** Builds the image. */
export function buildQcow2(spec: ImageSpec): BuiltImage {
  const full: Full = { version: 3, clusterBits: 16, refcountBits: 16, ...spec };
  const clusterSize = 2 ** full.clusterBits;
  const writer = new Writer(clusterSize);
  writer.allocate(1);
  const data = new Uint8Array(spec.dataFile === true ? spec.size : 0);
  const active = buildTree(writer, full, spec.clusters, data);
  const snapshots = (spec.snapshots ?? []).map((snapshot) => {
    if (snapshot.clusters !== undefined) return buildTree(writer, full, snapshot.clusters, data);
    for (const cluster of active.uses) writer.references[cluster]! += 1;
    return { ...active, offset: writer.allocateBytes(active.size * 8), isShared: true };
  });
  putTree(writer, full, active, true);
  for (const tree of snapshots) putTree(writer, full, tree, false);
  const table = putSnapshots(writer, full, snapshots);
  const bitmaps = putBitmaps(writer, spec.bitmaps ?? []);
  const refcounts = putRefcounts(writer, full.refcountBits);
  const header = makeHeader(full, active, refcounts, table, bitmaps);
  writer.put(0, header.bytes);
  return {
    bytes: assemble(writer, spec.cutTail === true),
    data,
    clusterSize,
    l1Offset: active.offset,
    l2Offsets: new Map([...active.tables].map(([index, { offset }]) => [index, offset])),
    refcountTableOffset: refcounts.tableOffset,
    refcountBlockOffset: refcounts.blockOffset,
    snapshotsOffset: table,
    snapshotL1Offsets: snapshots.map(({ offset }) => offset),
    bitmapsOffset: bitmaps.directory,
    bitmapTableOffsets: bitmaps.tables,
    extensionsOffset: header.extensions,
  };
}

function buildTree(writer: Writer, spec: Full, clusters: Clusters, data: Uint8Array): Tree {
  const { clusterSize } = writer;
  const perTable = clusterSize / (spec.extendedL2 === true ? 16 : 8);
  const size = Math.ceil(spec.size / (perTable * clusterSize));
  const offset = writer.allocateBytes(size * 8);
  const tree: Tree = { offset, size, tables: new Map(), uses: [], isShared: false };
  for (const [index, cluster] of clusters) {
    const at = Math.floor(index / perTable);
    let table = tree.tables.get(at);
    if (table === undefined) {
      table = { offset: writer.allocate(1), entries: new Map() };
      tree.tables.set(at, table);
      tree.uses.push(table.offset / clusterSize);
    }
    table.entries.set(index % perTable, place(writer, spec, cluster, index, tree.uses, data));
  }
  return tree;
}

function place(
  writer: Writer,
  spec: Full,
  cluster: ClusterSpec,
  index: number,
  uses: number[],
  data: Uint8Array,
): Entry {
  const { clusterSize } = writer;
  const extended = spec.extendedL2 === true;
  // With extended L2, bit 0 of the entry is reserved: the bitmap says what reads as zeros.
  const zero = { value: extended ? 0n : 1n, bits: extended ? ALL << 32n : 0n };
  if (cluster.kind === 'zero') return { ...zero, host: undefined };
  if (cluster.kind === 'compressed' && spec.dataFile !== true) {
    const value = placeCompressed(writer, spec, cluster.bytes, uses);
    if (value !== undefined) return { value, bits: 0n, host: undefined };
  }
  const host = spec.dataFile === true ? index * clusterSize : writer.allocate(1);
  if (spec.dataFile !== true) uses.push(host / clusterSize);
  if (cluster.kind === 'zero-kept') {
    return { value: BigInt(host) | zero.value, bits: zero.bits, host };
  }
  if (spec.dataFile === true) data.set(cluster.bytes.subarray(0, data.length - host), host);
  else writer.put(host, cluster.bytes);
  if (cluster.kind !== 'subclusters') return { value: BigInt(host), bits: ALL, host };
  const bits = (BigInt(cluster.zeros >>> 0) << 32n) | BigInt(cluster.allocated >>> 0);
  return { value: BigInt(host), bits, host };
}

function placeCompressed(
  writer: Writer,
  { clusterBits, compression, refcountBits }: Full,
  bytes: Uint8Array,
  uses: number[],
): bigint | undefined {
  const stream =
    compression === 'zstd'
      ? zstdFrame(bytes)
      : deflateRawSync(bytes, { windowBits: 12, memLevel: 9 });
  if (stream === undefined || stream.length >= writer.clusterSize) return undefined;
  const most = refcountBits >= 32 ? 2 ** 31 : 2 ** refcountBits - 1;
  const offset = writer.pack(stream, most);
  const sectors = Math.floor(((offset % 512) + stream.length - 1) / 512);
  const last = Math.floor((offset + stream.length - 1) / writer.clusterSize);
  for (let at = Math.floor(offset / writer.clusterSize); at <= last; at++) uses.push(at);
  const shift = BigInt(62 - (clusterBits - 8));
  return COMPRESSED | (BigInt(sectors) << shift) | BigInt(offset);
}

/** COPIED says, in the active tables only, that a cluster has exactly one user. */
function putTree(writer: Writer, spec: Full, tree: Tree, isActive: boolean): void {
  const { clusterSize } = writer;
  const copied = (host: number, isData: boolean) => {
    const isOne = isData || writer.references[host / clusterSize] === 1;
    return isActive && isOne ? COPIED : 0n;
  };
  const l1 = new Uint8Array(tree.size * 8);
  for (const [index, { offset }] of tree.tables) {
    u64(new DataView(l1.buffer), index * 8, BigInt(offset) | copied(offset, false));
  }
  writer.put(tree.offset, l1);
  if (tree.isShared) return;
  const step = spec.extendedL2 === true ? 16 : 8;
  for (const { offset, entries } of tree.tables.values()) {
    const bytes = new Uint8Array(clusterSize);
    const view = new DataView(bytes.buffer);
    for (const [index, { value, bits, host }] of entries) {
      const flag = host === undefined ? 0n : copied(host, spec.dataFile === true);
      u64(view, index * step, value | flag);
      if (step === 16) u64(view, index * step + 8, bits);
    }
    writer.put(offset, bytes);
  }
}

/** «Snapshots»: returns the offset of the table, 0 without snapshots. */
function putSnapshots(writer: Writer, spec: Full, trees: readonly Tree[]): number {
  const { snapshots = [], size: diskSize } = spec;
  if (snapshots.length === 0) return 0;
  const entries: Buffer[] = [];
  for (const [index, { id, name, extra = 24, vmStateSize = 0 }] of snapshots.entries()) {
    const text = Buffer.from(id + name);
    const entry = Buffer.alloc(Math.ceil((40 + extra + text.length) / 8) * 8);
    const { offset, size } = trees[index]!;
    entry.writeBigUInt64BE(BigInt(offset), 0);
    entry.writeUInt32BE(size, 8);
    entry.writeUInt16BE(Buffer.byteLength(id), 12);
    entry.writeUInt16BE(Buffer.byteLength(name), 14);
    entry.writeUInt32BE(1_700_000_000 + index, 16);
    entry.writeBigUInt64BE(BigInt(index) * 1_000_000_000n, 24);
    entry.writeUInt32BE(vmStateSize, 32);
    entry.writeUInt32BE(extra, 36);
    if (extra >= 16) {
      entry.writeBigUInt64BE(BigInt(vmStateSize), 40);
      entry.writeBigUInt64BE(BigInt(diskSize), 48);
    }
    if (extra >= 24) entry.fill(0xff, 56, 64);
    text.copy(entry, 40 + extra);
    entries.push(entry);
  }
  const table = Buffer.concat(entries);
  const offset = writer.allocateBytes(table.length);
  writer.put(offset, table);
  return offset;
}

interface Bitmaps {
  count: number;
  directory: number;
  size: number;
  tables: number[];
}

/** «Bitmaps»: data, tables, directory. */
function putBitmaps(writer: Writer, bitmaps: readonly BitmapSpec[]): Bitmaps {
  const tables: number[] = [];
  const entries = bitmaps.map(({ name, granularityBits, inUse, bits }) => {
    const table = putBitmapTable(writer, bits);
    tables.push(table.offset);
    const entry = Buffer.alloc(Math.ceil((24 + Buffer.byteLength(name)) / 8) * 8);
    entry.writeBigUInt64BE(BigInt(table.offset), 0);
    entry.writeUInt32BE(table.entries, 8);
    entry.writeUInt32BE(inUse === true ? 1 : 2, 12);
    entry[16] = 1;
    entry[17] = granularityBits;
    entry.writeUInt16BE(Buffer.byteLength(name), 18);
    entry.write(name, 24);
    return entry;
  });
  const bytes = Buffer.concat(entries);
  if (bytes.length === 0) return { count: 0, directory: 0, size: 0, tables };
  const directory = writer.allocateBytes(bytes.length);
  writer.put(directory, bytes);
  return { count: bitmaps.length, directory, size: bytes.length, tables };
}

function putBitmapTable(writer: Writer, bits: Uint8Array) {
  const { clusterSize } = writer;
  const entries = Math.max(1, Math.ceil(bits.length / clusterSize));
  const bytes = new Uint8Array(entries * 8);
  for (let index = 0; index < entries; index++) {
    const part = bits.subarray(index * clusterSize, (index + 1) * clusterSize);
    const isWhole = part.length === clusterSize;
    let entry = 0n;
    if (isWhole && part.every((byte) => byte === 255)) entry = 1n;
    else if (part.some((byte) => byte !== 0)) {
      const offset = writer.allocate(1);
      writer.put(offset, part);
      entry = BigInt(offset);
    }
    u64(new DataView(bytes.buffer), index * 8, entry);
  }
  const offset = writer.allocateBytes(bytes.length);
  writer.put(offset, bytes);
  return { offset, entries };
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
  spec: Full,
  active: Tree,
  refcounts: Refcounts,
  snapshots: number,
  bitmaps: Bitmaps,
): { bytes: Uint8Array; extensions: number } {
  const bytes = new Uint8Array(2 ** spec.clusterBits);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, spec.version);
  view.setUint32(20, spec.clusterBits);
  u64(view, 24, spec.size);
  view.setUint32(36, active.size);
  u64(view, 40, active.offset);
  u64(view, 48, refcounts.tableOffset);
  view.setUint32(56, refcounts.tableClusters);
  view.setUint32(60, spec.snapshots?.length ?? 0);
  u64(view, 64, snapshots);
  const extensions = spec.version === 3 ? HEADER_V3 : 72;
  if (spec.version === 3) {
    const incompatible = [spec.dataFile, spec.compression === 'zstd', spec.extendedL2];
    view.setUint32(76, incompatible.reduce((bits, is, at) => bits | (is === true ? 4 << at : 0), 0));
    view.setUint32(92, bitmaps.count > 0 ? 1 : 0);
    view.setUint32(96, Math.log2(spec.refcountBits));
    view.setUint32(100, HEADER_V3);
    bytes[104] = spec.compression === 'zstd' ? 1 : 0;
  }
  let at = extensions;
  const extend = (type: number, content: Uint8Array) => {
    view.setUint32(at, type);
    view.setUint32(at + 4, content.length);
    bytes.set(content, at + 8);
    at += 8 + Math.ceil(content.length / 8) * 8;
  };
  const format = spec.backing?.format ?? '';
  if (format !== '') extend(0xe2792aca, Buffer.from(format));
  if (spec.dataFile === true) extend(0x44415441, Buffer.from('image.data'));
  if (bitmaps.count > 0) {
    const content = Buffer.alloc(24);
    content.writeUInt32BE(bitmaps.count, 0);
    content.writeBigUInt64BE(BigInt(bitmaps.size), 8);
    content.writeBigUInt64BE(BigInt(bitmaps.directory), 16);
    extend(0x23852875, content);
  }
  at += 8;
  if (spec.backing === undefined) return { bytes, extensions };
  const name = Buffer.from(spec.backing.name);
  u64(view, 8, at);
  view.setUint32(16, name.length);
  bytes.set(name, at);
  return { bytes, extensions };
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
export function guestContent(spec: ImageSpec, clusters = spec.clusters): Uint8Array {
  const disk = new Uint8Array(Math.floor(spec.size / 512) * 512);
  overlayContent(disk, spec, clusters);
  return disk;
}

/** Puts what an image says of its disk over what its backing image says. */
export function overlayContent(
  disk: Uint8Array,
  spec: ImageSpec,
  clusters: Clusters = spec.clusters,
): void {
  const clusterSize = 2 ** (spec.clusterBits ?? 16);
  for (const [index, cluster] of clusters) {
    const at = index * clusterSize;
    if (at >= disk.length) continue;
    const end = Math.min(at + clusterSize, disk.length);
    if (cluster.kind === 'zero' || cluster.kind === 'zero-kept') disk.fill(0, at, end);
    else if (cluster.kind !== 'subclusters') disk.set(cluster.bytes.subarray(0, end - at), at);
    else overlaySubclusters(disk, cluster, at, clusterSize / 32);
  }
}

function overlaySubclusters(
  disk: Uint8Array,
  cluster: ClusterSpec & { kind: 'subclusters' },
  start: number,
  step: number,
): void {
  for (let bit = 0; bit < 32; bit++) {
    const at = start + bit * step;
    if (at >= disk.length) return;
    const part = cluster.bytes.subarray(bit * step, (bit + 1) * step);
    if (((cluster.zeros >>> bit) & 1) === 1) disk.fill(0, at, at + step);
    else if (((cluster.allocated >>> bit) & 1) === 1) disk.set(part.subarray(0, disk.length - at), at);
  }
}
