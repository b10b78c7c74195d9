/**
 * Taking, applying and deleting internal snapshots. Specification: «Snapshots». A snapshot is a
 * copy of the L1 table that counts as a user of everything it reaches.
 */
import { divideRoundUp, isAligned, SECTOR } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { OverlayStorage } from '../../../storage/overlay.ts';
import { Qcow2Image } from '../image.ts';
import { LIMITS } from '../layout.ts';
import { checkSnapshotL1, type Snapshot } from '../snapshots.ts';
import { readTable } from '../tables.ts';
import { editQcow2 } from './open.ts';
import { newEntry, readEntries, writeEntries } from './snapshot-table.ts';
import { TableWalk } from './table-walk.ts';
import type { Qcow2Writer } from './writer.ts';
import { wordsToBytes } from './words.ts';

/** What a change takes and gives back within the file: whole clusters, bytes. */
export interface SnapshotEffect {
  readonly taken: number;
  readonly freed: number;
}

/** What a new snapshot is called, and when it was taken. */
export interface SnapshotLabel {
  /** Without one, it gets the next that is free. */
  id?: string;
  name: string;
  /** Since 1970. */
  seconds: number;
  nanoseconds: number;
}

/** As many bytes of a name are kept, as the real program keeps. */
const NAME_BYTES = 255;

/** @throws ImageError snapshot-refused: content outside of the file has no snapshots */
function refuseDataFile({ header }: Qcow2Image): void {
  if (header.hasDataFile) throw new ImageError('snapshot-refused', { reason: 'data-file' });
}

/**
 * Takes a snapshot of the disk.
 * @param writer opened from `image` and not used for anything else yet
 * @throws ImageError snapshot-refused, too-large, refcount-limit, refcount-wrong, l2-damaged,
 * unreadable-cluster, cancelled
 */
export async function createSnapshot(
  image: Qcow2Image,
  writer: Qcow2Writer,
  label: SnapshotLabel,
  signal?: AbortSignal,
): Promise<SnapshotEffect & { id: string }> {
  if (image.snapshots.length >= LIMITS.snapshots) {
    const limit = LIMITS.snapshots;
    throw new ImageError('too-large', { what: 'snapshots', value: String(limit + 1), limit });
  }
  refuseDataFile(image);
  const { refcounts, storage, clusterSize } = writer;
  await writer.settleTables();
  const l1 = writer.l1.slice();
  const l1Bytes = l1.length * 4;
  const l1TableOffset = await refcounts.allocate(divideRoundUp(l1Bytes, clusterSize));
  await storage.write(l1TableOffset, wordsToBytes(l1));
  writer.replaceL1(await new TableWalk(writer, signal).share(l1));
  const id = label.id ?? nextId(image.snapshots);
  const entry = newEntry({
    id,
    name: new TextEncoder().encode(label.name).subarray(0, NAME_BYTES),
    l1TableOffset,
    l1Size: l1.length / 2,
    dateSeconds: label.seconds,
    dateNanoseconds: label.nanoseconds,
    diskSize: image.size,
  });
  const entries = [...(await readEntries(image)), entry];
  await writeEntries(writer, entries, image.snapshotTable.size);
  return { id, ...refcounts.moved };
}

/** One more than the largest id that is a number, as C reads and prints them. */
export function nextId(snapshots: readonly { readonly id: string }[]): string {
  let most = 0n;
  for (const { id } of snapshots) {
    const value = unsignedLong(id);
    if (value > most) most = value;
  }
  return BigInt.asUintN(64, most + 1n).toString();
}

function unsignedLong(text: string): bigint {
  const [, sign, digits] = /^[ \t\n\v\f\r]*([+-]?)(\d+)/.exec(text) ?? [];
  const value = BigInt(digits ?? 0);
  if (value >= 2n ** 64n) return 2n ** 64n - 1n;
  return sign === '-' ? BigInt.asUintN(64, -value) : value;
}

/**
 * Whether any snapshot can be applied.
 * @throws ImageError snapshot-refused
 */
export function checkApplicable(image: Qcow2Image): void {
  if (image.bitmaps.length > 0) throw new ImageError('snapshot-refused', { reason: 'bitmaps' });
  refuseDataFile(image);
}

