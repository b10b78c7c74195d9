/**
 * Zeros in a new image that has another one below it: entries that say so where the version can,
 * written ones elsewhere. Which is which follows QEMU, so that the same calls make the same file.
 */
import { alignDown, alignUp } from '../../../binary/units.ts';
import { COPIED_HIGH, entryOffset, ZERO_LOW } from '../tables.ts';
import { SUBCLUSTERS, type Qcow2Writer } from './writer.ts';

const ALL = 0xffffffff;
/** Zeros that have to be written are written in pieces of at most this many bytes. */
const WRITTEN_AT_ONCE = 16 * 1024 * 1024;

export interface ZeroWriterOptions {
  /** Whether the tables of what is below say that a range is zeros; bytes, within the disk. */
  readonly isZeroBelow: (offset: number, length: number) => Promise<boolean>;
  /** Writes zeros as data. */
  readonly writeZeros: (offset: number, length: number) => Promise<void>;
}

export class ZeroWriter {
  readonly #writer: Qcow2Writer;
  readonly #options: ZeroWriterOptions;

  constructor(writer: Qcow2Writer, options: ZeroWriterOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Makes guest bytes read as zeros; whole sectors. Bytes. */
  async zero(offset: number, length: number): Promise<void> {
    const { unit } = this.#writer;
    const end = offset + length;
    const head = Math.min(end, alignUp(offset, unit));
    const tail = Math.max(head, alignDown(end, unit));
    if (offset < head) await this.#zeroPart(offset, head);
    if (head < tail) await this.#zeroUnits(head, tail);
    if (tail < end) await this.#zeroPart(tail, end);
  }

  /** Within one unit: the smallest part of a cluster that has an entry, or bits, of its own. */
  async #zeroPart(start: number, end: number): Promise<void> {
    const { unit, header } = this.#writer;
    const { size, version } = header.fields;
    if (version < 3) return this.#options.writeZeros(start, end - start);
    const first = alignDown(start, unit);
    const isWhole = start === first && (end === first + unit || end === size);
    const last = Math.min(first + unit, size);
    if (isWhole || (await this.#isZeroAround(first, start, end, last))) {
      await this.#zeroUnits(first, last);
    } else await this.#options.writeZeros(start, end - start);
  }

  /** Whether the rest of a unit reads as zeros without being written. */
  async #isZeroAround(first: number, start: number, end: number, last: number): Promise<boolean> {
    const { clusterSize, l2Entries, isExtended, unit } = this.#writer;
    const { words } = await this.#writer.tableFor(first);
    const at = (Math.floor(first / clusterSize) % l2Entries) * (isExtended ? 4 : 2);
    const [high, low] = [words[at] as number, words[at + 1] as number];
    if (isExtended) {
      const bit = 1 << Math.floor((first % clusterSize) / unit);
      if (((words[at + 2] as number) & bit) !== 0) return true;
      if (((words[at + 3] as number) & bit) !== 0) return false;
    } else if ((low & ZERO_LOW) !== 0) return true;
    else if (entryOffset(high, low) !== 0) return false;
    const { isZeroBelow } = this.#options;
    if (start > first && !(await isZeroBelow(first, start - first))) return false;
    return end >= last || (await isZeroBelow(end, last - end));
  }

  /** Whole units; the last one may be cut by the end of the disk. */
  async #zeroUnits(start: number, end: number): Promise<void> {
    if (this.#writer.header.fields.version < 3) {
      for (let at = start; at < end; at += WRITTEN_AT_ONCE) {
        await this.#options.writeZeros(at, Math.min(WRITTEN_AT_ONCE, end - at));
      }
      return;
    }
    const { clusterSize, l2Entries, header } = this.#writer;
    const coverage = clusterSize * l2Entries;
    for (let at = start; at < end;) {
      const table = await this.#writer.tableFor(at);
      const until = Math.min(end, (Math.floor(at / coverage) + 1) * coverage);
      while (at < until) {
        const base = alignDown(at, clusterSize);
        const to = Math.min(until, base + clusterSize);
        const isWhole = at === base && (to === base + clusterSize || to >= header.fields.size);
        const host = this.#zeroEntry(table.words, at, to, isWhole);
        if (host !== 0) await this.#writer.refcounts.change(host, clusterSize, -1);
        at = to;
      }
      table.dirty = true;
    }
  }

  /** Enters zeros for a part of one cluster; returns the host cluster that it no longer needs, or 0. */
  #zeroEntry(words: Uint32Array, start: number, end: number, isWhole: boolean): number {
    const { clusterSize, l2Entries, isExtended, unit } = this.#writer;
    const at = (Math.floor(start / clusterSize) % l2Entries) * (isExtended ? 4 : 2);
    const [high, low] = [words[at] as number, words[at + 1] as number];
    const isOwn = (high & COPIED_HIGH) !== 0;
    const host = isWhole && isOwn ? entryOffset(high, low) : 0;
    if (isWhole) {
      words[at] = 0;
      words[at + 1] = isExtended ? 0 : ZERO_LOW;
      if (isExtended) [words[at + 2], words[at + 3]] = [ALL, 0];
      return host;
    }
    const first = Math.floor((start % clusterSize) / unit);
    const count = Math.ceil((end - start) / unit);
    const mask = count >= SUBCLUSTERS ? ALL : (2 ** count - 1) * 2 ** first;
    words[at + 2] = ((words[at + 2] as number) | mask) >>> 0;
    words[at + 3] = ((words[at + 3] as number) & ~mask) >>> 0;
    return 0;
  }
}
