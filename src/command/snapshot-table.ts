/** Internal snapshots as `qemu-img info` and `snapshot -l` list them. */
import type { SnapshotInfo } from '../engine/operations/inspect.ts';
import { formatSize } from './sizes.ts';

/** The table of an image that has snapshots: a line each, behind a title and a heading. */
export function snapshotTable(snapshots: readonly SnapshotInfo[]): string[] {
  const row = (id: string, tag: string, size: string, date: string, clock: string, count: string) =>
    [
      `${padEnd(id, 9)} ${padEnd(tag, 16)} ${size.padStart(8)}`,
      date.padStart(20),
      clock.padStart(13),
      count.padStart(11),
    ].join('');
  const heading = row('ID', 'TAG', 'VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT');
  const rows = snapshots.map((snapshot) =>
    row(
      snapshot.id,
      snapshot.name,
      formatSize(snapshot.vmStateSize),
      localTime(snapshot.dateSeconds),
      clockText(snapshot.vmClockNanoseconds),
      // The real program prints it with a sign.
      snapshot.icount === undefined ? '' : String(BigInt.asIntN(64, BigInt(snapshot.icount))),
    ),
  );
  return ['Snapshot list:', heading, ...rows];
}

/** Pads to a width in bytes, as C does: names need not be ASCII. */
function padEnd(text: string, width: number): string {
  const { length } = new TextEncoder().encode(text);
  return text + ' '.repeat(Math.max(0, width - length));
}

/** Local time, as the real program prints it. */
function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** Hours, minutes, seconds and thousandths that the guest's clock had run. */
function clockText(nanoseconds: number): string {
  const seconds = Math.floor(nanoseconds / 1e9);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two);
  const thousandths = Math.floor((nanoseconds / 1e6) % 1000);
  return `${time.join(':')}.${String(thousandths).padStart(3, '0')}`;
}
