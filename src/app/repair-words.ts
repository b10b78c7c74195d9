import type { CheckReport, RepairPlan } from '../worker/api.ts';
import type { RepairGroup } from './changes-state.svelte.ts';
import { bytes, hex } from './units.ts';
import { words } from './words.svelte.ts';

type Sum = RepairPlan['sums'][number];

/** What a plan has of one group. */
export function sumsOf({ sums }: RepairPlan, group: RepairGroup): Sum[] {
  return sums.filter((sum) => groupOf(sum) === group);
}

function groupOf({ class: kind, loses }: Sum): RepairGroup {
  if (kind !== 'loses-data') return kind;
  return loses === 'unreadable' ? 'drops' : 'loses';
}

/** Where the first steps of a kind are: in the file, on the disk, in which snapshot. */
export function placesOf({ actions }: RepairPlan, sum: Sum): string[] {
  const { check } = words.image;
  const { tag } = words;
  return actions
    .filter((one) => one.kind === sum.kind && one.class === sum.class && one.loses === sum.loses)
    .flatMap(({ host, guest, snapshot, to }) => {
      const parts: string[] = [];
      if (host !== undefined) parts.push(hex(host.offset));
      if (to !== undefined) parts.push(`→ ${hex(to)}`);
      if (guest !== undefined) {
        parts.push(`${check.columns.guest} ${hex(guest.offset)} + ${bytes(guest.length, tag)}`);
      }
      if (snapshot !== undefined && snapshot !== '') parts.push(check.ofSnapshot(snapshot));
      return parts.length === 0 ? [] : [parts.join(' ')];
    });
}

/** What a check says, in short. */
export function findingWordsOf(report: CheckReport | undefined): string {
  const { numbers } = words.image.changes;
  if (report === undefined || report.aborted !== undefined) return numbers.unknown;
  return numbers.findingsOf(report.corruptions, report.leaks);
}

/** Guest bytes that cannot be read, before and after. */
export function lossOf({ layers }: RepairPlan): number {
  return layers.reduce((sum, one) => sum + Math.max(0, one.unreadable - one.recovered), 0);
}

/** Guest bytes that come back. */
export function recoveredOf({ layers }: RepairPlan): number {
  return layers.reduce((sum, one) => sum + one.recovered, 0);
}
