/** How each kind of cell is told from the others: by a letter, a pattern and a colour. */
import type { CellKind } from '../worker/api.ts';

/** What is drawn on a cell that is large enough for it. */
export type Pattern =
  'plain' | 'rising' | 'falling' | 'upright' | 'level' | 'dots' | 'frame' | 'ring' | 'cross';

export interface Look {
  /** On large cells and in the legend; the same in every language. */
  letter: string;
  pattern: Pattern;
}

/** The looks of all kinds, in the order of the legend: what is wrong comes first. */
export const LOOKS: Record<CellKind, Look> = {
  damaged: { letter: '×', pattern: 'cross' },
  leaked: { letter: '!', pattern: 'falling' },
  unknown: { letter: '?', pattern: 'falling' },
  header: { letter: 'H', pattern: 'plain' },
  refcounts: { letter: 'R', pattern: 'level' },
  l1: { letter: 'L1', pattern: 'plain' },
  l2: { letter: 'L2', pattern: 'upright' },
  snapshots: { letter: 'S', pattern: 'plain' },
  bitmaps: { letter: 'B', pattern: 'dots' },
  crypto: { letter: 'K', pattern: 'upright' },
  metadata: { letter: 'M', pattern: 'level' },
  data: { letter: '', pattern: 'plain' },
  'snapshot-data': { letter: '', pattern: 'level' },
  compressed: { letter: '', pattern: 'rising' },
  'zero-held': { letter: '0', pattern: 'frame' },
  zero: { letter: '0', pattern: 'plain' },
  backing: { letter: '↓', pattern: 'dots' },
  unallocated: { letter: '', pattern: 'ring' },
  free: { letter: '', pattern: 'ring' },
};

/** All kinds, in the order of the legend. */
export const KIND_ORDER = Object.keys(LOOKS) as CellKind[];

/** Sorts by the order of the legend. */
export function byLegend(one: { kind: CellKind }, other: { kind: CellKind }): number {
  return KIND_ORDER.indexOf(one.kind) - KIND_ORDER.indexOf(other.kind);
}
