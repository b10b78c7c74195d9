/**
 * Rebuilding a header of which nothing, or nothing sensible, is left. Where the tables are is found
 * by what they say of each other; of what they cannot say (the size of the disk) the plan says what
 * it has become. A hypothesis counts only if the check finds nothing wrong with the image that it
 * makes, and if it is better than every other.
 */
import { alignUp, divideRoundUp, isAligned, powerOfTwo } from '../../../binary/units.ts';
import { isImageError, throwIfCancelled } from '../../../errors.ts';
import type { CheckReport } from '../../../operations/check-report.ts';
import type { RunOptions } from '../../../operations/operation.ts';
import { OverlayStorage, type Overlay } from '../../../storage/overlay.ts';
import { readPadded, type Storage } from '../../../storage/storage.ts';
import { pacer } from '../../../yield.ts';
import { checkQcow2 } from '../check/index.ts';
import { serializeHeader, type HeaderContent } from '../edit/header-writer.ts';
import { lenientExtensions } from '../extensions.ts';
import { isQcow2 } from '../header.ts';
import { openQcow2, type Qcow2Image } from '../image.ts';
import { EXTENSION_TYPE, HEADER_V2, LIMITS, MAGIC } from '../layout.ts';
import { readTable } from '../tables.ts';
import {
  findLeftovers,
  searchCounts,
  usualCounts,
  type Counts,
  type L1Candidate,
} from './header-evidence.ts';
import type { RefusalReason, RepairLog } from './plan.ts';
import { SnapshotList } from './snapshot-list.ts';
import { readExtent } from './verify.ts';

type Fields = HeaderContent['fields'];

export interface LostHeaderOptions extends RunOptions {
  /** Reads the partition table of a disk of at most `size` bytes: it may say where the disk ends. */
  readPartitions?: (
    read: (offset: number, length: number) => Promise<Uint8Array>,
    size: number,
  ) => Promise<PartitionEnds | undefined>;
}

/** What of a partition table says where its disk ends, bytes. */
interface PartitionEnds {
  readonly partitions: readonly { readonly start: number; readonly length: number }[];
  readonly gpt: { readonly backupEnd: number } | undefined;
}

/** A header that may have been, and what the check says of the image with it. */
interface Attempt {
  readonly fields: Fields;
  readonly bytes: Uint8Array;
  readonly leaks: number;
}

const HEADER_READ = 512;
/** Checks that are made at most. */
const MOST_ATTEMPTS = 64;
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
const MOST_SAMPLES = 8;

/** Whether the file does not even begin like an image. */
export async function lacksMagic(storage: Storage): Promise<boolean> {
  return !isQcow2(await readPadded(storage, 0, HEADER_READ));
}

/**
 * Puts a header into the first cluster. False: nothing was written, and the log says why.
 * @throws ImageError cancelled, too-large and those of reading
 */
export async function rebuildHeader(
  storage: Overlay,
  log: RepairLog,
  options: LostHeaderOptions,
): Promise<boolean> {
  return new Rebuilder(storage, log, options).run();
}

class Rebuilder {
  readonly #storage: Overlay;
  readonly #log: RepairLog;
  readonly #signal: AbortSignal | undefined;
  readonly #readPartitions: LostHeaderOptions['readPartitions'];
  readonly #breathe: () => Promise<void>;
  #attempts = 0;

