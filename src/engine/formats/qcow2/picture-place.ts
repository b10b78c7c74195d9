/** What lies at an address of a qcow2 file: who uses it, and where the entries that say so are. */
import { readPadded } from '../../storage/storage.ts';
import { kindOf, type FilePlace, type FileUse, type Walk } from '../picture-kinds.ts';
import { readBitmapTable, snapshotFault, walkL2 } from './check/walk.ts';
import type { Qcow2Image } from './image.ts';
import { compressedLayout, compressedLength, compressedOffset } from './mapping.ts';
import { CLASH, NO_INDEX, OWNER } from './picture-claims.ts';
import type { Tables, Window } from './picture-window.ts';
import { refcountAt } from './refcounts.ts';
import { COMPRESSED_HIGH, entryOffset, readTable } from './tables.ts';

/** Uses that are told of one place. */
const MOST_USES = 16;
/** Snapshots that are asked about a place before all tables are gone through. */
const MOST_SNAPSHOTS = 64;

/** @param offset bytes, within the file and the window */
export async function placeOf(
  tables: Tables,
  { claims, cells }: Window,
  offset: number,
  walk: Walk,
): Promise<FilePlace> {
  const { image } = tables;
  const { clusterSize, storage } = image;
  const cluster = Math.floor(offset / clusterSize);
  const at = cluster - claims.first;
  const start = cluster * clusterSize;
  const counted = claims.counts[at] as number;
  const owners = claims.owners[at] as number;
  const owner = owners & (CLASH - 1);
  const search = new UseSearch(tables, { start, counted, user: claims.users?.[at] ?? NO_INDEX });
  if (counted > 0) await search.run(owner, owners >= CLASH, walk);
  const place: FilePlace = {
    offset: start,
    length: Math.min(clusterSize, storage.size - start),
    kind: kindOf(cells[at] as number),
    uses: search.uses,
    moreUses: search.isFull && counted > search.uses.length,
    refcount: { stored: await storedRefcount(tables, cluster), counted },
    node: undefined,
  };
  place.node = nodeAt(tables, owner, offset, search);
  return place;
}

/** The refcount of a cluster as the file has it; 0 where there is no block. */
async function storedRefcount({ image, refcounts }: Tables, cluster: number): Promise<number> {
  const { refcountBits } = image.header;
  const index = Math.floor(cluster / refcounts.blockEntries);
  if (index >= refcounts.entries || !refcounts.isReadable(index)) return 0;
  const block = refcounts.offset(index);
  if (block === 0 || block >= image.storage.size) return 0;
  const entry = cluster % refcounts.blockEntries;
  const first = Math.floor((entry * refcountBits) / 8);
  const bytes = await readPadded(image.storage, block + first, Math.max(1, refcountBits / 8));
  return refcountAt(bytes, refcountBits, entry - (first * 8) / refcountBits);
}

/** A tree of tables: that of the disk as it is now, or that of a snapshot. */
interface Tree {
  /** '' for the disk as it is now. */
  readonly snapshot: string;
  /** Of the node of its L1 table. */
  readonly node: string;
  readonly l1Offset: number;
  /** Entries. */
  readonly l1Size: number;
}

/** Looks for the entries that lead to one cluster. */
class UseSearch {
  readonly uses: FileUse[] = [];
  readonly #tables: Tables;
  readonly #start: number;
  readonly #counted: number;
  readonly #user: number;
  readonly #trees: readonly Tree[];

  constructor(tables: Tables, place: { start: number; counted: number; user: number }) {
    this.#tables = tables;
    this.#start = place.start;
    this.#counted = place.counted;
    this.#user = place.user;
    this.#trees = treesOf(tables.image);
  }

  /** There may be more than it tells. */
  get isFull(): boolean {
    return this.uses.length >= MOST_USES;
  }

