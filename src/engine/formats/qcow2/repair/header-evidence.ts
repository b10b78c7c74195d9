/**
 * What a file without its header says of itself: where its refcount table is, how large its
 * clusters are, and which of the clusters in use nothing points at. Only the header points at an L1
 * table. Specification: «Reference count», «Cluster mapping».
 */
import { divideRoundUp, isAligned, powerOfTwo, TWO_32 } from '../../../binary/units.ts';
import { gather, type Piece } from '../../../storage/gather.ts';
import { readPadded, type Storage } from '../../../storage/storage.ts';
import { LIMITS, SNAPSHOT_ENTRY } from '../layout.ts';
import { refcountAt } from '../refcounts.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, decodeTable, entryOffset, type Table } from '../tables.ts';

/** Clusters of a file that one byte each is kept of. */
const MOST_CLUSTERS = 2 ** 24;
/** Bytes that are searched for a refcount table that is not in its usual place. */
const MOST_SEARCHED = 2 ** 30;
const MOST_CANDIDATES = 1024;
const SECTOR = 512;
const BATCH_BYTES = 4 * 1024 * 1024;

/** Widths of refcounts, the usual one first. */
const ORDERS = [4, 0, 1, 2, 3, 5, 6] as const;

/** A refcount table that counts itself, its blocks and the header, with clusters of that size. */
export interface Counts {
  readonly clusterBits: number;
  readonly refcountOrder: number;
  readonly offset: number;
  readonly clusters: number;
  /** By cluster: 0 free, 1 in use, 2 header, refcount table and blocks. */
  readonly use: Uint8Array;
}

/** A place that may be an L1 table, bytes; not one entry of it may be in use. */
export interface L1Candidate {
  readonly offset: number;
  readonly length: number;
  readonly isEmpty: boolean;
}

/** What the tables leave over. */
export interface Leftovers {
  readonly l1: readonly L1Candidate[];
  /** Where a snapshot table may be. */
  readonly snapshots: readonly number[];
  /** A LUKS header is among it. */
  readonly encrypted: boolean;
}

/** The tables at the usual place: behind the header. */
export async function usualCounts(storage: Storage, breathe: () => Promise<void>) {
  const found: Counts[] = [];
  for (let bits = LIMITS.minClusterBits; bits <= LIMITS.maxClusterBits; bits++) {
    found.push(...(await countsAt(storage, powerOfTwo(bits), bits)));
    await breathe();
  }
  return found;
}

/** Tables anywhere within the first GiB: they move when they grow. */
export async function searchCounts(storage: Storage, breathe: () => Promise<void>) {
  const places: number[] = [];
  const end = Math.min(storage.size, MOST_SEARCHED);
  for (let at = 0; at < end; at += BATCH_BYTES) {
    const bytes = await readPadded(storage, at, Math.min(BATCH_BYTES, end - at));
    for (let sector = 0; sector + SECTOR <= bytes.length; sector += SECTOR) {
      if (places.length >= MOST_CANDIDATES) break;
      const head = bytes.subarray(sector, sector + SECTOR);
      if (mayBeRefcountTable(head, storage.size)) places.push(at + sector);
    }
    await breathe();
  }
  const found: Counts[] = [];
  for (const place of places) {
    for (let bits = LIMITS.minClusterBits; bits <= LIMITS.maxClusterBits; bits++) {
      const isPlace = place > 0 && isAligned(place, powerOfTwo(bits));
      if (isPlace) found.push(...(await countsAt(storage, place, bits)));
    }
    await breathe();
  }
  return found;
}

/** Plain offsets, the first of which is that of the block that counts the header. */
function mayBeRefcountTable(bytes: Uint8Array, size: number): boolean {
  if (bytes[0] !== 0 || (bytes[7] ?? 0) !== 0) return false;
  const words = decodeTable(bytes.subarray(0, SECTOR));
  if (((words[0] ?? 0) | (words[1] ?? 0)) === 0) return false;
  for (let at = 0; at < words.length; at += 2) {
    const offset = (words[at] as number) * TWO_32 + (words[at + 1] as number);
    if (offset >= size || offset % SECTOR !== 0) return false;
  }
  return true;
}

/** The widths with which a table there makes sense. */
async function countsAt(storage: Storage, offset: number, clusterBits: number): Promise<Counts[]> {
  const clusterSize = powerOfTwo(clusterBits);
  const all = divideRoundUp(storage.size, clusterSize);
  if (offset + SECTOR > storage.size || all > MOST_CLUSTERS) return [];
  if (!mayBeRefcountTable(await readPadded(storage, offset, SECTOR), storage.size)) return [];
  const found: Counts[] = [];
  for (const refcountOrder of ORDERS) {
    const perBlock = (clusterSize * 8) / powerOfTwo(refcountOrder);
    const clusters = divideRoundUp(divideRoundUp(all, perBlock) * 8, clusterSize);
    if (clusters * clusterSize > LIMITS.refcountTableBytes) continue;
    const words = decodeTable(await readPadded(storage, offset, clusters * clusterSize));
    const use = await readUse(storage, { words, offset, clusters, clusterSize, refcountOrder });
    if (use !== undefined) found.push({ clusterBits, refcountOrder, offset, clusters, use });
  }
  return found;
}

