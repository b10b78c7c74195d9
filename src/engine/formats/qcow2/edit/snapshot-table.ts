/**
 * Writing the snapshot table. Specification: «Snapshots». Entries get the extra data that version 3
 * demands; what is behind it, and nobody here knows, stays.
 */
import { alignUp } from '../../../binary/units.ts';
import { ImageError } from '../../../errors.ts';
import { ReadWindow } from '../../../storage/window.ts';
import type { Qcow2Image } from '../image.ts';
import { LIMITS, SNAPSHOT_ENTRY, SNAPSHOT_EXTRA } from '../layout.ts';
import type { Snapshot } from '../snapshots.ts';
import type { Qcow2Writer } from './writer.ts';

/** What a new entry says. */
export interface NewSnapshot {
  id: string;
  name: Uint8Array;
  l1TableOffset: number;
  /** Entries. */
  l1Size: number;
  dateSeconds: number;
  dateNanoseconds: number;
  /** Of the disk, bytes. */
  diskSize: number;
}

/** No instructions were counted. */
const NO_ICOUNT = 2n ** 64n - 1n;

/** The table's entries as they are to be written, in order. */
export async function readEntries(image: Qcow2Image): Promise<Uint8Array[]> {
  const table = new ReadWindow(image.storage, image.header.snapshotsOffset);
  const entries: Uint8Array[] = [];
  let at = 0;
  for (const snapshot of image.snapshots) {
    at = alignUp(at, 8);
    const fixed = SNAPSHOT_ENTRY.read(await table.read(at, SNAPSHOT_ENTRY.size));
    const size = SNAPSHOT_ENTRY.size + fixed.extraDataSize + fixed.idSize + fixed.nameSize;
    entries.push(completed(await table.read(at, size), snapshot, image.size));
    at += size;
  }
  return entries;
}

/** An entry with all the extra data that it should have. */
function completed(bytes: Uint8Array, snapshot: Snapshot, diskSize: number): Uint8Array {
  const fixed = SNAPSHOT_ENTRY.read(bytes);
  const old = fixed.extraDataSize;
  const known = Math.min(old, SNAPSHOT_EXTRA.size);
  const head = SNAPSHOT_ENTRY.size;
  const entry = new Uint8Array(bytes.length + SNAPSHOT_EXTRA.size - known);
  const { vmStateSize } = snapshot;
  const extraDataSize = old + SNAPSHOT_EXTRA.size - known;
  // Too large for the old field: whoever knows no other is to see no machine state at all.
  const vmStateSize32 = vmStateSize > 0xffffffff ? 0 : vmStateSize;
  entry.set(bytes.subarray(head + known), head + SNAPSHOT_EXTRA.size);
  SNAPSHOT_ENTRY.write(entry, { ...fixed, vmStateSize: vmStateSize32, extraDataSize });
  SNAPSHOT_EXTRA.write(
    entry,
    {
      vmStateSize,
      diskSize: old >= 16 ? snapshot.diskSize : diskSize,
      icount: old >= 24 ? SNAPSHOT_EXTRA.read(bytes, head).icount : NO_ICOUNT,
    },
    head,
  );
  return entry;
}

/** An entry of a snapshot without machine state. */
export function newEntry(snapshot: NewSnapshot): Uint8Array {
  const id = new TextEncoder().encode(snapshot.id);
  const head = SNAPSHOT_ENTRY.size;
  const idAt = head + SNAPSHOT_EXTRA.size;
  const entry = new Uint8Array(idAt + id.length + snapshot.name.length);
  SNAPSHOT_ENTRY.write(entry, {
    ...snapshot,
    idSize: id.length,
    nameSize: snapshot.name.length,
    vmClock: 0,
    vmStateSize: 0,
    extraDataSize: SNAPSHOT_EXTRA.size,
  });
  // The real program says that no instructions were executed, not that nobody counted them.
  SNAPSHOT_EXTRA.write(entry, { vmStateSize: 0, diskSize: snapshot.diskSize, icount: 0n }, head);
  entry.set(id, idAt);
  entry.set(snapshot.name, idAt + id.length);
  return entry;
}

/**
 * Writes a table to a new place, and frees the old one.
 * @param oldSize of the table that is there, bytes
 * @throws ImageError too-large
 */
export async function writeEntries(
  writer: Qcow2Writer,
  entries: readonly Uint8Array[],
  oldSize: number,
): Promise<void> {
  const { header, refcounts, clusterSize, storage } = writer;
  const { fields } = header;
  const size = entries.reduce((sum, entry) => alignUp(sum, 8) + entry.length, 0);
  if (size > LIMITS.snapshotTableBytes) {
    const limit = LIMITS.snapshotTableBytes;
    throw new ImageError('too-large', { what: 'snapshot table', value: String(size), limit });
  }
  const old = fields.snapshotsOffset;
  fields.snapshotCount = entries.length;
  fields.snapshotsOffset = 0;
  if (size > 0) {
    const table = new Uint8Array(size);
    let at = 0;
    for (const entry of entries) {
      at = alignUp(at, 8);
      table.set(entry, at);
      at += entry.length;
    }
    fields.snapshotsOffset = await refcounts.allocate(Math.ceil(size / clusterSize));
    await storage.write(fields.snapshotsOffset, table);
  }
  await refcounts.change(old, oldSize, -1);
}
