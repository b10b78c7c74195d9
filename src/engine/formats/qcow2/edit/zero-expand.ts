/**
 * Clusters that read as zeros, for version 2, which cannot say so: they become clusters of zeros, or
 * none at all where nothing lies below. Specification: «Cluster mapping».
 */
import { isAligned } from '../../../binary/units.ts';
import { ImageError, throwIfCancelled } from '../../../errors.ts';
import { fillWithZeros } from '../../../storage/fill.ts';
import { readPadded } from '../../../storage/storage.ts';
import { checkSnapshotL1 } from '../snapshots.ts';
import type { Qcow2Image } from '../image.ts';
import {
  COMPRESSED_HIGH,
  COPIED_HIGH,
  entryOffset,
  readTable,
  ZERO_LOW,
  type Table,
} from '../tables.ts';
import type { Steps } from './refcount-width.ts';
import type { Qcow2Writer } from './writer.ts';
import { entryHigh, entryLow, wordsToBytes } from './words.ts';

/** Clusters are looked at for zeros in pieces of this many bytes. */
const LOOK_BYTES = 1024 * 1024;

/**
 * Takes zero clusters out of the active tables and those of all snapshots. The writer has to be
 * flushed, and no L2 table to be in it.
 * @returns whether there are packed clusters
 * @throws ImageError l2-damaged, unreadable-cluster, cancelled, those of reading and writing
 */
export async function expandZeroClusters(
  image: Qcow2Image,
  writer: Qcow2Writer,
  steps: Steps,
  signal?: AbortSignal,
): Promise<boolean> {
  const expansion = new Expansion(image, writer, signal);
  const { snapshots } = image;
  const total = snapshots.reduce((sum, { l1Size }) => sum + l1Size, image.header.l1Size);
  let done = 0;
  const step = () => {
    steps(++done, total);
  };
  await expansion.expand(writer.l1, step);
  for (const snapshot of snapshots) {
    checkSnapshotL1(snapshot, image.header);
    const l1 = await readTable(writer.storage, snapshot.l1TableOffset, snapshot.l1Size);
    await expansion.expand(l1, step);
  }
  return expansion.foundPacked;
}

class Expansion {
  foundPacked = false;
  readonly #writer: Qcow2Writer;
  readonly #hasBacking: boolean;
  readonly #signal: AbortSignal | undefined;
  /** L2 tables that are done: several L1 tables may share one. */
  readonly #seen = new Set<number>();

  constructor(image: Qcow2Image, writer: Qcow2Writer, signal: AbortSignal | undefined) {
    this.#writer = writer;
    this.#hasBacking = image.backing !== undefined || image.backingMissing;
    this.#signal = signal;
  }

  async expand(l1: Table, step: () => void): Promise<void> {
    const { clusterSize, storage, refcounts } = this.#writer;
    for (let at = 0; at < l1.length; at += 2) {
      const offset = entryOffset(l1[at] as number, l1[at + 1] as number);
      if (offset !== 0 && !this.#seen.has(offset)) {
        throwIfCancelled(this.#signal);
        if (!isAligned(offset, clusterSize) || offset >= storage.size) {
          throw new ImageError('l2-damaged', { index: at / 2, offset });
        }
        this.#seen.add(offset);
        const words = await readTable(storage, offset, clusterSize / 8);
        const users = await refcounts.get(offset / clusterSize);
        if (await this.#expandTable(words, users)) {
          await storage.write(offset, wordsToBytes(words));
        }
      }
      step();
    }
  }

  /** @param users of the table. Returns whether it changed. */
  async #expandTable(words: Table, users: number): Promise<boolean> {
    const { clusterSize } = this.#writer;
    const found: number[] = [];
    const placed: number[] = [];
    for (let at = 0; at < words.length; at += 2) {
      const [high, low] = [words[at] as number, words[at + 1] as number];
      if ((high & COMPRESSED_HIGH) !== 0) this.foundPacked = true;
      else if ((low & ZERO_LOW) !== 0) {
        found.push(at);
        const host = entryOffset(high, low);
        if (!isAligned(host, clusterSize)) {
          const where = { guestOffset: 0, hostOffset: host, length: clusterSize };
          throw new ImageError('unreadable-cluster', { ...where, reason: 'data-unaligned' });
        }
        if (host !== 0) placed.push(at);
      }
    }
    if (found.length === 0) return false;
    const own = await this.#ownOf(words, placed, users);
    await this.#fill(words, own);
    const isOwn = new Set(own);
    for (const at of found) {
      const host = entryOffset(words[at] as number, words[at + 1] as number);
      const flag = users === 1 ? COPIED_HIGH : 0;
      if (isOwn.has(at)) this.#put(words, at, host, flag);
      else {
        if (host !== 0) await this.#drop(host, users);
        if (this.#hasBacking) this.#put(words, at, await this.#allocate(users), flag);
        else this.#put(words, at, 0, 0);
      }
    }
    return true;
  }

  #put(words: Table, at: number, host: number, flag: number): void {
    words[at] = (flag | entryHigh(host)) >>> 0;
    words[at + 1] = entryLow(host);
  }

  /**
   * Entries whose clusters nobody else uses: what a snapshot still has as data must not become
   * zeros.
   */
  async #ownOf(words: Table, placed: readonly number[], users: number): Promise<number[]> {
    const { clusterSize, refcounts } = this.#writer;
    const own: number[] = [];
    const clusters = Float64Array.from(
      placed,
      (at) => entryOffset(words[at] as number, words[at + 1] as number) / clusterSize,
    );
    await refcounts.visit(clusters, (block, entry, index) => {
      if (block?.get(entry) === users) own.push(placed[index] as number);
    });
    return own;
  }

  /** Makes clusters zeros that only had to read as such. Those that are already stay holes. */
  async #fill(words: Table, entries: readonly number[]): Promise<void> {
    const { clusterSize } = this.#writer;
    const hosts = Float64Array.from(entries, (at) =>
      entryOffset(words[at] as number, words[at + 1] as number),
    ).sort();
    for (let first = 0; first < hosts.length;) {
      const start = hosts[first] as number;
      let end = first + 1;
      while (end < hosts.length && hosts[end] === start + (end - first) * clusterSize) end++;
      await this.#fillRange(start, (end - first) * clusterSize);
      first = end;
    }
  }

  async #fillRange(offset: number, length: number): Promise<void> {
    const { storage } = this.#writer;
    const end = Math.min(offset + length, storage.size);
    for (let at = offset; at < end; at += LOOK_BYTES) {
      const count = Math.min(LOOK_BYTES, end - at);
      const bytes = await readPadded(storage, at, count);
      if (bytes.some((byte) => byte !== 0)) await storage.write(at, new Uint8Array(count));
    }
    if (offset + length > storage.size) await storage.resize(offset + length);
  }

  async #drop(host: number, users: number): Promise<void> {
    const { refcounts, clusterSize } = this.#writer;
    for (let i = 0; i < users; i++) await refcounts.change(host, clusterSize, -1);
  }

  /** A cluster of zeros with as many users as the table. */
  async #allocate(users: number): Promise<number> {
    const { refcounts, clusterSize, storage } = this.#writer;
    const host = await refcounts.allocate(1);
    for (let i = 1; i < users; i++) await refcounts.change(host, clusterSize, 1);
    await fillWithZeros(storage, host, clusterSize);
    return host;
  }
}
