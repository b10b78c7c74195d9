/**
 * Copying a fragmented stretch of a disk into a new qcow2 image. The clusters of the image get their
 * places in guest order from the tables alone; the content comes in the order of the source's file,
 * and each piece is written to its place. Clusters that turn out to hold zeros give theirs back.
 */
import { alignDown, alignUp } from '../binary/units.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import type { L2Table } from '../formats/table-editor.ts';
import { entryOffset } from '../formats/qcow2/tables.ts';
import type { Qcow2Writer } from '../formats/qcow2/edit/writer.ts';
import { writtenParts } from './convert-chunks.ts';
import { byFile, type Scattered } from './file-order.ts';
import { Transfer, type TransferOptions } from './transfer.ts';
import { yieldToEvents } from './yield.ts';

/** Clusters that are given back together. */
const GIVEN_BACK_AT_ONCE = 64 * 1024;
/** Clusters of one stretch, at most: of each, a bit is kept. */
const MOST_CLUSTERS = 2 ** 27;

export interface ScatteredOptions extends TransferOptions {
  /** Zero runs of at least this many bytes are left out: a multiple of 512, not 0. */
  sparse: number;
  /** Where the source begins on the disk of the image, bytes. */
  start: number;
}

/**
 * Whether an image takes its clusters in another order than that of their content: not where
 * each is encrypted as a whole, nor where its place was decided before.
 */
export function takesAnyOrder({ header, cipher, hasDataFile, below }: Qcow2Writer): boolean {
  const isPlain = cipher === undefined && header.fields.cryptMethod === 0;
  return isPlain && !hasDataFile && below === undefined;
}

/** Whether a stretch is so small that its clusters can be kept account of. */
export function isFew(writer: Qcow2Writer, { store, length }: Scattered): boolean {
  return length / writer.clusterSize + 2 * store.length <= MOST_CLUSTERS;
}

/** Copies a stretch; nothing else may be placed in the image meanwhile. */
export async function copyScattered(
  writer: Qcow2Writer,
  { store, others }: Scattered,
  options: ScatteredOptions,
): Promise<void> {
  const { start, sparse, signal } = options;
  const places = await placesOf(writer, store, start);
  const transfer = new Transfer((offset, bytes) => {
    return writeParts(writer, places, start + offset, bytes, sparse);
  }, options);
  // What nobody knows ends the work, or is lost.
  await transfer.add(others.filter(({ kind, unknown }) => kind === 'invalid' || unknown));
  for (const batch of byFile(store)) {
    throwIfCancelled(signal);
    await transfer.add(batch);
    await yieldToEvents(signal);
  }
  await transfer.end();
  await giveBack(writer, places, signal);
  const end = places.fileEnd();
  if (writer.data.size < end) await writer.data.resize(end);
}

async function writeParts(
  { data }: Qcow2Writer,
  places: Places,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
  sparse: number,
): Promise<void> {
  for (const { start, end } of writtenParts(bytes, offset, sparse)) {
    for (let at = start; at < end;) {
      const { host, length } = places.take(offset + at, end - at);
      await data.write(host, bytes.subarray(at, at + length));
      at += length;
    }
  }
}

/** Gives clusters to all that the runs touch. */
async function placesOf(
  writer: Qcow2Writer,
  store: Scattered['store'],
  start: number,
): Promise<Places> {
  const { clusterSize } = writer;
  const places = new Places(clusterSize);
  let from = -1;
  let to = 0;
  const place = async (): Promise<void> => {
    if (from < 0) return;
    // What came before may have written into the first cluster: that is there whatever follows.
    const isOld = await isThere(writer, from);
    for (const { guestOffset, hostOffset, length } of await writer.place(from, to - from)) {
      places.add(guestOffset, hostOffset, length);
    }
    if (isOld) places.take(from, clusterSize);
  };
  for (const { offset, length } of store.ranges()) {
    const first = alignDown(start + offset, clusterSize);
    const end = alignUp(start + offset + length, clusterSize);
    if (from >= 0 && first <= to) {
      to = Math.max(to, end);
      continue;
    }
    await place();
    from = first;
    to = end;
  }
  await place();
  return places;
}

async function isThere(writer: Qcow2Writer, offset: number): Promise<boolean> {
  if (!writer.hasTable(offset)) return false;
  const { words } = await writer.tableFor(offset);
  const at = entryAt(writer, offset);
  return entryOffset(words[at] as number, words[at + 1] as number) !== 0;
}

