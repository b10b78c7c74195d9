/**
 * What one walk over the tables of an image finds out for a diagnosis: where the bytes of the file
 * are and whose, and in which order. Plain data, numbers without judgement. Sizes in bytes.
 */

/** Every byte of a file, each counted once: the parts sum up to `fileSize`. */
export interface SpaceAccount {
  fileSize: number;
  /** Plain content that the disk as it is now uses, alone. */
  active: number;
  /** Clusters that hold packed content of which some belongs to the disk as it is now. */
  compressed: number;
  /** Plain content that the disk as it is now shares with snapshots. */
  shared: number;
  /** Content and tables that only snapshots use. */
  snapshotOnly: number;
  /** State of machines that snapshots keep. */
  vmState: number;
  /** Clusters that read as zeros and still hold room, of the disk as it is now. */
  zeroHeld: number;
  metadata: MetadataSpace;
  /** Nothing uses it, and its refcount says that something did. */
  leaked: number;
  /** Free between used clusters. */
  free: number;
  /** Behind the last used cluster. */
  tail: number;
  /** Two claim it that must not share it. */
  damaged: number;
  /** Nobody can tell: tables that cannot be read, or a format that does not say. */
  unknown: number;
}

/** Bytes of whole clusters of metadata, those of snapshots only where named. */
export interface MetadataSpace {
  header: number;
  l1: number;
  l2: number;
  refcounts: number;
  /** The list of snapshots and the L1 tables of all. */
  snapshots: number;
  bitmaps: number;
  crypto: number;
  /** Tables of other formats. */
  other: number;
}

/** What one snapshot holds. Bytes of clusters of the file. */
export interface SnapshotSpace {
  id: string;
  name: string;
  /** Only it uses them: deleting it alone frees them. */
  exclusive: number;
  /** All that it refers to. */
  total: number;
  /** State of a machine; part of both. */
  vmState: number;
  /** When it was taken, seconds since 1970. */
  dateSeconds: number;
}

/** Clusters of the disk as it is now, by what they are. Guest clusters. */
export interface ClusterCounts {
  total: number;
  /** Plain data. */
  normal: number;
  compressed: number;
  /** Read as zeros without room of their own. */
  zero: number;
  zeroHeld: number;
  unallocated: number;
  invalid: number;
}

/** In which order content lies in the file. */
export interface OrderFacts {
  /** As qemu-img's check counts: clusters that do not follow the one before them. */
  fragmented: number;
  /** Clusters that qemu-img counts as allocated: normal and compressed. */
  allocated: number;
  /** Runs of plain content that follow each other in the disk and in the file. */
  extents: number;
  /** Bytes of plain content. */
  bytes: number;
  /** Runs that begin before the end of the one before them in the file: reading goes back. */
  backward: number;
  /** Sum of the distances from each run to the next, bytes. */
  travel: number;
  /** Free space between used clusters, by the size of its pieces. */
  gaps: GapClass[];
}

export interface GapClass {
  /** Pieces of up to so many bytes; Infinity is -1, for JSON. */
  upTo: number;
  pieces: number;
  bytes: number;
}

/** How large the file would be, computed from its tables. Bytes. */
export interface SizeForecasts {
  /** Rewritten in guest order, with snapshots and bitmaps; packed clusters stay packed. */
  compact: number;
  /** The same without the snapshots; equal to `compact` where there are none. */
  compactWithoutSnapshots: number;
}

/** All of it. */
export interface Survey {
  space: SpaceAccount;
  /** In the order of the image's list. */
  snapshots: SnapshotSpace[];
  /** Undefined for formats whose tables say nothing of it. */
  clusters: ClusterCounts | undefined;
  order: OrderFacts | undefined;
  forecasts: SizeForecasts | undefined;
  /**
   * How the tables look: `metadata`: every cluster has its place, in order, and nothing was written
   * to most of them yet cannot be told; `none`: grows as it is written. Undefined: not known.
   */
  preallocation: 'none' | 'metadata' | undefined;
}
