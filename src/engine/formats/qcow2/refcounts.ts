/**
 * Reading refcounts. Specification: «Host cluster management». A refcount block is one cluster of
 * entries of 1 to 64 bits; entries below a byte are packed from the least significant bit on,
 * although the rest of the file is big-endian.
 */
import { isAligned, powerOfTwo, TWO_32 } from '../../binary/units.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Header } from './header.ts';
import { readTable, type Table } from './tables.ts';

/** Refcounts of one block, each a number; 64-bit ones are inexact above 2^53. */
export type RefcountBlock = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** Largest refcount of that width; 2^64-1 is rounded. */
export function maxRefcount(bits: number): number {
  return bits === 64 ? 2 ** 64 : powerOfTwo(bits) - 1;
}

/** Unpacks a refcount block. */
export function decodeBlock(bytes: Uint8Array, refcountBits: number): RefcountBlock {
  if (refcountBits === 8) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (refcountBits < 8) return decodePacked(bytes, refcountBits);
  const count = (bytes.length * 8) / refcountBits;
  if (refcountBits === 16) {
    const counts = new Uint16Array(count);
    for (let i = 0; i < count; i++) counts[i] = view.getUint16(i * 2);
    return counts;
  }
  if (refcountBits === 32) {
    const counts = new Uint32Array(count);
    for (let i = 0; i < count; i++) counts[i] = view.getUint32(i * 4);
    return counts;
  }
  const counts = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    counts[i] = view.getUint32(i * 8) * TWO_32 + view.getUint32(i * 8 + 4);
  }
  return counts;
}

function decodePacked(bytes: Uint8Array, bits: number): Uint8Array {
  const perByte = 8 / bits;
  const mask = powerOfTwo(bits) - 1;
  const counts = new Uint8Array(bytes.length * perByte);
  for (let i = 0; i < counts.length; i++) {
    const byte = bytes[Math.floor(i / perByte)] as number;
    counts[i] = (byte >>> ((i % perByte) * bits)) & mask;
  }
  return counts;
}

/** One refcount of a block; a 64-bit one is inexact above 2^53. */
export function refcountAt(bytes: Uint8Array, refcountBits: number, index: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (refcountBits === 64) {
    return view.getUint32(index * 8) * TWO_32 + view.getUint32(index * 8 + 4);
  }
  if (refcountBits === 32) return view.getUint32(index * 4);
  if (refcountBits === 16) return view.getUint16(index * 2);
  const perByte = 8 / refcountBits;
  const byte = bytes[Math.floor(index / perByte)] as number;
  return (byte >>> ((index % perByte) * refcountBits)) & (powerOfTwo(refcountBits) - 1);
}

/** The same for a message: text where a number would be rounded silently. */
export function exactRefcountAt(
  bytes: Uint8Array,
  refcountBits: number,
  index: number,
): number | string {
  const count = refcountAt(bytes, refcountBits, index);
  if (Number.isSafeInteger(count)) return count;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getBigUint64(index * 8).toString();
}

/** The refcount table: where the blocks are. */
export class RefcountTable {
  /** Clusters whose refcounts one block holds. */
  readonly blockEntries: number;
  readonly entries: number;
  readonly #words: Table;
  readonly #clusterSize: number;

  constructor(header: Header, words: Table) {
    this.#words = words;
    this.#clusterSize = header.clusterSize;
    this.entries = words.length / 2;
    this.blockEntries = (header.clusterSize * 8) / header.refcountBits;
  }

  /** Offset of block `index` in bytes: bits 9 to 63 of the entry; 0 where there is none. */
  offset(index: number): number {
    const high = this.#words[index * 2] ?? 0;
    const low = this.#words[index * 2 + 1] ?? 0;
    return high * TWO_32 + ((low & 0xfffffe00) >>> 0);
  }

  /** Whether bits 0 to 8, which must be zero, are not. */
  hasReservedBits(index: number): boolean {
    return ((this.#words[index * 2 + 1] ?? 0) & 0x1ff) !== 0;
  }

  /** Whether the block can be read at all. */
  isAligned(index: number): boolean {
    return isAligned(this.offset(index), this.#clusterSize);
  }

  /** Whether a block can be read at all: aligned, and at a place that a file can have. */
  isReadable(index: number): boolean {
    return this.isAligned(index) && this.offset(index) < 2 ** 63;
  }
}

/** Reads the refcount table of an image. */
export async function readRefcountTable(storage: Storage, header: Header): Promise<RefcountTable> {
  const entries = (header.refcountTableClusters * header.clusterSize) / 8;
  return new RefcountTable(header, await readTable(storage, header.refcountTableOffset, entries));
}
