/** What the bytes of a file are for, in the few kinds that matter at a glance. */
import type { CellKind } from '../worker/api.ts';
import type { SpacePart } from './contents-state.svelte.ts';
import type { ContentsText } from './text/en-contents.ts';

export type SpaceKind = keyof ContentsText['space']['parts'];

/** In the order of the bar. Kinds of the disk alone do not turn up in a file. */
const ORDER: readonly SpaceKind[] = [
  ...(['data', 'compressed', 'snapshots', 'held', 'metadata'] as const),
  ...(['leaked', 'damaged', 'unknown', 'free'] as const),
];

const KINDS: Readonly<Record<CellKind, SpaceKind>> = {
  ...{ data: 'data', compressed: 'compressed', backing: 'data', 'snapshot-data': 'snapshots' },
  ...{ 'zero-held': 'held', zero: 'held', header: 'metadata', refcounts: 'metadata' },
  ...{ l1: 'metadata', l2: 'metadata', snapshots: 'metadata', bitmaps: 'metadata' },
  ...{ crypto: 'metadata', metadata: 'metadata', leaked: 'leaked', damaged: 'damaged' },
  ...{ unknown: 'unknown', free: 'free', unallocated: 'free' },
};

/** The parts that there are, each once; bytes. */
export function spaceOf(parts: readonly SpacePart[]): { kind: SpaceKind; size: number }[] {
  const sums = new Map<SpaceKind, number>();
  for (const { kind, size } of parts) {
    const group = KINDS[kind];
    sums.set(group, (sums.get(group) ?? 0) + size);
  }
  return ORDER.map((kind) => ({ kind, size: sums.get(kind) ?? 0 })).filter(({ size }) => size > 0);
}
