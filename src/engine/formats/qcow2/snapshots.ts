/**
 * The snapshot table. Specification: «Snapshots». Parsing is pure; the table is read through a
 * window, and what its entries take in memory is bounded.
 */
import { alignUp, hex64, isAligned } from '../../binary/units.ts';
import { ImageError, type HeaderProblem } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import { ReadWindow } from '../../storage/window.ts';
import { chargeMetadata, textBytes } from './budget.ts';
import { text } from './extensions.ts';
import type { Header } from './header.ts';
import { LIMITS, SNAPSHOT_ENTRY, SNAPSHOT_EXTRA } from './layout.ts';

/** One internal snapshot. Sizes in bytes. */
export interface Snapshot {
  readonly id: string;
  readonly name: string;
  readonly l1TableOffset: number;
  /** The same as hex text: exact where the number is not. */
  readonly l1TableOffsetText: string;
  /** Entries. */
  readonly l1Size: number;
  readonly dateSeconds: number;
  readonly dateNanoseconds: number;
  /** Nanoseconds. */
  readonly vmClock: number;
  readonly vmStateSize: number;
  readonly diskSize: number;
  /** Instruction count as decimal text; undefined when not recorded. */
  readonly icount: string | undefined;
  readonly extraDataSize: number;
}

export interface SnapshotTable {
  readonly snapshots: readonly Snapshot[];
  /** Bytes that the table takes in the file. */
  readonly size: number;
}

/** The table says something that no valid table says; `message` is qemu-img's sentence. */
function invalid(
  message: string,
  field: string,
  value: number,
  limit: number,
  problem: HeaderProblem = 'snapshot-table-invalid',
): never {
  throw new ImageError('invalid-header', {
    problem,
    field,
    value: String(value),
    limit: String(limit),
    message,
  });
}

/** Bytes that an entry takes in memory beside its texts. */
const SNAPSHOT_BYTES = 256;

/**
 * Reads the snapshot table that the header names (none: an empty one).
 * @throws ImageError invalid-header (snapshot-table-invalid), too-large
 */
export async function readSnapshots(storage: Storage, header: Header): Promise<SnapshotTable> {
  const { snapshotCount, snapshotsOffset } = header;
  const table = new ReadWindow(storage, snapshotsOffset);
  const snapshots: Snapshot[] = [];
  let charged = 0;
  let at = 0;
  for (let index = 0; index < snapshotCount; index++) {
    at = alignUp(at, 8);
    const size = entrySize(await table.read(at, SNAPSHOT_ENTRY.size), index);
    if (at + size > LIMITS.snapshotTableBytes) {
      // What is left over is what a repair would drop.
      const left = snapshotCount - index;
      invalid('Snapshot table is too big', 'snapshot table', left, LIMITS.snapshotTableBytes);
    }
    const snapshot = parseSnapshot(await table.read(at, size), header);
    charged += SNAPSHOT_BYTES + textBytes(snapshot.id) + textBytes(snapshot.name);
    chargeMetadata('snapshots', charged);
    snapshots.push(snapshot);
    at += size;
  }
  return { snapshots, size: at };
}

/**
 * What a check says of the header's snapshot fields (other opens refuse these images at once).
 * @throws ImageError invalid-header (snapshot-table-too-large, snapshot-table-offset)
 */
export function checkSnapshotPointer(header: Header): void {
  const { snapshotCount, snapshotsOffset, clusterSize } = header;
  if (snapshotCount > LIMITS.snapshots) {
    const message = 'snapshot table too large';
    invalid(message, 'snapshotCount', snapshotCount, LIMITS.snapshots, 'snapshot-table-too-large');
  }
  const end = snapshotsOffset + snapshotCount * SNAPSHOT_ENTRY.size;
  if (!isAligned(snapshotsOffset, clusterSize) || end >= 2 ** 63) {
    const message = 'snapshot table offset invalid';
    invalid(message, 'snapshotsOffset', snapshotsOffset, clusterSize, 'snapshot-table-offset');
  }
}

/**
 * What must hold of a snapshot's L1 table before it is read.
 * @throws ImageError invalid-header (snapshot-table-invalid)
 */
export function checkSnapshotL1(snapshot: Snapshot, { clusterSize }: Header): void {
  const { l1TableOffset, l1Size } = snapshot;
  if (l1Size * 8 > LIMITS.l1Bytes) {
    invalid('Snapshot L1 table too large', 'snapshot L1 size', l1Size, LIMITS.l1Bytes / 8);
  }
  if (!isAligned(l1TableOffset, clusterSize)) {
    const message = 'Snapshot L1 table offset invalid';
    invalid(message, 'snapshot L1 offset', l1TableOffset, clusterSize);
  }
}

/** Bytes of an entry as its fixed part says. */
function entrySize(fixed: Uint8Array, index: number): number {
  const { idSize, nameSize, extraDataSize } = SNAPSHOT_ENTRY.read(fixed);
  if (extraDataSize > LIMITS.snapshotExtraBytes) {
    const message = `Too much extra metadata in snapshot table entry ${String(index)}`;
    invalid(message, 'snapshot extra data', extraDataSize, LIMITS.snapshotExtraBytes);
  }
  return SNAPSHOT_ENTRY.size + extraDataSize + idSize + nameSize;
}

function parseSnapshot(bytes: Uint8Array, header: Header): Snapshot {
  const fixed = SNAPSHOT_ENTRY.read(bytes);
  const extraAt = SNAPSHOT_ENTRY.size;
  const extra = SNAPSHOT_EXTRA.read(bytes.subarray(extraAt, extraAt + fixed.extraDataSize));
  const idAt = extraAt + fixed.extraDataSize;
  const nameAt = idAt + fixed.idSize;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const hasCount = fixed.extraDataSize >= 24 && extra.icount !== 0xffffffffffffffffn;
  return {
    id: text(bytes.subarray(idAt, nameAt)),
    name: text(bytes.subarray(nameAt, nameAt + fixed.nameSize)),
    l1TableOffset: fixed.l1TableOffset,
    l1TableOffsetText: hex64(view.getUint32(0), view.getUint32(4)),
    l1Size: fixed.l1Size,
    dateSeconds: fixed.dateSeconds,
    dateNanoseconds: fixed.dateNanoseconds,
    vmClock: fixed.vmClock,
    vmStateSize: fixed.extraDataSize >= 8 ? extra.vmStateSize : fixed.vmStateSize,
    diskSize: fixed.extraDataSize >= 16 ? extra.diskSize : header.size,
    icount: hasCount ? extra.icount.toString() : undefined,
    extraDataSize: fixed.extraDataSize,
  };
}
