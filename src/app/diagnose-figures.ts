/** The figures behind a diagnosis as rows to be shown. */
import type { DiagnosisFacts, SizeForecasts, SpaceAccount, Survey } from '../worker/api.ts';
import type { DiagnoseText } from './text/en-diagnose.ts';
import { bytes, exactBytes, percent, whole } from './units.ts';
import { words } from './words.svelte.ts';

const GIB = 2 ** 30;

export type AccountKind = keyof DiagnoseText['space']['parts'];

const KINDS: readonly AccountKind[] = [
  ...(['active', 'compressed', 'shared', 'snapshotOnly', 'vmState', 'zeroHeld'] as const),
  ...(['metadata', 'leaked', 'free', 'tail', 'damaged', 'unknown'] as const),
];

/** One part of a file. Bytes. */
export interface AccountRow {
  kind: AccountKind;
  size: number;
  /** What it is made of, for tables: those that there are. */
  parts: { name: string; size: number }[];
}

/** The parts that there are, in the order of the bar. */
export function accountRows(space: SpaceAccount): AccountRow[] {
  return KINDS.map((kind) => ({
    kind,
    size: kind === 'metadata' ? sum(Object.values(space.metadata)) : space[kind],
    parts: kind === 'metadata' ? metadataParts(space) : [],
  })).filter(({ size }) => size > 0);
}

function metadataParts({ metadata }: SpaceAccount): AccountRow['parts'] {
  const names = words.part('diagnose').space.metadata;
  return (Object.keys(names) as (keyof typeof names)[])
    .map((key) => ({ name: names[key], size: metadata[key] }))
    .filter(({ size }) => size > 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** A figure with its name; `title` says it exactly, '' where it does so itself. */
export interface Figure {
  label: string;
  value: string;
  title: string;
}

/** How the content is laid out. */
export function figuresOf({ info, survey }: DiagnosisFacts): Figure[] {
  if (survey === undefined) return [];
  const text = words.part('diagnose').figures;
  const rows: Figure[] = [];
  const add = (label: string, value: string, title = ''): void => {
    rows.push({ label, value, title });
  };
  const { clusterSize } = info;
  if (clusterSize !== undefined) add(text.cluster, size(clusterSize), exact(clusterSize));
  addClusters(survey, add);
  addOrder(survey, add);
  if (info.qcow2 !== undefined && clusterSize !== undefined) {
    // An entry of 8 bytes for each cluster, of 16 where it counts its parts, too.
    const entry = info.qcow2.extendedL2 ? 16 : 8;
    const tables = Math.ceil(info.virtualSize / clusterSize) * entry;
    add(text.tables, size(tables), exact(tables));
  }
  const { preallocation } = survey;
  if (preallocation !== undefined) {
    add(text.preallocation, preallocation === 'metadata' ? text.metadata : text.growing);
  }
  return rows;
}

type Add = (label: string, value: string, title?: string) => void;

function addClusters({ clusters }: Survey, add: Add): void {
  if (clusters === undefined) return;
  const text = words.part('diagnose').figures;
  const used = clusters.normal + clusters.compressed + clusters.zeroHeld;
  add(text.allocated, text.ofAll(number(used), number(clusters.total)));
  if (clusters.compressed === 0) return;
  const share = percent(clusters.compressed, used, words.tag);
  add(text.packed, `${number(clusters.compressed)} (${share})`);
}

function addOrder({ order }: Survey, add: Add): void {
  if (order === undefined || order.allocated === 0) return;
  const text = words.part('diagnose').figures;
  const { fragmented, allocated, extents } = order;
  const share = percent(fragmented, allocated, words.tag);
  add(text.fragmented, text.fragmentedOf(number(fragmented), number(allocated), share));
  if (extents > 0) {
    const perGib = order.bytes > 0 ? number(Math.round(extents / (order.bytes / GIB))) : '–';
    // Of less than a GiB, it would be a number about nothing.
    add(text.extents, order.bytes < GIB ? number(extents) : text.perGib(number(extents), perGib));
    const back = percent(order.backward, extents, words.tag);
    add(text.backward, text.backwardOf(number(order.backward), back));
  }
  if (extents > 1) {
    const jump = Math.round(order.travel / (extents - 1));
    add(text.jump, size(jump), exact(jump));
  }
  const pieces = sum(order.gaps.map((gap) => gap.pieces));
  const free = sum(order.gaps.map((gap) => gap.bytes));
  if (pieces > 0) add(text.gaps, text.gap(number(pieces), size(free)), exact(free));
}

function size(value: number): string {
  return bytes(value, words.tag);
}

function exact(value: number): string {
  return exactBytes(value, words.tag);
}

function number(value: number): string {
  return whole(value, words.tag);
}

/** How long the file would be; `saved`: by how many bytes it would be shorter. */
export interface Gain {
  kind: 'compact' | 'compactWithout';
  size: number;
  saved: number;
}

export function gainsOf(fileSize: number, forecasts: SizeForecasts, snapshots: number): Gain[] {
  const { compact, compactWithoutSnapshots: without } = forecasts;
  const gains: Gain[] = [{ kind: 'compact', size: compact, saved: fileSize - compact }];
  if (snapshots > 0) {
    gains.push({ kind: 'compactWithout', size: without, saved: fileSize - without });
  }
  return gains;
}
