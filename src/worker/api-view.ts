/**
 * What passes between the page and the worker about looking into an image: its picture, its
 * structures, its bytes, what the guest keeps on it. Plain data. Types only.
 * Offsets and lengths are bytes.
 */
import type { FileSystemInfo } from '../engine/guest/file-system.ts';
import type { PartitionTable } from '../engine/guest/partitions.ts';
import type { FieldStyle } from '../engine/binary/struct.ts';
import type { CellKind, PictureRun } from '../engine/formats/picture-kinds.ts';
import type { StructureNode, StructureValue } from '../engine/formats/structure.ts';
import type { StructureKey, StructureKeys } from '../engine/operations/structure-keys.ts';
import type { ImageId, SnapshotChoice } from './api.ts';

export type { CellKind, FieldStyle, FileSystemInfo, PartitionTable, PictureRun };
export type { StructureKey, StructureKeys, StructureNode, StructureValue };

/** Which addresses are meant: those of the image's file, or of the disk as the guest sees it. */
export type AddressSpace = 'file' | 'guest';

/** Looks at all tables once and draws the picture of one side. */
export interface PictureRequest {
  kind: 'picture';
  image: ImageId;
  space: AddressSpace;
}

/**
 * The picture of a file or a disk, coarse and fine. A cell is a byte: the index of its kind in
 * `kinds` in the lower 6 bits, and above it 0x40: something leaked is in it, 0x80: something damaged.
 */
export interface Picture {
  space: AddressSpace;
  /** Bytes of the file or of the disk. */
  size: number;
  /** Bytes of a cluster; of a raw disk the unit that the picture was made with. */
  clusterSize: number;
  /** Bytes of one cell of `levels[0]`: a cluster, or a power of two of them for the very largest. */
  unit: number;
  kinds: CellKind[];
  /**
   * `levels[i]` has one cell for each `unit * 4 ** i` bytes, up to a level of at most 4096 cells. A
   * cell that stands for several clusters shows the kind that most of its bytes are of.
   */
  levels: Uint8Array<ArrayBuffer>[];
  /** Exact bytes of each kind, in the order of `kinds`. */
  sums: number[];
  /** Runs of one kind. */
  runs: number;
}

/** What lies at an address, and where it belongs. */
export interface Place {
  space: AddressSpace;
  /** The cluster, structure or part of one that the address is in. */
  offset: number;
  length: number;
  kind: CellKind;
  /** What refers to it, or what it is the other side of; the active disk first; at most some. */
  uses: PlaceUse[];
  /** There are more than `uses` tells. */
  moreUses: boolean;
  /** How often the image says that it is used, and how often it really is; of a file's cluster. */
  refcount: { stored: number; counted: number } | undefined;
  /** The structure that it is (part of): an id for {@link StructureNode}; of a file's address. */
  node: string | undefined;
}

export interface PlaceUse {
  /** The place on the other side; undefined for metadata, which the guest does not see. */
  guestOffset: number | undefined;
  /** Undefined: nowhere in this file. */
  fileOffset: number | undefined;
  /** '' for the disk as it is now. */
  snapshot: string;
  /** Where the entry that says so is in the file. */
  entry: { offset: number; length: number } | undefined;
  /** Its id as a {@link StructureNode}. */
  node: string | undefined;
  /** The image of the chain that has the bytes, by {@link ChainFile.key}; '' for this one. */
  layer: string;
}

/** Bytes of a file or of a disk. */
export interface Bytes {
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
  /**
   * Parts of them that nobody can read: shown as unknown, never as zeros. `reason` is a code, that of
   * `unreadable-cluster` or `read-failed`, of which `message` is what the medium said.
   */
  unreadable: { offset: number; length: number; reason: string; message?: string }[];
}

/** What is looked for: each alternative counts. */
export interface SearchRequest {
  kind: 'search';
  image: ImageId;
  space: AddressSpace;
  /** At most 8, each of 1 to 256 bytes. */
  patterns: Uint8Array<ArrayBuffer>[];
  /** Latin letters of either case count as the same. */
  ignoreCase: boolean;
  /** From here to there. */
  from: number;
  to: number;
  /** Ends after so many. */
  most: number;
}

export interface SearchResult {
  matches: { offset: number; length: number }[];
  /** Bytes that were looked at, without those that are known to be zeros. */
  searched: number;
  /** Where it ended: `to`, unless there were too many matches. */
  end: number;
  /** Bytes that nobody can read. */
  unreadable: number;
}

/** Looks at the partitions and what is in each, by their first bytes. */
export interface ContentsRequest {
  kind: 'contents';
  image: ImageId;
}

/** What the guest keeps on the disk, as far as its tables and superblocks tell. */
export interface DiskContents {
  /** Undefined: no partition table; `whole` may then say what the disk is. */
  table: PartitionTable | undefined;
  /**
   * What is in each partition, in the order of the table; `unreadable`: its first bytes cannot be
   * had; undefined: nothing that is known.
   */
  inside: (FileSystemInfo | 'unreadable' | undefined)[];
  /** What is on a disk that has no partitions; of a disc that starts from a stick, too, the disc. */
  whole: FileSystemInfo | undefined;
  /** All is zeros, as far as its tables tell. */
  isEmpty: boolean;
}

/** Compares two disks of open images, or two states of one. */
export interface CompareRequest {
  kind: 'compare';
  first: { image: ImageId; snapshot?: SnapshotChoice | undefined };
  second: { image: ImageId; snapshot?: SnapshotChoice | undefined };
}

export interface CompareResult {
  identical: boolean;
  /** Virtual sizes. */
  sizes: [number, number];
  /** Bytes that are different. */
  different: number;
  ranges: number;
  /** The first of them. */
  first: { offset: number; length: number }[];
  milliseconds: number;
}
