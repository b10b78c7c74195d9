/**
 * The snapshot table as it stands, entry by entry with all of its bytes, to be mended and written
 * again. Specification: «Snapshots».
 */
import { alignUp, isAligned } from '../../../binary/units.ts';
import type { Storage } from '../../../storage/storage.ts';
import { ReadWindow } from '../../../storage/window.ts';
import { chargeMetadata } from '../budget.ts';
import type { Header } from '../header.ts';
import { LIMITS, SNAPSHOT_ENTRY, SNAPSHOT_EXTRA } from '../layout.ts';

type Fixed = ReturnType<typeof SNAPSHOT_ENTRY.read>;

/** One entry. */
export interface RawSnapshot {
  fixed: Fixed;
  extra: Uint8Array;
  readonly id: Uint8Array;
  readonly name: Uint8Array;
}

/** Bytes that an entry takes in memory beside its texts. */
const ENTRY_BYTES = 512;

export class SnapshotList {
  readonly entries: RawSnapshot[];
  /** Entries that the header counts and the table cannot have. */
  readonly overhang: number;
  /** Whether the header names a table that can be read. */
  readonly isReadable: boolean;
  /** Bytes of the table as it was found. */
  readonly size: number;
  changed = false;

  private constructor(entries: RawSnapshot[], overhang: number, isReadable: boolean, size: number) {
    this.entries = entries;
    this.overhang = overhang;
    this.isReadable = isReadable;
    this.size = size;
  }

  /** Reads what can be read; limits of the format end it. @throws ImageError too-large */
  static async read(storage: Storage, header: Header): Promise<SnapshotList> {
    const { snapshotCount, snapshotsOffset, clusterSize } = header;
    const isReadable =
      snapshotCount === 0 ||
      (isAligned(snapshotsOffset, clusterSize) && snapshotsOffset < storage.size);
    if (!isReadable) return new SnapshotList([], snapshotCount, false, 0);
    const table = new ReadWindow(storage, snapshotsOffset);
    const entries: RawSnapshot[] = [];
    const most = Math.min(snapshotCount, LIMITS.snapshots);
    let at = 0;
    let charged = 0;
    let end = 0;
    while (entries.length < most && snapshotsOffset + at < storage.size) {
      const fixed = SNAPSHOT_ENTRY.read(await table.read(at, SNAPSHOT_ENTRY.size));
      const { extraDataSize, idSize, nameSize } = fixed;
      const size = SNAPSHOT_ENTRY.size + extraDataSize + idSize + nameSize;
      if (at + size > LIMITS.snapshotTableBytes) break;
      const head = await table.read(
        at + SNAPSHOT_ENTRY.size,
        Math.min(extraDataSize, LIMITS.snapshotExtraBytes),
      );
      const extra = head.slice();
      const texts = await table.read(at + SNAPSHOT_ENTRY.size + extraDataSize, idSize + nameSize);
      charged += ENTRY_BYTES + size;
      chargeMetadata('snapshots', charged);
      entries.push({ fixed, extra, id: texts.slice(0, idSize), name: texts.slice(idSize) });
      end = at + size;
      at = alignUp(end, 8);
    }
    return new SnapshotList(entries, snapshotCount - entries.length, true, end);
  }

  /** The table as bytes. */
  serialize(): Uint8Array<ArrayBuffer> {
    const sizes = this.entries.map(
      ({ extra, id, name }) => SNAPSHOT_ENTRY.size + extra.length + id.length + name.length,
    );
    const total = sizes.reduce((sum, size) => alignUp(sum, 8) + size, 0);
    const bytes = new Uint8Array(total);
    let at = 0;
    for (const [index, { fixed, extra, id, name }] of this.entries.entries()) {
      at = alignUp(at, 8);
      SNAPSHOT_ENTRY.write(
        bytes,
        { ...fixed, extraDataSize: extra.length, idSize: id.length, nameSize: name.length },
        at,
      );
      let part = at + SNAPSHOT_ENTRY.size;
      for (const piece of [extra, id, name]) {
        bytes.set(piece, part);
        part += piece.length;
      }
      at += sizes[index] ?? 0;
    }
    return bytes;
  }
}

/** The name of an entry, or its id where it has none. */
export function labelOf({ id, name }: RawSnapshot): string {
  const decoder = new TextDecoder();
  return decoder.decode(name) || decoder.decode(id);
}

/** Bytes that the L1 table of an entry maps at least: its disk and its machine state. */
export function extentOf({ fixed, extra }: RawSnapshot, diskSize: number, coverage: number) {
  const known = SNAPSHOT_EXTRA.read(extra);
  const disk = extra.length >= 16 ? known.diskSize : diskSize;
  const state = extra.length >= 8 ? known.vmStateSize : fixed.vmStateSize;
  return alignUp(disk, coverage) + state;
}

/** Completes the extra data as version 3 wants it. */
export function completeExtra(entry: RawSnapshot, diskSize: number): void {
  const extra = new Uint8Array(Math.max(SNAPSHOT_EXTRA.size, entry.extra.length));
  extra.set(entry.extra);
  const known = SNAPSHOT_EXTRA.read(extra);
  const had = entry.extra.length;
  SNAPSHOT_EXTRA.write(extra, {
    vmStateSize: had >= 8 ? known.vmStateSize : entry.fixed.vmStateSize,
    diskSize: had >= 16 ? known.diskSize : diskSize,
    icount: had >= 24 ? known.icount : 0xffffffffffffffffn,
  });
  entry.extra = extra;
}
