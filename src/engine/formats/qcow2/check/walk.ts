/** Walking L1 tables: the L2 tables that they lead to, in order, read many at a time. */
import { gather } from '../../../storage/gather.ts';
import type { Qcow2Image } from '../image.ts';
import { entryOffset, readTable, type Table } from '../tables.ts';

/** An entry of an L1 table that is not zero, with the bytes it leads to. */
export interface L2Visit {
  /** Index in the L1 table. */
  readonly index: number;
  readonly high: number;
  readonly low: number;
  /** Host offset, bytes; may be misaligned or outside. */
  readonly offset: number;
  /** The table's bytes; undefined where the file has none there (all zeros). */
  readonly bytes: Uint8Array | undefined;
}

/** One L1 table: the active one, or a snapshot's. */
export interface L1Tree {
  readonly l1: Table;
  /** '' for the active layer. */
  readonly snapshot: string;
  readonly active: boolean;
}

/** Bytes of L2 tables that are read together. */
const BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Hands over the L2 tables of an L1 table in its order, in batches; while one is worked on, the
 * next is read. Tables behind the end of the file are not read: they would be zeros.
 * @param wanted which entries (all that are not zero by default)
 */
export async function* walkL2(
  image: Qcow2Image,
  l1: Table,
  wanted?: ReadonlySet<number>,
): AsyncGenerator<L2Visit[], undefined> {
  let ahead: Promise<L2Visit[]> | undefined;
  for (const batch of batches(image.clusterSize, l1, wanted)) {
    const current = ahead;
    ahead = load(batch, image.clusterSize, image.storage);
    // Should the walk end before it is asked for, its failure is nobody's business.
    ahead.catch(() => undefined);
    if (current !== undefined) yield await current;
  }
  if (ahead !== undefined) yield await ahead;
  return undefined;
}

type Entry = Omit<L2Visit, 'bytes'>;

function* batches(
  clusterSize: number,
  l1: Table,
  wanted: ReadonlySet<number> | undefined,
): Generator<Entry[], undefined> {
  const most = Math.max(1, Math.floor(BATCH_BYTES / clusterSize));
  let batch: Entry[] = [];
  for (let index = 0; index < l1.length / 2; index++) {
    const high = l1[index * 2] as number;
    const low = l1[index * 2 + 1] as number;
    if ((high | low) === 0 || wanted?.has(index) === false) continue;
    batch.push({ index, high, low, offset: entryOffset(high, low) });
    if (batch.length < most) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
  return undefined;
}

async function load(
  batch: readonly Entry[],
  clusterSize: number,
  storage: Qcow2Image['storage'],
): Promise<L2Visit[]> {
  const pieces = new Map<number, { offset: number; length: number }>();
  for (const { offset } of batch) {
    if (offset < storage.size) pieces.set(offset, { offset, length: clusterSize });
  }
  const tables = new Map<number, Uint8Array>();
  await gather(storage, [...pieces.values()], (piece, bytes) => {
    tables.set(piece.offset, bytes);
  });
  return batch.map((visit) => ({ ...visit, bytes: tables.get(visit.offset) }));
}

/** The active tree and those of the snapshots whose L1 table can be had, one after the other. */
export async function* allTrees(image: Qcow2Image): AsyncGenerator<L1Tree, undefined> {
  yield { l1: image.l1, snapshot: '', active: true };
  for (const snapshot of image.snapshots) {
    if (snapshotFault(image, snapshot) !== undefined) continue;
    const l1 = await readTable(image.storage, snapshot.l1TableOffset, snapshot.l1Size);
    yield { l1, snapshot: snapshot.name || snapshot.id, active: false };
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