/**
 * Makes the disk what it was when a snapshot was taken, its size included. What the disk holds now
 * is lost; the snapshot stays.
 * @param writer opened from `image` and not used for anything else yet
 * @throws ImageError snapshot-refused, invalid-header (its L1 table cannot be had), and as
 * {@link createSnapshot}
 */
export async function applySnapshot(
  image: Qcow2Image,
  writer: Qcow2Writer,
  snapshot: Snapshot,
  signal?: AbortSignal,
): Promise<SnapshotEffect> {
  checkApplicable(image);
  checkSnapshotL1(snapshot, image.header);
  checkDiskSize(image, snapshot);
  await writer.settleTables();
  const { fields } = writer.header;
  fields.size = snapshot.diskSize;
  const needed = divideRoundUp(snapshot.diskSize, image.header.l2Coverage);
  await growL1(writer, Math.max(needed, snapshot.l1Size));
  const walk = new TableWalk(writer, signal);
  const l1 = await readTable(writer.storage, snapshot.l1TableOffset, snapshot.l1Size);
  const old = writer.l1.slice();
  await walk.count(l1, 1);
  await walk.count(old, -1);
  writer.replaceL1(await walk.markCopied(l1));
  return writer.refcounts.moved;
}

/** The disk changes its size where the snapshot's was another. */
function checkDiskSize(image: Qcow2Image, { diskSize }: Snapshot): void {
  if (diskSize === image.size) return;
  if (!isAligned(diskSize, SECTOR)) throw new ImageError('snapshot-refused', { reason: 'size' });
  if (image.header.version < 3) throw new ImageError('snapshot-refused', { reason: 'version' });
}

/** @throws ImageError too-large where the format has no L1 table of so many entries */
async function growL1(writer: Qcow2Writer, entries: number): Promise<void> {
  if (entries * 8 > LIMITS.l1Bytes) {
    const limit = LIMITS.l1Bytes;
    throw new ImageError('too-large', { what: 'L1 table', value: String(entries * 8), limit });
  }
  await writer.growL1(entries);
}

/**
 * Deletes a snapshot: what nothing else uses becomes free.
 * @param writer opened from `image` and not used for anything else yet
 * @throws ImageError as {@link applySnapshot}
 */
export async function deleteSnapshot(
  image: Qcow2Image,
  writer: Qcow2Writer,
  snapshot: Snapshot,
  signal?: AbortSignal,
): Promise<SnapshotEffect> {
  refuseDataFile(image);
  checkSnapshotL1(snapshot, image.header);
  await writer.settleTables();
  const entries = await readEntries(image);
  entries.splice(image.snapshots.indexOf(snapshot), 1);
  await writeEntries(writer, entries, image.snapshotTable.size);
  const walk = new TableWalk(writer, signal);
  await release(walk, writer, snapshot);
  writer.replaceL1(await walk.markCopied(writer.l1));
  return writer.refcounts.moved;
}

/** Gives back what a snapshot uses, and its L1 table. */
async function release(walk: TableWalk, writer: Qcow2Writer, snapshot: Snapshot): Promise<void> {
  const { l1TableOffset, l1Size } = snapshot;
  await walk.count(await readTable(writer.storage, l1TableOffset, l1Size), -1);
  await writer.refcounts.change(l1TableOffset, l1Size * 8, -1);
}

/**
 * What deleting a snapshot would free, bytes; nothing is changed. The image may be open for reading
 * only. Its other snapshots still hold what they share with it.
 * @throws ImageError as {@link deleteSnapshot}
 */
export async function planDeletion(
  image: Qcow2Image,
  snapshot: Snapshot,
  signal?: AbortSignal,
): Promise<SnapshotEffect> {
  refuseDataFile(image);
  checkSnapshotL1(snapshot, image.header);
  // Refcounts that do not fit into memory go to an overlay that is thrown away.
  const storage = new OverlayStorage(image.storage);
  const scratch = new Qcow2Image(storage, image.header, {
    l1: image.l1,
    snapshots: image.snapshotTable,
    snapshotError: undefined,
    bitmaps: [],
    luks: image.luks,
    luksError: undefined,
  });
  const writer = await editQcow2(scratch);
  try {
    await release(new TableWalk(writer, signal), writer, snapshot);
    return writer.refcounts.moved;
  } finally {
    await storage.close();
  }
}
