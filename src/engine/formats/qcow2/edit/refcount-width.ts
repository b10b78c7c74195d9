/**
 * Refcounts of another width. Specification: «Host cluster management». The new structure is counted
 * by the old one first, until nothing is missing, and then takes its place.
 */
import { alignUp, divideRoundUp } from '../../../binary/units.ts';
import { ImageError, throwIfCancelled } from '../../../errors.ts';
import { LIMITS } from '../layout.ts';
import { maxRefcount } from '../refcounts.ts';
import { serializeHeader } from './header-writer.ts';
import { RefcountBlockEditor } from './refcount-block.ts';
import { RefcountEditor } from './refcount-editor.ts';
import type { Qcow2Writer } from './writer.ts';

/** How far it is, of something that may grow. */
export type Steps = (done: number, total: number) => void;

/** Bytes of a table entry. */
const ENTRY = 8;

/**
 * Gives the refcounts of an image another width. The writer is flushed and has to be opened anew
 * after it.
 * @param bits 1 to 64, a power of two
 * @throws ImageError refcount-width where a refcount does not fit; too-large
 */
export async function changeRefcountWidth(
  writer: Qcow2Writer,
  bits: number,
  steps: Steps,
  signal?: AbortSignal,
): Promise<void> {
  const width = new WidthChange(writer, bits, steps, signal);
  await width.allocate();
  await writer.flush();
  await width.write();
  await width.replace();
}

class WidthChange {
  readonly #writer: Qcow2Writer;
  readonly #bits: number;
  readonly #steps: Steps;
  readonly #signal: AbortSignal | undefined;
  /** Clusters that a new block counts. */
  readonly #blockEntries: number;
  /** Offsets of the new blocks, bytes; 0 where there is none. */
  #table: Float64Array<ArrayBuffer> = new Float64Array(0);
  #tableOffset = 0;
  #walks = 0;

  constructor(writer: Qcow2Writer, bits: number, steps: Steps, signal: AbortSignal | undefined) {
    this.#writer = writer;
    this.#bits = bits;
    this.#steps = steps;
    this.#signal = signal;
    this.#blockEntries = (writer.clusterSize * 8) / bits;
  }

  /** Takes clusters for the new blocks and the new table, which have to be counted themselves. */
  async allocate(): Promise<void> {
    const { refcounts, clusterSize } = this.#writer;
    for (let isNew = true; isNew;) {
      isNew = false;
      let taken = 0;
      const before = this.#table.length;
      const total = Math.max(this.#walks + 2, 3);
      await this.#walk(total, async (index, counts) => {
        this.#check(counts, index);
        if (counts.every((count) => count === 0)) return;
        if (index >= this.#table.length) this.#grow(index);
        if (this.#table[index] !== 0) return;
        this.#table[index] = await refcounts.allocate(1);
        taken++;
      });
      if (taken === 0) continue;
      isNew = true;
      if (this.#tableOffset !== 0) {
        await refcounts.change(this.#tableOffset, before * ENTRY, -1);
      }
      const clusters = divideRoundUp(this.#table.length * ENTRY, clusterSize);
      this.#tableOffset = await refcounts.allocate(clusters);
    }
  }

  #grow(index: number): void {
    const entries = alignUp(index + 1, this.#writer.clusterSize / ENTRY);
    const limit = LIMITS.refcountTableBytes;
    if (entries * ENTRY > limit) {
      throw new ImageError('too-large', {
        ...{ what: 'refcount table', limit },
        value: String(entries * ENTRY),
      });
    }
    const table = new Float64Array(entries);
    table.set(this.#table);
    this.#table = table;
  }

  /** @throws ImageError refcount-width */
  #check(counts: Float64Array, index: number): void {
    const most = maxRefcount(this.#bits);
    const at = counts.findIndex((count) => count > most);
    if (at < 0) return;
    const offset = (index * this.#blockEntries + at) * this.#writer.clusterSize;
    throw new ImageError('refcount-width', {
      ...{ bits: this.#bits, offset },
      count: counts[at] as number,
    });
  }

  /** Writes the new blocks. */
  async write(): Promise<void> {
    const { storage, clusterSize } = this.#writer;
    await this.#walk(this.#walks + 1, async (index, counts) => {
      const offset = this.#table[index] ?? 0;
      if (offset === 0) return;
      const block = new RefcountBlockEditor(offset, new Uint8Array(clusterSize), this.#bits);
      for (let entry = 0; entry < counts.length; entry++) {
        const count = counts[entry] as number;
        if (count !== 0) block.set(entry, count);
      }
      await storage.write(offset, block.bytes);
    });
  }

  /** Puts the new structure in the place of the old one, and frees that. */
  async replace(): Promise<void> {
    const { header, refcounts, storage, clusterSize } = this.#writer;
    const old = { ...refcounts.layout, blocks: refcounts.blockOffsets() };
    const layout = {
      ...{ clusterSize, refcountBits: this.#bits, tableOffset: this.#tableOffset },
      tableClusters: divideRoundUp(this.#table.length * ENTRY, clusterSize),
    };
    const next = new RefcountEditor(storage, layout, this.#table, true);
    for (const offset of old.blocks) await next.change(offset, clusterSize, -1);
    await next.change(old.tableOffset, old.tableClusters * clusterSize, -1);
    await next.flush();
    header.fields.refcountOrder = Math.log2(this.#bits);
    header.fields.refcountTableOffset = next.layout.tableOffset;
    header.fields.refcountTableClusters = next.layout.tableClusters;
    await storage.write(0, serializeHeader(header));
  }

  /** Calls `look` for each new block with the refcounts that it is to hold. */
  async #walk(
    total: number,
    look: (index: number, counts: Float64Array) => Promise<void>,
  ): Promise<void> {
    const { refcounts } = this.#writer;
    const walk = this.#walks++;
    const counts = new Float64Array(this.#blockEntries);
    const { tableEntries, blockEntries } = refcounts;
    let next = 0;
    for (let index = 0; index < tableEntries; index++) {
      if (index % 64 === 0) throwIfCancelled(this.#signal);
      this.#steps(walk * tableEntries + index, total * tableEntries);
      if (!refcounts.hasBlock(index)) continue;
      const end = Math.ceil(((index + 1) * blockEntries) / this.#blockEntries);
      next = Math.max(next, Math.floor((index * blockEntries) / this.#blockEntries));
      for (; next < end; next++) {
        await refcounts.readCounts(next * this.#blockEntries, counts);
        await look(next, counts);
      }
    }
    this.#steps((walk + 1) * tableEntries, total * tableEntries);
  }
}
