/** Walking L1 tables: the L2 tables that they lead to, in order, read many at a time. */
import { gather } from '../../../storage/gather.ts';
import type { Bitmap } from '../bitmaps.ts';
import type { Qcow2Image } from '../image.ts';
import { entryOffset, readTable, type Table } from '../tables.ts';
import type { CheckContext } from './context.ts';

/** An entry of an L1 table that is not zero, with the bytes it leads to. */
export interface L2Visit {
  /** Index in the L1 table. */
  readonly index: number;
  readonly high: number;
  readonly low: number;
  /** Host offset, bytes; may be misaligned or outside. */
  readonly offset: number;
  /** The table's bytes; undefined where the file has none there (all zeros). */
  bytes: Uint8Array | undefined;
}

/** One L1 table: the active one, or a snapshot's. */
export interface L1Tree {
  readonly l1: Table;
  /** '' for the active layer. */
  readonly snapshot: string;
  readonly active: boolean;
  /** Of the snapshot in the image's list; -1 for the active layer. */
  readonly number: number;
}

/** Bytes of L2 tables that are read together. */
const BATCH_BYTES = 4 * 1024 * 1024;
/** While one batch is worked on, so many are read: a picked file answers slowly, but to several. */
const BATCHES_AHEAD = 4;
/** Entries of a batch, whether they lead to something or not. */
const BATCH_ENTRIES = 16384;

/**
 * Hands over the L2 tables of an L1 table in its order, in batches; while one is worked on, the
 * next are read. Tables behind the end of the file are not read: they would be zeros.
 * @param wanted not 0 for the entries that are wanted; by default all that are not zero
 */
export async function* walkL2(
  image: Qcow2Image,
  l1: Table,
  wanted?: Uint8Array,
): AsyncGenerator<L2Visit[], undefined> {
  const ahead: Promise<L2Visit[]>[] = [];
  for (const batch of batches(image.clusterSize, image.storage.size, l1, wanted)) {
    const next = load(batch, image.clusterSize, image.storage);
    // Should the walk end before it is asked for, its failure is nobody's business.
    next.catch(() => undefined);
    ahead.push(next);
    if (ahead.length <= BATCHES_AHEAD) continue;
    const current = ahead.shift();
    if (current !== undefined) yield await current;
  }
  for (const rest of ahead) yield await rest;
  return undefined;
}

function* batches(
  clusterSize: number,
  fileSize: number,
  l1: Table,
  wanted: Uint8Array | undefined,
): Generator<L2Visit[], undefined> {
  let batch: L2Visit[] = [];
  let bytes = 0;
  for (let index = 0; index < l1.length / 2; index++) {
    const high = l1[index * 2] as number;
    const low = l1[index * 2 + 1] as number;
    if ((high | low) === 0 || wanted?.[index] === 0) continue;
    const offset = entryOffset(high, low);
    batch.push({ index, high, low, offset, bytes: undefined });
    if (offset < fileSize) bytes += clusterSize;
    if (bytes < BATCH_BYTES && batch.length < BATCH_ENTRIES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
  return undefined;
}

async function load(
  batch: L2Visit[],
  clusterSize: number,
  storage: Qcow2Image['storage'],
): Promise<L2Visit[]> {
  const pieces = new Map<number, { offset: number; length: number }>();
  for (const { offset } of batch) {
    if (offset < storage.size) pieces.set(offset, { offset, length: clusterSize });
  }
  if (pieces.size === 0) return batch;
  const tables = new Map<number, Uint8Array>();
  await gather(storage, [...pieces.values()], (piece, bytes) => {
    tables.set(piece.offset, bytes);
  });
  for (const visit of batch) visit.bytes = tables.get(visit.offset);
  return batch;
}

/** The active tree and those of the snapshots whose L1 table can be had, one after the other. */
export async function* allTrees(image: Qcow2Image): AsyncGenerator<L1Tree, undefined> {
  yield { l1: image.l1, snapshot: '', active: true, number: -1 };
  for (const [number, snapshot] of image.snapshots.entries()) {
    if (snapshotFault(image, snapshot) !== undefined) continue;
    const l1 = await readTable(image.storage, snapshot.l1TableOffset, snapshot.l1Size);
    yield { l1, snapshot: snapshot.name || snapshot.id, active: false, number };
  }
  return undefined;
}

/** Entries of a bitmap table that are read at once. */
const BITMAP_ENTRIES = 256 * 1024;

/** The table of a bitmap in pieces: it may be larger than memory. Behind the end are only zeros. */
export async function* readBitmapTable(
  context: { readonly image: Qcow2Image; passed: CheckContext['passed'] },
  { tableOffset, tableSize }: Bitmap,
): AsyncGenerator<Table, undefined> {
  const { storage } = context.image;
  const inFile = Math.ceil(Math.max(0, storage.size - tableOffset) / 8);
  const entries = Math.min(tableSize, inFile);
  for (let first = 0; first < entries; first += BITMAP_ENTRIES) {
    const count = Math.min(BITMAP_ENTRIES, entries - first);
    yield await readTable(storage, tableOffset + first * 8, count);
    await context.passed(0);
  }
  return undefined;
}

/** Why the tree of a snapshot cannot be walked. */
export function snapshotFault(
  image: Qcow2Image,
  snapshot: { readonly l1TableOffsetText: string; readonly l1Size: number },
): 'snapshot-l1-unaligned' | 'snapshot-l1-too-large' | undefined {
  // The last eight digits tell: the offset as a number may have lost its lowest bits.
  const low = Number.parseInt(snapshot.l1TableOffsetText.slice(-8), 16);
  if (low % image.clusterSize !== 0) return 'snapshot-l1-unaligned';
  if (snapshot.l1Size > MAX_L1_ENTRIES) return 'snapshot-l1-too-large';
  return undefined;
}

const MAX_L1_ENTRIES = 4 * 1024 * 1024;
