/**
 * What is wrong with one entry of an L2 table, and what it would be without that. Pure.
 * Specification: «Cluster mapping», «Extended L2 entries».
 */
import { isAligned } from '../../../binary/units.ts';
import type { Header } from '../header.ts';
import {
  compressedLayout,
  compressedLength,
  compressedOffset,
  type CompressedLayout,
} from '../mapping.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW } from '../tables.ts';
import type { RepairKind } from './plan.ts';

/** Bits 56 to 62 and 0 to 8 of an L1 entry must be zero. */
export const L1_RESERVED_HIGH = 0x7f000000;
export const L1_RESERVED_LOW = 0x1ff;
/** Bits 56 to 61 and 1 to 8 of a standard L2 entry must be zero. */
const L2_RESERVED_HIGH = 0x3f000000;
const L2_RESERVED_LOW = 0x1fe;
const ALL = 0xffffffff;

/** An L2 entry in 32-bit words; the last two with extended L2 only. */
export interface EntryWords {
  high: number;
  low: number;
  zeros: number;
  allocated: number;
}

/** What the entry leads to. */
export type Target =
  | { kind: 'none' }
  | { kind: 'data'; offset: number }
  /** Its first byte lies in the file. */
  | { kind: 'compressed'; offset: number; length: number; overshoots: boolean };

/** Everything about an entry. */
export interface Verdict {
  target: Target;
  /** What is wrong with it, in the order of the mending; each can be chosen or not. */
  faults: RepairKind[];
}

const NONE: Target = { kind: 'none' };

/** The facts of an image that entries are judged by. */
export class EntryJudge {
  readonly header: Header;
  readonly clusterSize: number;
  readonly fileSize: number;
  readonly layout: CompressedLayout;
  readonly #isNew: (offset: number) => boolean;

  /** @param isNew whether there is a new cluster at an offset (bytes) behind the end of the file */
  constructor(header: Header, fileSize: number, isNew: (offset: number) => boolean) {
    this.header = header;
    this.clusterSize = header.clusterSize;
    this.fileSize = fileSize;
    this.#isNew = isNew;
    this.layout = compressedLayout(header.clusterBits);
  }

  /** Judges an entry. */
  judge(entry: EntryWords): Verdict {
    if ((entry.high & COMPRESSED_HIGH) !== 0) return this.#compressed(entry);
    const { header } = this;
    const { high, low, zeros, allocated } = entry;
    const faults: RepairKind[] = [];
    if ((high & L2_RESERVED_HIGH) !== 0 || (low & L2_RESERVED_LOW) !== 0) {
      faults.push('l2-reserved-bits');
    }
    const offset = entryOffset(high, low);
    const zero = (low & ZERO_LOW) !== 0 && !header.extendedL2;
    if (zero && header.version < 3) faults.push('zero-in-v2');
    if (header.hasDataFile) return { target: NONE, faults: [...faults, ...this.#external(entry)] };
    if (offset === 0) {
      if (header.extendedL2 && allocated !== 0) faults.push('subclusters-unallocated');
      return { target: NONE, faults };
    }
    if (header.extendedL2 && (zeros & allocated) !== 0) faults.push('subclusters-contradict');
    const holdsData = header.extendedL2 ? allocated !== 0 : !zero;
    if (!isAligned(offset, this.clusterSize)) {
      faults.push(holdsData ? 'data-unaligned' : 'zero-place');
      return { target: NONE, faults };
    }
    if (this.#isOutside(offset)) {
      faults.push(holdsData ? 'data-outside' : 'zero-place');
      return { target: NONE, faults };
    }
    return { target: { kind: 'data', offset }, faults };
  }

  #isOutside(offset: number): boolean {
    return offset >= this.fileSize && !this.#isNew(offset);
  }

  /** With an external data file nothing here leads into this file. */
  #external({ high, low, zeros, allocated }: EntryWords): RepairKind[] {
    if (!this.header.extendedL2) return [];
    if ((zeros & allocated) !== 0) return ['subclusters-contradict'];
    const has = entryOffset(high, low) !== 0 || (high & COPIED_HIGH) !== 0;
    return !has && allocated !== 0 ? ['subclusters-unallocated'] : [];
  }

  #compressed({ high, low, zeros, allocated }: EntryWords): Verdict {
    const faults: RepairKind[] = [];
    if ((high & COPIED_HIGH) !== 0) faults.push('compressed-copied');
    if ((zeros | allocated) !== 0) faults.push('compressed-bitmap');
    const offset = compressedOffset(this.layout, high, low);
    const length = compressedLength(this.layout, high, low);
    if (this.header.hasDataFile || this.#isOutside(offset)) {
      faults.push('compressed-unreadable');
      return { target: NONE, faults };
    }
    const reach = offset + length - this.fileSize;
    const overshoots = reach >= this.clusterSize && offset < this.fileSize;
    return { target: { kind: 'compressed', offset, length, overshoots }, faults };
  }

  /** Changes an entry as an action of that kind does. Whatever moves to another place is not here. */
  mend(entry: EntryWords, kind: RepairKind): void {
    switch (kind) {
      case 'l2-reserved-bits':
        entry.high = (entry.high & ~L2_RESERVED_HIGH) >>> 0;
        entry.low = (entry.low & ~L2_RESERVED_LOW) >>> 0;
        break;
      case 'zero-in-v2':
        entry.low = (entry.low & ~ZERO_LOW) >>> 0;
        break;
      case 'subclusters-unallocated':
        entry.allocated = 0;
        break;
      case 'subclusters-contradict':
        entry.zeros = (entry.zeros & ~entry.allocated) >>> 0;
        break;
      case 'compressed-copied':
        entry.high = (entry.high & ~COPIED_HIGH) >>> 0;
        break;
      case 'compressed-bitmap':
        entry.zeros = 0;
        entry.allocated = 0;
        break;
      case 'data-outside':
      case 'data-unaligned':
      case 'zero-place':
      case 'compressed-unreadable':
        this.#empty(entry);
        break;
      default:
    }
  }

  /** Zeros where there was data; what shows the backing image goes on to do so. */
  #empty(entry: EntryWords): void {
    const { extendedL2, version } = this.header;
    const wasCompressed = (entry.high & COMPRESSED_HIGH) !== 0;
    if (extendedL2) {
      entry.zeros = wasCompressed ? ALL : (entry.zeros | entry.allocated) >>> 0;
      entry.allocated = 0;
    }
    entry.high = 0;
    entry.low = extendedL2 || version < 3 ? 0 : ZERO_LOW;
  }
}
