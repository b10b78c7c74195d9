/**
 * What the tables of the active disk say of its clusters, and in which order content lies in the
 * file. Fragmentation is counted as qemu-img's check counts it.
 */
import { divideRoundUp, isAligned } from '../../binary/units.ts';
import type { ClusterCounts, OrderFacts } from '../survey.ts';
import type { Qcow2Image } from './image.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, OFFSET_HIGH, ZERO_LOW } from './tables.ts';

const ALL_SUBCLUSTERS = 0xffffffff;

/** What a guest cluster is; the first is what nothing is said of. */
type Kind = Exclude<keyof ClusterCounts, 'total'>;

/** Where an entry is: in which table, and in the disk. */
interface Place {
  /** Guest cluster. */
  readonly guest: number;
  /** It is no part of the disk: behind its end. */
  readonly outside: boolean;
}

/** Goes through the tables of the active disk in guest order. */
export class OrderWalk {
  readonly #image: Qcow2Image;
  /** Clusters of the disk. */
  readonly #total: number;
  readonly #counts: ClusterCounts;
  #allocated = 0;
  #fragmented = 0;
  #bytes = 0;
  #extents = 0;
  #backward = 0;
  /** Clusters. */
  #travel = 0;
  /** Where the last run ends, clusters: in the file and in the disk. */
  #host = -1;
  #guest = -1;
  /** As a check has it: where the next cluster of this table is expected. */
  #expected = -1;

  constructor(image: Qcow2Image) {
    this.#image = image;
    this.#total = divideRoundUp(image.size, image.clusterSize);
    this.#counts = {
      ...{ total: this.#total, normal: 0, compressed: 0, zero: 0 },
      ...{ zeroHeld: 0, unallocated: 0, invalid: 0 },
    };
  }

  /** Nothing can be read of what a table of the L1 table says, or it says it of two places. */
  lost(index: number): void {
    const { l2Entries } = this.#image.header;
    const left = this.#total - index * l2Entries;
    this.#counts.invalid += Math.max(0, Math.min(l2Entries, left));
  }