interface RawCounts {
  readonly words: Table;
  readonly offset: number;
  readonly clusters: number;
  readonly clusterSize: number;
  readonly refcountOrder: number;
}

/** Reads the blocks; undefined where they do not count the header, the table and themselves. */
async function readUse(storage: Storage, raw: RawCounts): Promise<Uint8Array | undefined> {
  const { words, offset, clusters, clusterSize, refcountOrder } = raw;
  const bits = powerOfTwo(refcountOrder);
  const perBlock = (clusterSize * 8) / bits;
  const own = new Set<number>([0]);
  for (let i = 0; i < clusters; i++) own.add(offset / clusterSize + i);
  const use = new Uint8Array(divideRoundUp(storage.size, clusterSize));
  const blocks: (Piece & { readonly first: number })[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const block = (words[at] as number) * TWO_32 + (words[at + 1] as number);
    if (block === 0) continue;
    const index = block / clusterSize;
    if (!isAligned(block, clusterSize) || block >= storage.size || own.has(index)) return undefined;
    own.add(index);
    blocks.push({ offset: block, length: clusterSize, first: (at / 2) * perBlock });
  }
  let isOne = true;
  const read = async (pieces: typeof blocks) =>
    gather(storage, pieces, ({ first }, bytes) => {
      const end = Math.min(perBlock, use.length - first);
      for (let i = 0; i < end; i++) {
        const count = refcountAt(bytes, bits, i);
        if (count === 0) continue;
        const isOwn = own.has(first + i);
        if (isOwn && count !== 1) isOne = false;
        use[first + i] = isOwn ? 2 : 1;
      }
    });
  // The first block tells nearly everything else from a block.
  await read(blocks.slice(0, 1));
  if (!isOne || use[0] !== 2) return undefined;
  const atOnce = Math.max(1, BATCH_BYTES / clusterSize);
  for (let at = 1; at < blocks.length; at += atOnce) await read(blocks.slice(at, at + atOnce));
  for (const index of own) if (use[index] !== 2) return undefined;
  return isOne ? use : undefined;
}

/** What a cluster can be by its content. */
const OTHER = 0;
const EMPTY = 1;
const TABLE = 2;

/** Looks at every cluster in use, and says which of them no table points at. */
export async function findLeftovers(
  storage: Storage,
  counts: Counts,
  extended: boolean,
  breathe: () => Promise<void>,
): Promise<Leftovers> {
  const { use } = counts;
  const clusterSize = powerOfTwo(counts.clusterBits);
  const looks = new Uint8Array(use.length);
  const marks = new Marks(storage.size, counts);
  await each(storage, clusterSize, SECTOR, having(use, 1), breathe, (index, bytes) => {
    const words = decodeTable(bytes);
    if (marks.accepts(words, false) || (extended && marks.accepts(words, true))) {
      looks[index] = TABLE;
    }
  });
  await each(storage, clusterSize, clusterSize, having(looks, TABLE), breathe, (index, bytes) => {
    const words = decodeTable(bytes);
    if (words.every((word) => word === 0)) {
      looks[index] = EMPTY;
      return;
    }
    const isPlain = marks.accepts(words, false);
    if (isPlain) marks.mark(words, false);
    if (extended && marks.accepts(words, true)) marks.mark(words, true);
    looks[index] = isPlain && marks.isPure(words) ? TABLE : OTHER;
  });
  const left: number[] = [];
  for (const [index, kind] of use.entries()) {
    if (kind === 1 && marks.targets[index] === 0) left.push(index);
  }
  const snapshots: number[] = [];
  let encrypted = false;
  const others = left.filter((index) => looks[index] === OTHER).slice(0, MOST_CANDIDATES);
  await each(storage, clusterSize, SECTOR, others, breathe, (index, bytes) => {
    if (isSnapshotEntry(bytes, clusterSize, storage.size)) snapshots.push(index * clusterSize);
    encrypted ||= LUKS.every((byte, at) => bytes[at] === byte);
  });
  const behind = counts.offset / clusterSize + counts.clusters;
  return { l1: runsOf(left, looks, clusterSize, behind), snapshots, encrypted };
}

const LUKS = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];

/** The clusters that are of a kind. */
function* having(kinds: Uint8Array, kind: number): Generator<number, undefined> {
  for (let index = 0; index < kinds.length; index++) if (kinds[index] === kind) yield index;
  return undefined;
}

