/**
 * What a repair does, as plain data: it goes through postMessage and JSON as it is. Words for it
 * live in `command/repair-messages.ts` and in `app/text`.
 */
import type { CheckReport } from '../../../operations/check-report.ts';
import type { Range } from '../../../operations/finding.ts';

/**
 * How sure we are of an action.
 * - `safe`: nothing that can be read changes, and nothing that could be found again is given up.
 * - `guess`: nothing that can be read changes, but what was meant is inferred.
 * - `loses-data`: something is given up; {@link RepairAction.loses} says whether it can be read yet.
 */
export const REPAIR_CLASSES = ['safe', 'guess', 'loses-data'] as const;
export type RepairClass = (typeof REPAIR_CLASSES)[number];

/** Every action that a repair knows. */
export const REPAIR_KINDS = [
  // Refcounts
  'free-leak', // refcount > references: lowered
  'free-doubtful-leak', // the same, while pointers that may have led there are damaged
  'free-lost-table', // the same of clusters that look like a lost table and what it leads to
  'raise-refcount', // refcount < references: raised
  'replace-refcount-block', // the block cannot be used: a new one is computed
  'replace-refcount-table', // so the table
  'copied-l1', // COPIED flag of an L1 entry
  'copied-l2', // COPIED flag of an L2 entry
  // Tables
  'l1-reserved-bits', // bits that must be zero are cleared
  'l2-reserved-bits',
  'l1-outside', // an L1 entry behind the end of the file (it reads as empty): removed
  'l1-unaligned', // an L1 entry between clusters (it cannot be read): removed
  'l1-aligned', // the same, put right: the table is where the cluster begins
  'put-back-l2', // a lost L2 table is entered again
  'put-back-l1', // the L1 table of a layer was found
  'keep-lost-tables', // lost L2 tables of unknown place get a snapshot of their own
  'data-outside', // an entry behind the end of the file (it reads as zeros): says zeros
  'data-unaligned', // an entry between clusters (it cannot be read): says zeros
  'data-aligned', // the same, put right: the data is where the cluster begins
  'zero-place', // zeros whose kept place is no place: zeros without one
  'compressed-copied', // COPIED on a compressed entry: cleared
  'compressed-bitmap', // subcluster bitmap on a compressed entry: cleared
  'compressed-shortened', // a compressed cluster's length reaches behind the file: cut
  'compressed-unreadable', // a compressed cluster that cannot be unpacked where it is: says zeros
  'subclusters-contradict', // both bits of a subcluster: the data bit counts
  'subclusters-unallocated', // subclusters in no cluster: their bits are cleared
  'zero-in-v2', // zero flag in version 2: cleared
  // Clusters with two owners
  'copy-data', // the second owner gets a copy
  'copy-l2',
  'move-l1', // an L1 table that shares its place gets another
  'move-compressed',
  // Snapshots
  'snapshot-incomplete', // extra data completed
  'snapshot-extra-cut', // extra data beyond the limit removed
  'snapshot-l1-emptied', // L1 table behind the end of the file (it reads as empty): an empty one
  'snapshot-l1-resized', // impossible length of an L1 table: what the disk needs
  'snapshot-dropped', // a snapshot of which nothing can be read
  'snapshot-table-rewritten',
  // Bitmaps
  'bitmap-entry-dirty', // a part of a bitmap that cannot be read: all of it counts as changed
  'bitmap-dropped',
  'bitmaps-extension-dropped',
  // Header
  'header-field',
  'header-rebuilt',
  'clear-dirty',
  'clear-corrupt',
  'clear-autoclear',
] as const;
export type RepairKind = (typeof REPAIR_KINDS)[number];

/** One action. */
export interface RepairAction {
  kind: RepairKind;
  class: RepairClass;
  /** What is given up: nothing; what cannot be read anyway; what can still be read or found. */
  loses: 'nothing' | 'unreadable' | 'findable';
  /** Whether it belongs to what was chosen. */
  chosen: boolean;
  /** Where in the file, bytes. */
  host?: Range;
  /** Which guest bytes are concerned. */
  guest?: Range;
  /** The snapshot ('' or absent: the active layer). */
  snapshot?: string;
  /** Where it goes, where it gets another place, bytes. */
  to?: number;
  /** The numbers; 64-bit entries are hex text without 0x. */
  values: Record<string, number | string>;
}

/** Why something is not repaired. */
export const REFUSALS = [
  'encrypted-copy', // a copy of LUKS encrypted data would need the key
  'too-many-copies', // more copies than the memory may hold
  'overlap', // tables share their place with something else, and nothing may be moved
  'lost-table', // clusters that look like a lost table are kept for it to be put back
  'doubtful-leak', // leaks are kept while damaged pointers may have led there
  'header-unknown', // the header says what nobody here knows
  'header-lost', // and no evidence of what it said
  'backing-name', // the name of the backing file is lost
  'external-data', // something about the external data file that no table can mend
  'unreadable-medium', // the medium does not give what is needed
  'still-damaged', // the check of the result still finds this
] as const;
export type RefusalReason = (typeof REFUSALS)[number];

