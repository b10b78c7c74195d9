/**
 * Counting every reference of an image: what each cluster's refcount should be. The order and the
 * counting are those of qemu-img, because its messages are compared line by line.
 */
import { hex64, isAligned } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import type { Finding, FindingKind } from '../../../operations/finding.ts';
import { compressedLayout, compressedLength, compressedOffset } from '../mapping.ts';
import {
  COMPRESSED_HIGH,
  COPIED_HIGH,
  entryOffset,
  OFFSET_HIGH,
  readTable,
  ZERO_LOW,
  type Table,
} from '../tables.ts';
import type { CheckContext } from './context.ts';
import type { RefcountBlocks } from './blocks.ts';
import { sharedTables, type SharedTables } from './shared.ts';
import { snapshotFault, walkL2, type L2Visit } from './walk.ts';

/** Bits 56 to 62 and 0 to 8 of an L1 entry must be zero. */
const L1_RESERVED_HIGH = 0x7f000000;
const L1_RESERVED_LOW = 0x1ff;
/** Bits 56 to 61 and 1 to 8 of a standard L2 entry must be zero. */
const L2_RESERVED_HIGH = 0x3f000000;
const L2_RESERVED_LOW = 0x1fe;
/** Entries of L2 tables that one L1 table may lead to beyond what the file has tables for. */
const MOST_REPEATED = 2 ** 29;

/** Counts what the active L1 table and the snapshots lead to. */
export class ReferenceWalk {
  readonly #context: CheckContext;
  readonly #blocks: RefcountBlocks;
  /** Not 0 for L1 indexes whose COPIED flags, or those of their tables, disagree with refcounts. */
  readonly suspects: Uint8Array;
  /** Whether tables that several trees share may be gone through once for all of them. */
  #shares = true;

  constructor(context: CheckContext, blocks: RefcountBlocks) {
    this.#context = context;
    this.#blocks = blocks;
    this.suspects = new Uint8Array(context.image.header.l1Size);
  }

  /** Header, active L1 table, snapshots: everything that leads to guest data. */
  async run(): Promise<void> {
    const { image, clusterSize } = this.#context;
    const { header } = image;
    if (this.#shares && (await this.#runShared())) return;
    this.#shares = false;
    this.#context.reference(0, clusterSize);
    await this.#tree(header.l1TableOffset, image.l1, true);
    if (header.hasDataFile && image.snapshots.length > 0) {
      this.#note('snapshots-with-data-file', { count: image.snapshots.length });
    }
    for (const snapshot of image.snapshots) {
      const fault = snapshotFault(image, snapshot);
      const { id, name, l1TableOffset, l1TableOffsetText, l1Size } = snapshot;
      if (fault !== undefined) {
        const values = { id, name, offset: l1TableOffsetText, size: l1Size.toString(16) };
        this.#note(fault, values);
        continue;
      }
      if (l1Size === 0) continue;
      const l1 = await readTable(image.storage, l1TableOffset, l1Size);
      await this.#tree(l1TableOffset, l1, false);
    }
    this.#context.reference(header.snapshotsOffset, image.snapshotTable.size);
  }

  /**
   * The same for an image about which there is nothing to be said: each table is gone through
   * once. False: nothing was done, as there is something, or nothing is shared.
   */
  async #runShared(): Promise<boolean> {
    const context = this.#context;
    const { image, clusterSize } = context;
    const { header, snapshots } = image;
    const tables = await sharedTables(image);
    if (tables === undefined) return false;
    return context.trial(async () => {
      context.reference(0, clusterSize);
      context.reference(header.l1TableOffset, image.l1.length * 4);
      for (const { l1TableOffset, l1Size } of snapshots) {
        context.reference(l1TableOffset, l1Size * 8);
      }
      context.reference(header.snapshotsOffset, image.snapshotTable.size);
      await this.#sharedTables(tables);
    });
  }

