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

/** Where a step of a repair is: in the file, on the disk, in which snapshot. */
export interface StepPlace {
  host: Stretch | undefined;
  guest: Stretch | undefined;
  /** Where it goes in the file, and what else there is to say. */
  more: string;
}

interface Stretch {
  offset: number;
  length: number;
  text: string;
}

/** Where the first steps of a kind are. */
export function placesOf({ actions }: RepairPlan, sum: Sum): StepPlace[] {
  const { check } = words.image;
  const { tag } = words;
  return actions
    .filter((one) => one.kind === sum.kind && one.class === sum.class && one.loses === sum.loses)
    .map(({ host, guest, snapshot, to }) => {
      const more = to === undefined ? [] : [`→ ${hex(to)}`];
      if (snapshot !== undefined && snapshot !== '') more.push(check.ofSnapshot(snapshot));
      return {
        host: host && { ...host, text: hex(host.offset) },
        guest: guest && {
          ...guest,
          text: `${check.columns.guest} ${hex(guest.offset)} + ${bytes(guest.length, tag)}`,
        },
        more: more.join(' '),
      };
    })
    .filter(({ host, guest, more }) => host !== undefined || guest !== undefined || more !== '');
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