  get #isDone(): boolean {
    return this.isFull || this.uses.length >= this.#counted;
  }

  /** @param isClash others use it too: they are looked for whatever they are */
  async run(owner: number, isClash: boolean, walk: Walk): Promise<void> {
    const isL2 = owner === OWNER.l2 || owner === OWNER.snapshotL2;
    if (isL2 || isClash) await this.#l2Table();
    if (owner >= OWNER.data || isClash) await this.#content(walk);
    if (owner === OWNER.refcounts || isClash) this.#refcountBlock();
    if (owner === OWNER.bitmaps || isClash) await this.#bitmapParts(walk);
  }

  /** The table that the entry is of is read all the same when the bytes are looked at. */
  #refcountBlock(): void {
    const { image, refcounts } = this.#tables;
    for (let index = 0; index < refcounts.entries && !this.isFull; index++) {
      if (refcounts.offset(index) !== this.#start) continue;
      const entry = { offset: image.header.refcountTableOffset + index * 8, length: 8 };
      this.#add({ entry, node: `refcounts/${index}` });
    }
  }

  async #bitmapParts(walk: Walk): Promise<void> {
    const { image } = this.#tables;
    for (const [number, { tableOffset, tableSize }] of image.bitmaps.entries()) {
      const bitmap = image.bitmaps[number];
      if (bitmap === undefined || this.#isDone) return;
      let first = 0;
      const read = { image, passed: walk.passed.bind(walk) };
      for await (const table of readBitmapTable(read, { ...bitmap, tableOffset, tableSize })) {
        for (let i = 0; i < table.length && !this.isFull; i += 2) {
          if (entryOffset(table[i] as number, table[i + 1] as number) !== this.#start) continue;
          const entry = { offset: tableOffset + (first + i / 2) * 8, length: 8 };
          this.#add({ entry, node: `bitmaps/${number}` });
        }
        first += table.length / 2;
      }
    }
  }

  async #l2Table(): Promise<void> {
    const before = this.uses.length;
    // All that share a table share it at the same place; else it is looked for in the whole trees.
    if (this.#user !== NO_INDEX) {
      for (const tree of this.#trees.slice(0, MOST_SNAPSHOTS)) {
        if (this.#isDone) return;
        if ((await this.#l2Of(tree, this.#user)) === this.#start) this.#addL2(tree, this.#user);
      }
    }
    if (this.#isDone) return;
    this.uses.length = before;
    for (const tree of this.#trees) {
      for (const index of await this.#indexesOf(tree, new Set([this.#start]))) {
        if (this.isFull) return;
        this.#addL2(tree, index);
      }
    }
  }

  #addL2(tree: Tree, index: number): void {
    const entry = { offset: tree.l1Offset + index * 8, length: 8 };
    this.#add({ entry, node: `${tree.node}/${index}`, snapshot: tree.snapshot });
  }

  /**
   * Content is mostly used by neighbours of its first user: packed clusters lie side by side in the
   * guest, and snapshots share what lies at the same place. Only where that is not all of it, the
   * tables are gone through.
   */
  async #content(walk: Walk): Promise<void> {
    const before = this.uses.length;
    if (this.#user !== NO_INDEX) {
      const { l2Entries } = this.#tables.image.header;
      const index = Math.floor(this.#user / l2Entries);
      const read = new Map<number, Uint8Array>();
      for (const tree of this.#trees.slice(0, MOST_SNAPSHOTS)) {
        for (const near of [index, index + 1]) {
          if (this.#isDone) return;
          await this.#lookInto(tree, near, read);
        }
      }
    }
    if (this.#isDone) return;
    this.uses.length = before;
    await this.#lookThrough(walk);
  }

  /** The uses that one L2 table of a tree has. */
  async #lookInto(tree: Tree, index: number, read: Map<number, Uint8Array>): Promise<void> {
    const { image } = this.#tables;
    const offset = await this.#l2Of(tree, index);
    if (offset === 0 || offset >= image.storage.size) return;
    let bytes = read.get(offset);
    if (bytes === undefined) {
      bytes = await readPadded(image.storage, offset, image.clusterSize);
      read.set(offset, bytes);
    }
    this.#addEntries(tree, index, offset, bytes);
  }

  /** All tables, until there are enough. */
  async #lookThrough(walk: Walk): Promise<void> {
    const { image, list } = this.#tables;
    walk.expect((list.entries.length / 2) * image.clusterSize);
    const hits = new Map<number, Uint8Array>();
    let found = 0;
    search: for await (const batch of walkL2(image, list.entries)) {
      for (const { index: number, offset, bytes } of batch) {
        const uses = bytes === undefined ? 0 : [...usesIn(image, bytes, this.#start)].length;
        if (bytes === undefined || uses === 0) continue;
        hits.set(offset, bytes.slice());
        found += uses * (list.times[number] ?? 1);
        if (found >= this.#counted || hits.size >= MOST_USES) break search;
      }
      await walk.passed(batch.length * image.clusterSize);
    }
    const wanted = new Set(hits.keys());
    for (const tree of this.#trees) {
      for (const index of await this.#indexesOf(tree, wanted)) {
        if (this.isFull) return;
        const offset = await this.#l2Of(tree, index);
        const bytes = hits.get(offset);
        if (bytes !== undefined) this.#addEntries(tree, index, offset, bytes);
      }
      await walk.passed(0);
    }
  }

  #addEntries(tree: Tree, index: number, offset: number, bytes: Uint8Array): void {
    const { image } = this.#tables;
    const { extendedL2, l2Entries, clusterSize } = image.header;
    const length = extendedL2 ? 16 : 8;
    for (const { entry, host } of usesIn(image, bytes, this.#start)) {
      if (this.isFull) return;
      this.#add({
        guestOffset: (index * l2Entries + entry) * clusterSize,
        fileOffset: host,
        snapshot: tree.snapshot,
        entry: { offset: offset + entry * length, length },
        node: `${tree.node}/${index}/l2/${entry}`,
      });
    }
  }

  #add(use: Partial<FileUse>): void {
    const nothing = { guestOffset: undefined, entry: undefined, node: undefined, snapshot: '' };
    this.uses.push({ ...nothing, fileOffset: this.#start, ...use });
  }

  /** Where the L2 table of an index is; 0: there is none. */
  async #l2Of(tree: Tree, index: number): Promise<number> {
    if (index >= tree.l1Size) return 0;
    const { image } = this.#tables;
    if (tree.snapshot === '' && tree.node === 'l1') {
      return entryOffset(image.l1[index * 2] ?? 0, image.l1[index * 2 + 1] ?? 0);
    }
    const [high = 0, low = 0] = await readTable(image.storage, tree.l1Offset + index * 8, 1);
    return entryOffset(high, low);
  }

  /** The indexes of an L1 table that lead to these L2 tables, at most some. */
  async #indexesOf(tree: Tree, offsets: ReadonlySet<number>): Promise<number[]> {
    const { image } = this.#tables;
    const isActive = tree.node === 'l1';
    const l1 = isActive ? image.l1 : await readTable(image.storage, tree.l1Offset, tree.l1Size);
    const found: number[] = [];
    for (let i = 0; i < l1.length && found.length < MOST_USES; i += 2) {
      const high = l1[i] as number;
      const low = l1[i + 1] as number;
      if ((high | low) !== 0 && offsets.has(entryOffset(high, low))) found.push(i / 2);
    }
    return found;
  }
}

function treesOf(image: Qcow2Image): Tree[] {
  const { header, snapshots } = image;
  const trees: Tree[] = [
    { snapshot: '', node: 'l1', l1Offset: header.l1TableOffset, l1Size: header.l1Size },
  ];
  for (const [index, snapshot] of snapshots.entries()) {
    if (snapshotFault(image, snapshot) !== undefined) continue;
    const { l1TableOffset: l1Offset, l1Size } = snapshot;
    const node = `snapshots/${index}/l1`;
    trees.push({ snapshot: snapshot.name || snapshot.id, node, l1Offset, l1Size });
  }
  return trees;
}

/** The entries of an L2 table that lead to a cluster, and where what they lead to begins. */
function* usesIn(
  { header }: Qcow2Image,
  bytes: Uint8Array,
  start: number,
): Generator<{ entry: number; host: number }, undefined> {
  const { clusterSize, extendedL2, hasDataFile, clusterBits } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = extendedL2 ? 16 : 8;
  const layout = compressedLayout(clusterBits);
  for (let at = 0; at < bytes.length && !hasDataFile; at += step) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if ((high | low) === 0) continue;
    const isPacked = (high & COMPRESSED_HIGH) !== 0;
    if (isPacked && extendedL2 && (view.getUint32(at + 8) | view.getUint32(at + 12)) !== 0)
      continue;
    const host = isPacked ? compressedOffset(layout, high, low) : entryOffset(high, low);
    if (host === 0 && !isPacked) continue;
    const length = isPacked ? compressedLength(layout, high, low) : clusterSize;
    if (host < start + clusterSize && host + length > start) yield { entry: at / step, host };
  }
  return undefined;
}

/** The structure that an address is of, by its id in the tree of structures. */
function nodeAt(
  { image, refcounts }: Tables,
  owner: number,
  offset: number,
  search: UseSearch,
): string | undefined {
  const { header, clusterSize, snapshots } = image;
  const inside = offset % clusterSize;
  const [use] = search.uses;
  switch (owner) {
    case OWNER.header:
      return 'header';
    case OWNER.crypto:
      return 'crypto';
    case OWNER.l1:
      return entryIn('l1', offset - header.l1TableOffset, header.l1Size);
    case OWNER.l2:
    case OWNER.snapshotL2: {
      const entry = Math.floor((inside * header.l2Entries) / clusterSize);
      return use?.node === undefined ? undefined : `${use.node}/l2/${entry}`;
    }
    case OWNER.refcounts: {
      const inTable = entryIn('refcounts', offset - header.refcountTableOffset, refcounts.entries);
      const entry = Math.floor((inside * 8) / header.refcountBits);
      return use?.node === undefined ? inTable : `${use.node}/block/${entry}`;
    }
    case OWNER.snapshots: {
      const index = snapshots.findIndex(({ l1TableOffset, l1Size }) => {
        return offset >= l1TableOffset && offset < l1TableOffset + l1Size * 8;
      });
      if (index < 0) return 'snapshots';
      const { l1TableOffset, l1Size } = snapshots[index] ?? { l1TableOffset: 0, l1Size: 0 };
      return entryIn(`snapshots/${index}/l1`, offset - l1TableOffset, l1Size);
    }
    case OWNER.bitmaps: {
      const index = image.bitmaps.findIndex(({ tableOffset, tableSize }) => {
        return offset >= tableOffset && offset < tableOffset + tableSize * 8;
      });
      return use?.node ?? (index < 0 ? 'bitmaps' : `bitmaps/${index}`);
    }
    default:
      return undefined;
  }
}

/** The id of the entry of a table at an offset in it (bytes); that of the table behind its end. */
function entryIn(table: string, at: number, entries: number): string {
  const index = Math.floor(at / 8);
  return index >= 0 && index < entries ? `${table}/${index}` : table;
}
