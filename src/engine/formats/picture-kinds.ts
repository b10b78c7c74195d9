/** What the cells of a picture can be: what a stretch of a file or of a disk is. */

/**
 * - of a file: `header`, `refcounts`, `l1`, `l2`, `snapshots` (their list and their tables),
 *   `bitmaps`, `crypto` (the LUKS header), `metadata` (tables of other formats), `leaked`, `free`;
 *   `snapshot-data`: content that only snapshots still use
 * - of a disk: `zero`: says that it is zeros and holds no room; `backing`: comes from the image
 *   below; `unallocated`: nobody ever wrote there, zeros
 * - of both: `data`, `compressed`, `zero-held` (zeros that still hold room), `damaged`, and
 *   `unknown`: it is in a file that was not given, or a table that cannot be read would tell
 */
export type CellKind =
  | 'header'
  | 'refcounts'
  | 'l1'
  | 'l2'
  | 'snapshots'
  | 'bitmaps'
  | 'crypto'
  | 'metadata'
  | 'data'
  | 'snapshot-data'
  | 'compressed'
  | 'zero-held'
  | 'zero'
  | 'backing'
  | 'unallocated'
  | 'leaked'
  | 'free'
  | 'damaged'
  | 'unknown';

/** All of them. A cell has the index of its kind here in its lower bits. */
export const CELL_KINDS: readonly CellKind[] = [
  'header',
  'refcounts',
  'l1',
  'l2',
  'snapshots',
  'bitmaps',
  'crypto',
  'metadata',
  'data',
  'snapshot-data',
  'compressed',
  'zero-held',
  'zero',
  'backing',
  'unallocated',
  'leaked',
  'free',
  'damaged',
  'unknown',
];

/** The bits of a cell that say its kind. */
export const KIND_MASK = 0x3f;
/** Something leaked is in it: its refcount is higher than it should be. */
export const HAS_LEAK = 0x40;
/** Something damaged is in it. */
export const HAS_DAMAGE = 0x80;

/** The cell of a kind, without further bits. */
export function cellOf(kind: CellKind): number {
  return CELL_KINDS.indexOf(kind);
}

/** The kind of a cell. */
export function kindOf(cell: number): CellKind {
  return CELL_KINDS[cell & KIND_MASK] ?? 'unknown';
}

/** A run of one kind. Offsets and lengths in bytes. */
export interface PictureRun {
  offset: number;
  length: number;
  kind: CellKind;
  /** Where its bytes are on the other side; -1: nowhere, or in many places. */
  other: number;
}

/** What refers to a place of a file. */
export interface FileUse {
  /** Undefined for metadata, which the guest does not see. */
  guestOffset: number | undefined;
  /** Where what it uses begins in the file. */
  fileOffset: number | undefined;
  /** '' for the disk as it is now. */
  snapshot: string;
  /** Where the entry that says so is in the file. */
  entry: { offset: number; length: number } | undefined;
  /** Its id in the tree of structures. */
  node: string | undefined;
}

/** What lies at an address of a file, and where it belongs. */
export interface FilePlace {
  offset: number;
  length: number;
  kind: CellKind;
  /** The active disk first; at most some. */
  uses: FileUse[];
  /** There are more than `uses` tells. */
  moreUses: boolean;
  /** How often the image says that it is used, and how often it really is. */
  refcount: { stored: number; counted: number } | undefined;
  /** The structure that it is (part of), by its id in the tree of structures. */
  node: string | undefined;
}

/** How a walk over tables says how far it is, and how it is stopped. */
export interface Walk {
  /** Announces work to come, bytes of tables. */
  expect(bytes: number): void;
  /** Says that work is done; lets events in. @throws ImageError cancelled */
  passed(bytes: number): Promise<void>;
}