  constructor(storage: Overlay, log: RepairLog, options: LostHeaderOptions) {
    const { signal } = options;
    this.#readPartitions = options.readPartitions;
    this.#storage = storage;
    this.#log = log;
    this.#signal = signal;
    const pace = pacer(signal);
    this.#breathe = async () => {
      throwIfCancelled(signal);
      await pace();
    };
  }

  async run(): Promise<boolean> {
    if (await this.#restoreMagic()) return true;
    const reason = await this.#traces();
    if (reason !== undefined) return this.#refuse(reason);
    for (const search of [usualCounts, searchCounts]) {
      const found: Attempt[] = [];
      for (const counts of await search(this.#storage, this.#breathe)) {
        const attempts = await this.#attemptsWith(counts);
        if (attempts === undefined) return this.#refuse('header-unknown');
        found.push(...attempts);
      }
      found.sort((a, b) => a.leaks - b.leaks);
      const [best, next] = found;
      if (best === undefined) continue;
      // Two that are about as good as each other: nobody knows which it was.
      const isClear = next === undefined || next.leaks > best.leaks * 2;
      if (!isClear || this.#attempts > MOST_ATTEMPTS) return this.#refuse('header-lost');
      return this.#write(best);
    }
    return this.#refuse('header-lost');
  }

  #refuse(reason: RefusalReason): false {
    this.#log.refuse(reason);
    return false;
  }

  /** Only the first bytes may be wrong. */
  async #restoreMagic(): Promise<boolean> {
    const bytes = new Uint8Array(4);
    HEADER_V2.fields.magic.write(new DataView(bytes.buffer), 0, MAGIC);
    const report = await this.#check(bytes);
    if (report === undefined || report.corruptions > 0) return false;
    const host = { offset: 0, length: 4 };
    const values = { field: 'magic', from: 0, to: MAGIC };
    if (!this.#log.add({ kind: 'header-field', class: 'guess', host, values })) return false;
    await this.#storage.write(0, bytes);
    return true;
  }

  /** Extensions that are still there may say what no table does. */
  async #traces(): Promise<RefusalReason | undefined> {
    const bytes = await readPadded(this.#storage, 0, HEADER_READ);
    for (const start of [HEADER_V2.size, 104, 112]) {
      for (const { type } of lenientExtensions(bytes, start, bytes.length)) {
        if (type === EXTENSION_TYPE.backingFormat) return 'backing-name';
        if (type === EXTENSION_TYPE.dataFile) return 'external-data';
        if (type === EXTENSION_TYPE.crypto) return 'header-unknown';
      }
    }
    return undefined;
  }

  /** What can be made of a refcount table; undefined: the image is encrypted. */
  async #attemptsWith(counts: Counts): Promise<Attempt[] | undefined> {
    const plain = await this.#attemptsOf(counts, false);
    if (counts.clusterBits < 14) return plain;
    const extended = await this.#attemptsOf(counts, true);
    if (plain === undefined || extended === undefined) return undefined;
    // Tables can be sound in both readings. One that makes an empty disk of them is not meant.
    const found = plain.slice();
    for (const attempt of extended) {
      const isWorse = plain.some(({ leaks }) => leaks <= attempt.leaks);
      if (!isWorse || !(await this.#isBlank(attempt.bytes))) found.push(attempt);
    }
    return found;
  }

  async #attemptsOf(counts: Counts, extended: boolean): Promise<Attempt[] | undefined> {
    const left = await findLeftovers(this.#storage, counts, extended, this.#breathe);
    const found: Attempt[] = [];
    const useful = left.l1.filter(({ isEmpty }) => !isEmpty);
    for (const l1 of useful.length > 0 ? useful : left.l1) {
      const places = left.snapshots.length > 0 ? left.snapshots : [0];
      for (const snapshots of places) {
        const attempt = await this.#attempt(counts, l1, snapshots, extended);
        if (attempt !== undefined) found.push(attempt);
      }
    }
    // Without the key nobody can say that it is right.
    return found.length > 0 && left.encrypted ? undefined : found;
  }

  /** Whether nothing on the disk is said to be anything. */
  async #isBlank(bytes: Uint8Array): Promise<boolean> {
    const image = await this.#open(bytes);
    if (image === undefined) return true;
    for (let at = 0; at < image.size;) {
      const list = await image.map(at, image.size - at);
      if (list.some(({ kind }) => kind !== 'unallocated')) return false;
      at = endOf(list, image.size);
      await this.#breathe();
    }
    return true;
  }

  async #attempt(
    counts: Counts,
    l1: L1Candidate,
    snapshots: number,
    extended: boolean,
  ): Promise<Attempt | undefined> {
    let best: Attempt | undefined;
    const clusterSize = powerOfTwo(counts.clusterBits);
    let { clusters } = counts;
    for (;;) {
      const draft = await this.#draft({ ...counts, clusters }, l1, snapshots, extended);
      if (draft === undefined) return best;
      const bytes = serializeHeader(contentWith(draft));
      const report = await this.#check(bytes);
      if (report === undefined || report.corruptions > 0) return best;
      const { leaks } = report;
      if (best === undefined ? this.#isCredible(counts, l1, leaks) : leaks < best.leaks) {
        best = { fields: draft, bytes, leaks };
      }
      if (best === undefined || leaks === 0) return best;
      // A refcount table that has grown has room to spare: zeros that are in use.
      const next = counts.offset + clusters * clusterSize;
      const isUsed = counts.use[next / clusterSize] === 1 && next !== l1.offset;
      const isRoom = isUsed && (clusters + 1) * clusterSize <= LIMITS.refcountTableBytes;
      if (!isRoom || best.leaks < leaks) return best;
      const more = await readPadded(this.#storage, next, clusterSize);
      if (more.some((byte) => byte !== 0)) return best;
      clusters += 1;
    }
  }

  /** An empty table explains nothing that is leaked; another one has to explain most. */
  #isCredible({ use }: Counts, l1: L1Candidate, leaks: number): boolean {
    let inUse = 0;
    for (const kind of use) if (kind !== 0) inUse += 1;
    return l1.isEmpty ? leaks === 0 : leaks * 2 < inUse;
  }

  /** The fields, with what the old ones still say where that agrees with what was found. */
  async #draft(
    counts: Counts,
    l1: L1Candidate,
    snapshotsOffset: number,
    extended: boolean,
  ): Promise<Fields | undefined> {
    const clusterSize = powerOfTwo(counts.clusterBits);
    const coverage = (clusterSize / (extended ? 16 : 8)) * clusterSize;
    const entries = l1.length / 8;
    const words = await readTable(this.#storage, l1.offset, entries);
    let last = words.length - 1;
    while (last >= 0 && words[last] === 0) last--;
    // The table has as many clusters as the disk needs: all of the last but one are.
    const needed = Math.max(Math.floor(last / 2) + 1, entries - clusterSize / 8 + 1);
    const size = needed * coverage;
    if (!Number.isSafeInteger(size)) return undefined;
    const fields: Fields = {
      ...{ version: 3, clusterBits: counts.clusterBits, size, cryptMethod: 0 },
      ...{ l1Size: entries, l1TableOffset: l1.offset },
      ...{ refcountTableOffset: counts.offset, refcountTableClusters: counts.clusters },
      ...{ snapshotCount: 0, snapshotsOffset: 0 },
      ...{ incompatibleFeatures: extended ? 16n : 0n, compatibleFeatures: 0n },
      ...{ autoclearFeatures: 0n, refcountOrder: counts.refcountOrder, compressionType: 0 },
    };
    if (snapshotsOffset > 0) await this.#addSnapshots(fields, snapshotsOffset);
    const found = await this.#open(serializeHeader(contentWith(fields)));
    if (found === undefined) return undefined;
    if (await this.#isZstd(found)) {
      fields.compressionType = 1;
      fields.incompatibleFeatures |= 8n;
    }
    const image = await this.#open(serializeHeader(contentWith(fields)));
    if (image !== undefined) {
      const end = await this.#partitionEnd(image, coverage * entries, (needed - 1) * coverage);
      if (end !== undefined) fields.size = end;
    }
    await this.#takeOld(fields, coverage);
    return fields;
  }

  /** As many snapshots as the table has sensible entries. */
  async #addSnapshots(fields: Fields, snapshotsOffset: number): Promise<void> {
    const image = await this.#open(serializeHeader(contentWith(fields)));
    if (image === undefined) return;
    const header = { ...image.header, snapshotsOffset, snapshotCount: LIMITS.snapshots };
    const { entries } = await SnapshotList.read(this.#storage, header);
    const end = entries.findIndex(({ fixed, id, extra }) => {
      const { l1TableOffset: at, l1Size } = fixed;
      const isPlace = at > 0 && at < this.#storage.size && isAligned(at, image.clusterSize);
      return !isPlace || l1Size === 0 || id.length === 0 || extra.length > 24;
    });
    const snapshotCount = end < 0 ? entries.length : end;
    if (snapshotCount === 0) return;
    // An L1 table of a snapshot is not that of the disk.
    const isTaken = entries
      .slice(0, snapshotCount)
      .some(({ fixed }) => fixed.l1TableOffset === fields.l1TableOffset);
    if (!isTaken) Object.assign(fields, { snapshotCount, snapshotsOffset });
  }

  async #takeOld(fields: Fields, coverage: number): Promise<void> {
    const old = HEADER_V2.read(await readPadded(this.#storage, 0, HEADER_READ));
    const { l1TableOffset, l1Size, size } = old;
    if (l1TableOffset !== fields.l1TableOffset || l1Size > fields.l1Size) return;
    const clusterSize = powerOfTwo(fields.clusterBits);
    const isSame = alignUp(l1Size * 8, clusterSize) === alignUp(fields.l1Size * 8, clusterSize);
    if (isSame && size > 0 && divideRoundUp(size, coverage) <= l1Size) {
      Object.assign(fields, { size, l1Size });
    }
    const isPlain = fields.refcountOrder === 4 && fields.incompatibleFeatures === 0n;
    if (old.version === 2 && isPlain) fields.version = 2;
  }

  /** The first bytes of compressed clusters: all of zstd's frames begin alike. */
  async #isZstd(image: Qcow2Image): Promise<boolean> {
    let samples = 0;
    let frames = 0;
    for (let at = 0; at < image.size && samples < MOST_SAMPLES;) {
      const list = await image.map(at, image.size - at);
      for (const { kind, hostOffset } of list) {
        if (kind !== 'compressed' || samples >= MOST_SAMPLES) continue;
        samples += 1;
        const bytes = await readPadded(this.#storage, hostOffset, ZSTD.length);
        if (ZSTD.every((byte, index) => bytes[index] === byte)) frames += 1;
      }
      at = endOf(list, image.size);
      await this.#breathe();
    }
    return samples > 0 && frames === samples;
  }

  /** Where a partition table says that the disk ends, if the disk can end there. */
  async #partitionEnd(
    image: Qcow2Image,
    most: number,
    lastTable: number,
  ): Promise<number | undefined> {
    let allocated = 0;
    for (let at = lastTable; at < image.size;) {
      const list = await image.map(at, image.size - at);
      for (const { kind, offset, length } of list) {
        if (kind !== 'unallocated') allocated = offset + length;
      }
      at = endOf(list, image.size);
      await this.#breathe();
    }
    const read = async (offset: number, length: number) => this.#readGuest(image, offset, length);
    const table = await this.#readPartitions?.(read, most);
    if (table === undefined) return undefined;
    const ends = table.partitions.map(({ start, length }) => start + length);
    const end = Math.max(table.gpt?.backupEnd ?? 0, ...ends);
    // The end that no data lies behind; a table of another disk says something else.
    const isPossible = allocated > 0 && end >= allocated && end <= most && end % 512 === 0;
    return isPossible ? end : undefined;
  }

  async #readGuest(image: Qcow2Image, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    const end = Math.min(offset + length, image.size);
    for (let at = offset; at < end;) {
      const list = await image.map(at, end - at);
      for (const extent of list) {
        const part = await readExtent(image, extent, this.#storage);
        if (part !== undefined) bytes.set(part, extent.offset - offset);
      }
      at = endOf(list, end);
    }
    return bytes;
  }

  async #open(bytes: Uint8Array): Promise<Qcow2Image | undefined> {
    const state = new OverlayStorage(this.#storage);
    await state.write(0, bytes);
    try {
      return await openQcow2(state, 'check');
    } catch (error) {
      if (isImageError(error, 'invalid-header') || isImageError(error, 'unknown-features')) {
        return undefined;
      }
      throw error;
    }
  }

  /** undefined: it cannot be opened, or looked at to the end. */
  async #check(bytes: Uint8Array): Promise<CheckReport | undefined> {
    if (++this.#attempts > MOST_ATTEMPTS) return undefined;
    const image = await this.#open(bytes);
    if (image === undefined || image.header.l1Size === 0) return undefined;
    const report = await checkQcow2(image, { signal: this.#signal, limit: 0 });
    return report.aborted === undefined && report.checkErrors === 0 ? report : undefined;
  }

  async #write({ fields, bytes }: Attempt): Promise<boolean> {
    const { version, clusterBits, size, l1TableOffset, refcountTableOffset } = fields;
    const host = { offset: 0, length: bytes.length };
    const clusterSize = powerOfTwo(clusterBits);
    const values = { version, clusterSize, size, l1TableOffset, refcountTableOffset };
    const snapshots = fields.snapshotCount;
    const action = { kind: 'header-rebuilt', class: 'guess', host } as const;
    if (!this.#log.add({ ...action, values: { ...values, snapshots } })) return false;
    await this.#storage.write(0, bytes);
    return true;
  }
}

function endOf(list: readonly { offset: number; length: number }[], end: number): number {
  const last = list.at(-1);
  return last === undefined ? end : last.offset + last.length;
}

function contentWith(fields: Fields): HeaderContent {
  return {
    fields: { ...fields },
    ...{ backingName: '', backingFormat: '', dataFileName: '', luks: undefined },
    ...{ bitmaps: undefined, unknownFields: new Uint8Array(0), unknownExtensions: [] },
  };
}