export interface Refusal {
  reason: RefusalReason;
  count: number;
  host?: Range;
  guest?: Range;
  values: Record<string, number | string>;
}

/** How many actions of one kind and class there are. */
export interface RepairSum {
  kind: RepairKind;
  class: RepairClass;
  loses: RepairAction['loses'];
  chosen: boolean;
  count: number;
}

/** A layer whose content was compared before and after. */
export interface ComparedLayer {
  /** '' for the active layer. */
  snapshot: string;
  /** Guest bytes, VM state included, that could be read before and read the same after. */
  same: number;
  /** Of these, how many were read and compared, as their place in the file has changed. */
  read: number;
  /** Guest bytes that could not be read before. */
  unreadable: number;
  /** Guest bytes that a table that was put back brings. */
  recovered: number;
}

/** What a repair would do, and what the image is like before and after. */
export interface RepairPlan {
  /** In the order of the work; the first of each kind, at most some hundreds. */
  actions: RepairAction[];
  /** All of them, counted. */
  sums: RepairSum[];
  refusals: Refusal[];
  /** The checks before and after; undefined where the image cannot even be opened. */
  before: CheckReport | undefined;
  after: CheckReport | undefined;
  layers: ComparedLayer[];
  /** Bytes that are written, and by how much the file grows. */
  written: number;
  grows: number;
}

/** What may be done. */
export interface RepairChoice {
  classes: readonly RepairClass[];
  /**
   * Also those actions of class `loses-data` that give up only what cannot be read anyway:
   * together with `safe` and `guess`, this is `-r all`.
   */
  dropsUnreadable?: boolean | undefined;
  /** Also puts back lost tables where the place that they belong to now reads as empty. */
  recovers?: boolean | undefined;
}

/** `-r leaks`. */
export const CHOICE_SAFE: RepairChoice = { classes: ['safe'] };
/** `-r all`. */
export const CHOICE_ALL: RepairChoice = { classes: ['safe', 'guess'], dropsUnreadable: true };

const KEPT_OF_A_KIND = 100;

type NewAction = Omit<RepairAction, 'chosen' | 'loses' | 'values'> & {
  loses?: RepairAction['loses'];
  values?: RepairAction['values'];
};

/** Collects what is done. */
export class RepairLog {
  readonly actions: RepairAction[] = [];
  readonly refusals: Refusal[] = [];
  /** Leaks that the last check has found. */
  leaks = 0;
  readonly #choice: RepairChoice;
  readonly #sums = new Map<string, RepairSum>();
  readonly #listener: ((action: RepairAction) => void) | undefined;

  constructor(choice: RepairChoice, listener?: (action: RepairAction) => void) {
    this.#choice = choice;
    this.#listener = listener;
  }

  get sums(): RepairSum[] {
    return [...this.#sums.values()];
  }

  /** How many actions were chosen so far. */
  get chosen(): number {
    let count = 0;
    for (const sum of this.#sums.values()) if (sum.chosen) count += sum.count;
    return count;
  }

  countOf(kind: RepairKind): number {
    let count = 0;
    for (const sum of this.#sums.values()) if (sum.kind === kind) count += sum.count;
    return count;
  }

  /** What was not chosen, or refused, comes up again when the work is gone through once more. */
  startRound(): void {
    this.refusals.length = 0;
    for (const [key, { chosen }] of this.#sums) if (!chosen) this.#sums.delete(key);
    const kept = this.actions.filter(({ chosen }) => chosen);
    this.actions.splice(0, this.actions.length, ...kept);
  }

  /** Whether such an action is to be done. */
  allows(kind: RepairClass, loses: RepairAction['loses'] = 'nothing'): boolean {
    if (this.#choice.classes.includes(kind)) return true;
    return kind === 'loses-data' && loses === 'unreadable' && this.#choice.dropsUnreadable === true;
  }

  get recovers(): boolean {
    return this.#choice.recovers === true;
  }

  /** Notes an action; returns whether it is to be done. */
  add(action: NewAction): boolean {
    const { loses = 'nothing', values = {} } = action;
    const chosen = this.allows(action.class, loses);
    const key = `${action.kind}/${action.class}/${loses}`;
    const sum = this.#sums.get(key);
    if (sum === undefined) {
      this.#sums.set(key, { kind: action.kind, class: action.class, loses, chosen, count: 1 });
    } else sum.count += 1;
    const full: RepairAction = { ...action, loses, values, chosen };
    if ((sum?.count ?? 0) < KEPT_OF_A_KIND) this.actions.push(full);
    this.#listener?.(full);
    return chosen;
  }

  refuse(reason: RefusalReason, details: Partial<Refusal> = {}): void {
    const same = this.refusals.find((one) => one.reason === reason);
    if (same !== undefined) same.count += details.count ?? 1;
    else this.refusals.push({ reason, count: 1, values: {}, ...details });
  }
}