  async #sharedTables({ entries, indexes, times, active }: SharedTables): Promise<void> {
    const context = this.#context;
    const { clusterSize, image } = context;
    context.expect((entries.length / 2) * clusterSize);
    for await (const batch of walkL2(image, entries)) {
      for (const visit of batch) {
        const number = visit.index;
        context.times = times[number] as number;
        this.#enter({ ...visit, index: indexes[number] as number }, number < active);
      }
      await context.passed(batch.length * clusterSize);
    }
  }

  async #tree(offset: number, l1: Table, active: boolean): Promise<void> {
    if (l1.length === 0) return;
    this.#context.reference(offset, l1.length * 4);
    const { clusterSize, fileSize, image } = this.#context;
    this.#context.expect(countEntries(l1) * clusterSize);
    // No sound tree has more tables than the file has clusters: somebody wants us to hang.
    const most = Math.max(fileSize / clusterSize, MOST_REPEATED / image.header.l2Entries);
    let tables = 0;
    for await (const batch of walkL2(image, l1)) {
      for (const visit of batch) {
        if (visit.bytes !== undefined) tables += 1;
        if (tables > most) {
          const value = String(tables);
          throw new ImageError('too-large', { what: 'repeated L2 tables', value, limit: most });
        }
        this.#enter(visit, active);
      }
      await this.#context.passed(batch.length * clusterSize);
    }
  }

  #enter(visit: L2Visit, active: boolean): void {
    const { clusterSize, image } = this.#context;
    const { high, low, offset, index } = visit;
    const base = index * image.header.l2Coverage;
    const guest = { offset: base, length: image.header.l2Coverage };
    if ((high & L1_RESERVED_HIGH) !== 0 || (low & L1_RESERVED_LOW) !== 0) {
      const values = { entry: hex64(high, low) };
      this.#note('l1-reserved-bits', values, { offset, length: clusterSize }, guest);
    }
    this.#context.reference(offset, clusterSize, guest);
    if (!isAligned(offset, clusterSize)) {
      const values = { offset: offset.toString(16) };
      this.#note('l2-unaligned', values, { offset, length: clusterSize }, guest);
    }
    if (active && offset !== 0) this.#compareCopied(index, high, offset);
    if (visit.bytes !== undefined) this.#table(visit.bytes, index, base, active);
  }

  /**
   * Counts what an L2 table leads to. Ordinary data clusters, millions of them, are counted right
   * here with 32-bit arithmetic, neighbours together; everything else goes the long way.
   */
  #table(bytes: Uint8Array, index: number, base: number, active: boolean): void {
    const { image, clusterSize, counts, report, times } = this.#context;
    const { header } = image;
    const { clusterBits } = header;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const step = header.extendedL2 ? 16 : 8;
    const plain = !header.extendedL2 && !header.hasDataFile;
    // Low bits that an ordinary entry has not: reserved, zero flag, misalignment.
    const lowMask = clusterSize - 1;
    // Above this a cluster index would not fit 31 bits.
    const highLimit = 2 ** (clusterBits - 1);
    const blocks = this.#blocks;
    // QEMU starts each table anew: its first cluster is never called fragmented.
    let expected = -1;
    let allocated = 0;
    let fragmented = 0;
    let suspect = false;
    // Behind the run of neighbours that was looked at last.
    let end = 0;
    for (let at = 0; at < bytes.length; at += step) {
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      if (plain && (high & 0x7f000000) === 0 && (low & lowMask) === 0) {
        const upper = high & OFFSET_HIGH;
        const cluster =
          upper < highLimit ? (upper << (32 - clusterBits)) | (low >>> clusterBits) : 0;
        if (cluster === 0 && (upper | low) === 0) continue;
        // What is left of a run that went wrong is not looked through again for each of its entries.
        if (end <= at) {
          const goesOn = at + 8 < bytes.length && view.getUint32(at + 12) === low + clusterSize;
          end = goesOn ? endOfRun(view, at, clusterSize) : at + 8;
        }
        if (cluster > 0 && end === at + 8) {
          if (counts.addInside(cluster, times)) {
            allocated += 1;
            if (expected >= 0 && cluster !== expected) fragmented += 1;
            expected = cluster + 1;
            if (blocks.disagrees(cluster, high >= 0x80000000)) suspect = true;
            continue;
          }
        } else if (cluster > 0) {
          const length = counts.addRun(cluster, (end - at) / 8, times);
          if (length > 0) {
            allocated += length;
            if (expected >= 0 && cluster !== expected) fragmented += 1;
            expected = cluster + length;
            if (blocks.disagreesRun(cluster, length, high >= 0x80000000)) suspect = true;
            at += (length - 1) * 8;
            continue;
          }
        }
      }
      const guest = base + (at / step) * clusterSize;
      const zeros = step === 16 ? view.getUint32(at + 8) : 0;
      const bits = step === 16 ? view.getUint32(at + 12) : 0;
      const kept = this.#entry(high, low, zeros, bits, guest, active);
      if (kept === undefined) continue;
      allocated += 1;
      const cluster = kept / clusterSize;
      if (expected >= 0 && cluster !== expected) fragmented += 1;
      expected = cluster + 1;
      if (active && !header.hasDataFile) this.#compareCopied(index, high, kept);
      else if (active && (high & COPIED_HIGH) === 0) suspect = true;
    }
    if (!active || this.#context.repeats) {
      if (active && suspect) this.suspects[index] = 1;
      return;
    }
    report.allocatedClusters += allocated;
    report.fragmentedClusters += fragmented;
    if (suspect) this.suspects[index] = 1;
  }

  /** The rare entries. Returns the host offset of a cluster that keeps its place in the file. */
  #entry(
    high: number,
    low: number,
    zeros: number,
    allocated: number,
    guestOffset: number,
    active: boolean,
  ): number | undefined {
    const { image, clusterSize } = this.#context;
    const { header } = image;
    const guest = { offset: guestOffset, length: clusterSize };
    if ((high & COMPRESSED_HIGH) !== 0) {
      this.#compressed(high, low, (zeros | allocated) !== 0, guest, active);
      return undefined;
    }
    const offset = entryOffset(high, low);
    const host = { offset, length: clusterSize };
    if ((high & L2_RESERVED_HIGH) !== 0 || (low & L2_RESERVED_LOW) !== 0) {
      this.#note('l2-reserved-bits', { entry: hex64(high, low) }, host, guest);
    }
    const zero = (low & ZERO_LOW) !== 0 && !header.extendedL2;
    if (zero && header.version < 3) this.#note('zero-in-v2', {}, host, guest);
    if (offset === 0 && !(header.hasDataFile && !zero && (high & COPIED_HIGH) !== 0)) {
      if (!zero && allocated !== 0) this.#note('subclusters-unallocated', {}, undefined, guest);
      return undefined;
    }
    return this.#standard(offset, zero, zeros, allocated, guest);
  }

  #standard(
    offset: number,
    zero: boolean,
    zeros: number,
    allocated: number,
    guest: { offset: number; length: number },
  ): number | undefined {
    const { image, clusterSize } = this.#context;
    const { header } = image;
    const host = { offset, length: clusterSize };
    if ((zeros & allocated) !== 0) {
      this.#note('subclusters-contradict', { offset: offset.toString(16) }, host, guest);
    }
    if (!isAligned(offset, clusterSize)) {
      const holdsData = header.extendedL2 ? allocated !== 0 : !zero;
      const kind = holdsData ? 'data-unaligned' : 'zero-unaligned';
      this.#note(kind, { offset: offset.toString(16) }, host, guest);
    }
    if (!header.hasDataFile) this.#context.reference(offset, clusterSize, guest);
    return offset;
  }

  #compressed(
    high: number,
    low: number,
    hasBitmap: boolean,
    guest: { offset: number; length: number },
    active: boolean,
  ): void {
    const { image, clusterSize, report } = this.#context;
    const layout = compressedLayout(image.header.clusterBits);
    const offset = compressedOffset(layout, high, low);
    const length = compressedLength(layout, high, low);
    const offsetText = hex64(high & layout.offsetMask, low);
    const host = { offset, length };
    if ((high & COPIED_HIGH) !== 0) {
      this.#note('compressed-copied', { offset: offsetText }, host, guest);
    }
    const entry = hex64(high & ~COPIED_HIGH, low);
    const index = Math.floor(guest.offset / clusterSize) % image.header.l2Entries;
    if (image.header.hasDataFile) {
      this.#note('compressed-data-file', { index, entry }, host, guest);
      return;
    }
    if (hasBitmap) {
      this.#note('compressed-subclusters', { index, entry }, host, guest);
      return;
    }
    this.#context.reference(offset, length, guest, offsetText);
    if (!active || this.#context.repeats) return;
    report.allocatedClusters += 1;
    report.compressedClusters += 1;
    report.fragmentedClusters += 1;
  }

  /** Notes that a COPIED flag may be wrong: the refcount says otherwise, or is not at hand. */
  #compareCopied(index: number, high: number, offset: number): void {
    const { clusterSize, fileSize } = this.#context;
    const cluster = Math.floor(offset / clusterSize);
    const copied = (high & COPIED_HIGH) !== 0;
    const isSuspect =
      cluster < fileSize / clusterSize
        ? this.#blocks.disagrees(cluster, copied)
        : !this.#blocks.isPrepared(cluster) || (this.#blocks.get(cluster) === 1) !== copied;
    if (isSuspect) this.suspects[index] = 1;
  }

  #note(
    kind: FindingKind,
    values: Finding['values'],
    host?: Finding['host'],
    guest?: Finding['guest'],
  ): void {
    this.#context.note(kind, kind === 'zero-in-v2' ? 'notice' : 'corruption', () => ({
      ...(host === undefined ? {} : { host }),
      ...(guest === undefined ? {} : { guest }),
      values,
      repair: REPAIRS[kind] ?? 'none',
    }));
  }
}

/** How sure the repair of a table entry is, where it loses nothing that could be read. */
const REPAIRS: Partial<Record<FindingKind, Finding['repair']>> = {
  'l1-reserved-bits': 'safe',
  'l2-reserved-bits': 'safe',
  'zero-unaligned': 'safe',
  'compressed-copied': 'safe',
  'compressed-subclusters': 'safe',
  'zero-in-v2': 'guess',
  'subclusters-contradict': 'guess',
};

function countEntries(l1: Table): number {
  let entries = 0;
  for (let i = 0; i < l1.length; i += 2) {
    if (((l1[i] as number) | (l1[i + 1] as number)) !== 0) entries += 1;
  }
  return entries;
}

/** Behind the entries, from `at` on, each of which leads to the cluster after the one before. */
function endOfRun(view: DataView, at: number, clusterSize: number): number {
  const high = view.getUint32(at);
  let low = view.getUint32(at + 4) + clusterSize;
  let end = at + 8;
  while (end < view.byteLength && view.getUint32(end + 4) === low && view.getUint32(end) === high) {
    end += 8;
    low += clusterSize;
  }
  return end;
}