/** Clusters side by side that make one L1 table. */
function runsOf(
  left: readonly number[],
  looks: Uint8Array,
  clusterSize: number,
  behindCounts: number,
): L1Candidate[] {
  const found: L1Candidate[] = [];
  const places = left.filter((index) => looks[index] !== OTHER);
  for (let at = 0; at < places.length;) {
    const first = places[at] as number;
    let end = at;
    while (end < places.length && places[end] === first + end - at) end++;
    const run = places.slice(at, end);
    at = end;
    const isEmpty = run.every((index) => looks[index] === EMPTY);
    const length = run.length * clusterSize;
    // Zeros right behind the refcount table may be its own: where an L1 table begins is not known.
    const isDoubtful = first === behindCounts && looks[first] === EMPTY;
    if (isDoubtful || length > LIMITS.l1Bytes) continue;
    found.push({ offset: first * clusterSize, length, isEmpty });
  }
  return found;
}

/** Entry for entry: id, name and L1 table. */
function isSnapshotEntry(bytes: Uint8Array, clusterSize: number, size: number): boolean {
  const { l1TableOffset, l1Size, idSize, nameSize, extraDataSize } = SNAPSHOT_ENTRY.read(bytes);
  if (l1TableOffset === 0 || l1TableOffset >= size || !isAligned(l1TableOffset, clusterSize)) {
    return false;
  }
  const isSized = l1Size > 0 && l1Size * 8 <= LIMITS.l1Bytes && idSize > 0 && idSize <= 64;
  return isSized && nameSize <= 1023 && [0, 16, 24].includes(extraDataSize);
}

/** Judges tables, and notes what they lead to. */
class Marks {
  readonly targets: Uint8Array;
  readonly #size: number;
  readonly #clusterSize: number;
  /** Bits of the high half that are of the offset of a compressed cluster. */
  readonly #offsetBits: number;

  constructor(size: number, { clusterBits, use }: Counts) {
    this.targets = new Uint8Array(use.length);
    this.#size = size;
    this.#clusterSize = powerOfTwo(clusterBits);
    this.#offsetBits = 62 - (clusterBits - 8) - 32;
  }

  /** Whether every entry is one of an L1 or L2 table. */
  accepts(words: Table, extended: boolean): boolean {
    for (let at = 0; at < words.length; at += extended ? 4 : 2) {
      const high = words[at] as number;
      const low = words[at + 1] as number;
      if ((high & COMPRESSED_HIGH) !== 0) {
        if ((high & COPIED_HIGH) !== 0 || this.#packed(high, low).offset >= this.#size)
          return false;
        continue;
      }
      const isPure = (high & 0x3f000000) === 0 && (low & (extended ? 0x1ff : 0x1fe)) === 0;
      const offset = entryOffset(high, low);
      if (!isPure || offset >= this.#size || !isAligned(offset, this.#clusterSize)) return false;
    }
    return true;
  }

  /** Whether an L1 table can have these entries. */
  isPure(words: Table): boolean {
    for (let at = 0; at < words.length; at += 2) {
      const isFlagged = ((words[at] as number) & COMPRESSED_HIGH) !== 0;
      if (isFlagged || ((words[at + 1] as number) & 1) !== 0) return false;
    }
    return true;
  }

  mark(words: Table, extended: boolean): void {
    for (let at = 0; at < words.length; at += extended ? 4 : 2) {
      const high = words[at] as number;
      const low = words[at + 1] as number;
      if ((high | low) === 0) continue;
      const isPacked = (high & COMPRESSED_HIGH) !== 0;
      const { offset, end } = isPacked
        ? this.#packed(high, low)
        : { offset: entryOffset(high, low), end: entryOffset(high, low) + 1 };
      const last = Math.floor((end - 1) / this.#clusterSize);
      for (let index = Math.floor(offset / this.#clusterSize); index <= last; index++) {
        if (index < this.targets.length) this.targets[index] = 1;
      }
    }
  }

  /** «Compressed Clusters Descriptor». */
  #packed(high: number, low: number): { offset: number; end: number } {
    const unit = powerOfTwo(this.#offsetBits);
    const fields = high & 0x3fffffff;
    const offset = (fields % unit) * TWO_32 + low;
    const sectors = Math.floor(fields / unit) + 1;
    return { offset, end: offset - (offset % SECTOR) + sectors * SECTOR };
  }
}

/** Reads the first bytes of clusters, many together. */
async function each(
  storage: Storage,
  clusterSize: number,
  length: number,
  indexes: Iterable<number>,
  breathe: () => Promise<void>,
  use: (index: number, bytes: Uint8Array) => void,
): Promise<void> {
  const atOnce = Math.max(1, BATCH_BYTES / Math.min(clusterSize, 65536));
  let pieces: Piece[] = [];
  const look = async () => {
    await gather(storage, pieces, ({ offset }, bytes) => {
      use(offset / clusterSize, bytes);
    });
    pieces = [];
    await breathe();
  };
  for (const index of indexes) {
    pieces.push({ offset: index * clusterSize, length });
    if (pieces.length >= (length > 65536 ? 2 : atOnce)) await look();
  }
  await look();
}
