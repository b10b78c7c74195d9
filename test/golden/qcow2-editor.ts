/** Changing single fields of a qcow2 file: the way to images that no program would write. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Offsets in the header, bytes. */
const HEADER = {
  magic: [0, 4],
  version: [4, 4],
  backingOffset: [8, 8],
  backingSize: [16, 4],
  clusterBits: [20, 4],
  size: [24, 8],
  crypt: [32, 4],
  l1Size: [36, 4],
  l1Offset: [40, 8],
  refcountTableOffset: [48, 8],
  refcountTableClusters: [56, 4],
  snapshotCount: [60, 4],
  snapshotsOffset: [64, 8],
  incompatible: [72, 8],
  compatible: [80, 8],
  autoclear: [88, 8],
  refcountOrder: [96, 4],
  headerLength: [100, 4],
  compressionType: [104, 1],
} as const;

export type HeaderField = keyof typeof HEADER;

/** Bit 63 of an L1 or L2 entry. */
export const COPIED = 1n << 63n;
/** Bit 62 of an L2 entry. */
export const COMPRESSED = 1n << 62n;
const OFFSET = 0x00fffffffffffe00n;

/** A qcow2 file in memory. All numbers big-endian; entries are 64 bits wide. */
export class Qcow2Editor {
  bytes: Buffer;

  constructor(path: string) {
    this.bytes = readFileSync(path);
  }

  save(path: string): void {
    writeFileSync(path, this.bytes);
  }

  get(field: HeaderField): number {
    const [offset, width] = HEADER[field];
    return width === 8
      ? Number(this.bytes.readBigUInt64BE(offset))
      : this.bytes.readUIntBE(offset, width);
  }

  set(field: HeaderField, value: number | bigint): void {
    const [offset, width] = HEADER[field];
    if (width === 8) this.bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), offset);
    else this.bytes.writeUIntBE(Number(value), offset, width);
  }

  /** Sets a bit of a 64-bit set of features. */
  setBit(field: 'incompatible' | 'compatible' | 'autoclear', bit: number): void {
    const offset = HEADER[field][0];
    this.setEntry(offset, this.entry(offset) | (1n << BigInt(bit)));
  }

  entry(offset: number): bigint {
    return this.bytes.readBigUInt64BE(offset);
  }

  setEntry(offset: number, value: bigint): void {
    this.bytes.writeBigUInt64BE(BigInt.asUintN(64, value), offset);
  }

  /** Replaces an entry by what `change` makes of it. */
  change(offset: number, change: (entry: bigint) => bigint): void {
    this.setEntry(offset, change(this.entry(offset)));
  }

  get clusterSize(): number {
    return 2 ** this.get('clusterBits');
  }

  /** Where entry `index` of the active L1 table is. */
  l1(index = 0): number {
    return this.get('l1Offset') + index * 8;
  }

  /** Where the L2 entry of guest cluster `index` is (of the first L2 table). */
  l2(index: number, entrySize = 8): number {
    return Number(this.entry(this.l1()) & OFFSET) + index * entrySize;
  }

  /** The host offset that the L2 entry of guest cluster `index` says. */
  host(index: number): number {
    return Number(this.entry(this.l2(index)) & OFFSET);
  }

  /** Where entry `index` of the refcount table is. */
  refcountTable(index = 0): number {
    return this.get('refcountTableOffset') + index * 8;
  }

  /** Where the first refcount block is. */
  get refcountBlock(): number {
    return Number(this.entry(this.refcountTable()));
  }

  /** Sets the 16-bit refcount of a host cluster. */
  setRefcount(cluster: number, value: number): void {
    this.bytes.writeUInt16BE(value, this.refcountBlock + cluster * 2);
  }

  get snapshots(): number {
    return this.get('snapshotsOffset');
  }

  /** Cuts the file or extends it with zeros. */
  resize(size: number): void {
    const bytes = Buffer.alloc(size);
    this.bytes.copy(bytes);
    this.bytes = bytes;
  }

  /** Puts header extensions in place of those that are there; `[type, data]`, then the end. */
  setExtensions(extensions: readonly (readonly [number, Uint8Array])[]): void {
    const start = this.get('version') === 2 ? 72 : this.get('headerLength');
    this.bytes.fill(0, start, this.clusterSize);
    let offset = start;
    for (const [type, data] of extensions) {
      this.bytes.writeUInt32BE(type, offset);
      this.bytes.writeUInt32BE(data.length, offset + 4);
      this.bytes.set(data, offset + 8);
      offset += 8 + Math.ceil(data.length / 8) * 8;
    }
  }
}

/** The content of a bitmaps extension. */
export function bitmapsExtension(
  count: number,
  reserved: number,
  size: bigint,
  offset: bigint,
): Uint8Array {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32BE(count, 0);
  bytes.writeUInt32BE(reserved, 4);
  bytes.writeBigUInt64BE(size, 8);
  bytes.writeBigUInt64BE(offset, 16);
  return bytes;
}