  /**
   * An L2 table of the active disk, the next one.
   * @param index in the L1 table
   * @param times how often the active L1 table leads to it
   * @param counts whether its clusters are part of the disk, or were told to be {@link lost}
   */
  table(bytes: Uint8Array, index: number, times: number, counts: boolean): void {
    const { header, storage, clusterSize } = this.#image;
    const { clusterBits, extendedL2, hasDataFile, l2Entries } = header;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const step = extendedL2 ? 16 : 8;
    const plain = !extendedL2 && !hasDataFile;
    const lowMask = clusterSize - 1;
    const highLimit = 2 ** (clusterBits - 1);
    const first = index * l2Entries;
    const inside = counts ? Math.max(0, Math.min(l2Entries, this.#total - first)) : 0;
    const inFile = Math.min(2 ** 31, divideRoundUp(storage.size, clusterSize));
    const before = { allocated: this.#allocated, fragmented: this.#fragmented };
    this.#expected = -1;
    let allocated = 0;
    let fragmented = 0;
    let expected = -1;
    let host = this.#host;
    // Counted from the table's first entry.
    let next = this.#guest - first;
    let normal = 0;
    for (let at = 0, entry = 0; at < bytes.length; at += step, entry++) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (plain && (high & 0x7f000000) === 0 && (low & lowMask) === 0) {
        const upper = high & OFFSET_HIGH;
        if ((upper | low) === 0) continue;
        const cluster =
          upper < highLimit ? (upper << (32 - clusterBits)) | (low >>> clusterBits) : 0;
        if (cluster > 0 && cluster < inFile) {
          allocated += 1;
          if (expected >= 0 && cluster !== expected) fragmented += 1;
          expected = cluster + 1;
          if (entry >= inside) continue;
          normal += 1;
          if (cluster !== host || entry !== next) this.#jump(host, cluster);
          host = cluster + 1;
          next = entry + 1;
          continue;
        }
      }
      const zeros = extendedL2 ? view.getUint32(at + 8) : 0;
      const bits = extendedL2 ? view.getUint32(at + 12) : 0;
      this.#expected = expected;
      [this.#host, this.#guest] = [host, first + next];
      const place = { guest: first + entry, outside: entry >= inside };
      this.#rare(high, low, zeros, bits, place);
      [host, next, expected] = [this.#host, this.#guest - first, this.#expected];
    }
    [this.#host, this.#guest] = [host, first + next];
    this.#counts.normal += normal;
    this.#bytes += normal * clusterSize;
    this.#allocated = before.allocated + (this.#allocated - before.allocated + allocated) * times;
    this.#fragmented =
      before.fragmented + (this.#fragmented - before.fragmented + fragmented) * times;
  }

  /** A run ends at a cluster of the file, the next begins at another. */
  #jump(from: number, to: number): void {
    this.#extents += 1;
    if (from < 0) return;
    if (to < from) this.#backward += 1;
    this.#travel += Math.abs(to - from);
  }

  /** The rare entries. */
  #rare(high: number, low: number, zeros: number, bits: number, place: Place): void {
    const { header, clusterSize } = this.#image;
    const { extendedL2, hasDataFile } = header;
    if ((high & COMPRESSED_HIGH) !== 0) {
      if (hasDataFile) return this.#count('invalid', place);
      this.#count('compressed', place);
      if ((zeros | bits) !== 0) return;
      this.#allocated += 1;
      this.#fragmented += 1;
      return;
    }
    const offset = entryOffset(high, low);
    const zero = (low & ZERO_LOW) !== 0 && !extendedL2;
    if (offset === 0 && !(hasDataFile && !zero && (high & COPIED_HIGH) !== 0)) {
      const isZero = extendedL2 ? zeros === ALL_SUBCLUSTERS : zero;
      const isInvalid = extendedL2 ? bits !== 0 : zero && header.version < 3;
      return this.#count(isInvalid ? 'invalid' : isZero ? 'zero' : 'unallocated', place);
    }
    const cluster = offset / clusterSize;
    this.#allocated += 1;
    if (this.#expected >= 0 && cluster !== this.#expected) this.#fragmented += 1;
    this.#expected = cluster + 1;
    const kind = this.#isSound(offset, zero, zeros & bits, place)
      ? zero || (extendedL2 && bits === 0)
        ? 'zeroHeld'
        : 'normal'
      : 'invalid';
    this.#count(kind, place);
    if (kind !== 'normal' || place.outside) return;
    this.#bytes += clusterSize;
    if (cluster !== this.#host || place.guest !== this.#guest) this.#jump(this.#host, cluster);
    this.#host = cluster + 1;
    this.#guest = place.guest + 1;
  }

  #isSound(offset: number, zero: boolean, contradiction: number, { guest }: Place): boolean {
    const { header, clusterSize, storage } = this.#image;
    if (!isAligned(offset, clusterSize) || contradiction !== 0) return false;
    if (zero && header.version < 3) return false;
    return header.hasDataFile ? offset === guest * clusterSize : offset < storage.size;
  }

  #count(kind: Kind, { outside }: Place): void {
    if (!outside) this.#counts[kind] += 1;
  }

  /** What was counted. */
  get clusters(): ClusterCounts {
    const { normal, compressed, zero, zeroHeld, invalid } = this.#counts;
    const told = normal + compressed + zero + zeroHeld + invalid;
    return { ...this.#counts, unallocated: this.#total - told };
  }

  /** All but the gaps. */
  get order(): Omit<OrderFacts, 'gaps'> {
    return {
      fragmented: this.#fragmented,
      allocated: this.#allocated,
      extents: this.#extents,
      bytes: this.#bytes,
      backward: this.#backward,
      travel: this.#travel * this.#image.clusterSize,
    };
  }
}