/** Index of the first word of a cluster's entry in its table. */
function entryAt({ clusterSize, l2Entries, isExtended }: Qcow2Writer, offset: number): number {
  return (Math.floor(offset / clusterSize) % l2Entries) * (isExtended ? 4 : 2);
}

/** Clusters into which nothing was written become what they were: nothing. */
async function giveBack(
  writer: Qcow2Writer,
  places: Places,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { clusterSize, isExtended } = writer;
  let clusters: number[] = [];
  const free = async (): Promise<void> => {
    await writer.refcounts.changeMany(Float64Array.from(clusters), -1);
    clusters = [];
    throwIfCancelled(signal);
    await yieldToEvents(signal);
  };
  const coverage = clusterSize * writer.l2Entries;
  let table: L2Table | undefined;
  let tableEnd = 0;
  for (const { guest, host } of places.untaken()) {
    if (table === undefined || guest >= tableEnd) {
      table = await writer.tableFor(guest);
      tableEnd = alignDown(guest, coverage) + coverage;
    }
    const at = entryAt(writer, guest);
    table.words.fill(0, at, at + (isExtended ? 4 : 2));
    table.dirty = true;
    if (clusters.push(host / clusterSize) >= GIVEN_BACK_AT_ONCE) await free();
  }
  if (clusters.length > 0) await free();
}

/** Where clusters of a new image are, and into which of them something was written. Bytes. */
class Places {
  readonly #clusterSize: number;
  /** Of each run: where it begins on the disk, where in the file, and the clusters before it. */
  readonly #guests: number[] = [];
  readonly #hosts: number[] = [];
  readonly #before: number[] = [];
  #clusters = 0;
  #taken: Uint8Array | undefined;
  #fileEnd = 0;

  constructor(clusterSize: number) {
    this.#clusterSize = clusterSize;
  }

  /** Behind all clusters that were taken, bytes of the file. */
  fileEnd(): number {
    return this.#fileEnd;
  }

  /** Whole clusters, in guest order. */
  add(guest: number, host: number, length: number): void {
    const last = this.#guests.length - 1;
    const skip = guest - (this.#guests[last] ?? 0);
    const before = (this.#clusters - (this.#before[last] ?? 0)) * this.#clusterSize;
    const follows = last >= 0 && skip === before && (this.#hosts[last] ?? 0) + skip === host;
    if (!follows) {
      this.#guests.push(guest);
      this.#hosts.push(host);
      this.#before.push(this.#clusters);
    }
    this.#clusters += length / this.#clusterSize;
  }

  /** Where guest bytes go that are about to be written: all of them, or those of one run. */
  take(guest: number, most: number): { host: number; length: number } {
    const size = this.#clusterSize;
    const run = this.#runOf(guest);
    const skip = guest - (this.#guests[run] ?? 0);
    const before = this.#before[run] ?? 0;
    const clusters = (this.#before[run + 1] ?? this.#clusters) - before;
    const length = Math.min(most, clusters * size - skip);
    if (skip < 0 || length <= 0)
      throw new ImageError('internal', { reason: 'bytes without a place' });
    const host = (this.#hosts[run] ?? 0) + skip;
    const taken = (this.#taken ??= new Uint8Array(Math.ceil(this.#clusters / 8)));
    const last = before + Math.floor((skip + length - 1) / size);
    for (let at = before + Math.floor(skip / size); at <= last; at++) {
      taken[at >>> 3] = (taken[at >>> 3] ?? 0) | (1 << (at & 7));
    }
    this.#fileEnd = Math.max(this.#fileEnd, alignUp(host + length, size));
    return { host, length };
  }

  /** The clusters that nobody took. */
  *untaken(): Generator<{ guest: number; host: number }, undefined> {
    for (let run = 0; run < this.#guests.length; run++) {
      const before = this.#before[run] ?? 0;
      const end = this.#before[run + 1] ?? this.#clusters;
      for (let at = before; at < end; at++) {
        const bits = this.#taken?.[at >>> 3] ?? 0;
        if (((bits >>> (at & 7)) & 1) === 1) continue;
        const skip = (at - before) * this.#clusterSize;
        yield { guest: (this.#guests[run] ?? 0) + skip, host: (this.#hosts[run] ?? 0) + skip };
      }
    }
    return undefined;
  }

  /** Index of the run that holds a guest offset. */
  #runOf(guest: number): number {
    let low = 0;
    let high = this.#guests.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#guests[middle] ?? 0) <= guest) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
