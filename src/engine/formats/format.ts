import type { Cipher } from '../codecs/cipher.ts';
import type { DecompressResult } from '../codecs/inflate.ts';
import type { Packing, WritablePacking } from '../codecs/packing.ts';
import type { UnreadableReason } from '../errors.ts';
import type { CheckOptions, CheckReport } from '../operations/check-report.ts';
import type { Finding } from '../operations/finding.ts';
import type { Description } from '../operations/image-info.ts';
import type { Storage } from '../storage/storage.ts';
import type { LuksInfo } from './luks-header.ts';

/** The formats, by qemu-img's names. */
export type FormatName =
  | 'bochs'
  | 'cloop'
  | 'dmg'
  | 'luks'
  | 'parallels'
  | 'qcow'
  | 'qcow2'
  | 'qed'
  | 'raw'
  | 'vdi'
  | 'vhdx'
  | 'vmdk'
  | 'vpc';

/**
 * What an image is opened for. `info`: to say what it is; `check`: to look for damage or to repair,
 * so tables may be bad; `read`: for guest content, so everything that reading needs must be sound.
 */
export type OpenMode = 'info' | 'check' | 'read';

/** Which of two sizes counts, where an image has two: that of its geometry, or the other one. */
export type SizeRule = 'geometry' | 'current';

/**
 * Where a run of guest bytes is.
 * - `data`: at `hostOffset` of `storage`, as they are, or encrypted where the disk has a cipher.
 * - `compressed`: one cluster, packed into `hostLength` bytes at `hostOffset`; `length` is what it
 *   unpacks to (clipped to the asked range; `clusterOffset` is the guest offset where it begins).
 * - `zero`: reads as zeros whatever is behind; `hostOffset` >= 0 when host space is kept for it.
 * - `unallocated`: not in this image; the backing image decides, or zeros where there is none.
 *   `hostOffset` >= 0 within a cluster of which other subclusters are in the file.
 * - `invalid`: the tables are damaged here; reading throws `unreadable-cluster` with `reason`.
 */
export type ExtentKind = 'data' | 'compressed' | 'zero' | 'unallocated' | 'invalid';

/** A run of guest bytes with one answer. Offsets and lengths in bytes. */
export interface Extent {
  readonly kind: ExtentKind;
  /** Guest offset of the run. */
  offset: number;
  length: number;
  /** The file that holds the run: the disk's own, or another that belongs to it. */
  readonly storage: Storage;
  /** Offset in `storage`, or -1 where there is none. */
  hostOffset: number;
  /**
   * Bytes that a compressed cluster takes in the file, or somewhat more: what is behind its end is
   * not looked at; else 0.
   */
  hostLength: number;
  /** Guest offset of the first byte of the (compressed) cluster; else equal to `offset`. */
  clusterOffset: number;
  /** How this cluster is packed, where that is not the disk's {@link Disk.codec}. */
  packing?: Packing;
  /** Bytes that this cluster unpacks to, where that is not the disk's cluster size. */
  unpackedLength?: number;
  /** Its bytes are in a file that was not given, as `reason` says: nobody knows them. */
  unknown?: boolean;
  /** Why, for `invalid` and for what is unknown. */
  reason?: UnreadableReason;
}

/**
 * What a format makes of storages: a guest disk. Formats map; shared code (operations/) reads,
 * converts, compares and shows, once for all formats.
 */
export interface Disk {
  readonly format: FormatName;
  /** Virtual size in bytes, as the guest sees it. */
  readonly size: number;
  /** The file that this disk was opened from. Extents say themselves in which file they lie. */
  readonly storage: Storage;
  /** Bytes per cluster: the unit of compression and allocation (0 for raw). */
  readonly clusterSize: number;
  /** The backing image, opened through the gate; undefined when there is none or it is missing. */
  readonly backing: Disk | undefined;
  /** The image names a backing file, but it is not open: unallocated ranges are unknown. */
  readonly backingMissing: boolean;
  /** What `data` extents are encrypted with; undefined where they are not, and while locked. */
  readonly cipher: Cipher | undefined;
  /**
   * Why the bytes of `data` extents cannot be had although the tables say where they are: the file
   * that holds them was not given, or the passphrase was not.
   */
  readonly contentMissing: 'data-file-missing' | 'locked' | undefined;

  /**
   * The runs from `offset` on, in guest order, without gaps, each as long as possible, neighbours
   * never mergeable. Covers at least one run and at most `length` bytes; how much is covered at
   * once is the format's choice (a bounded piece of its tables), the caller goes on from there.
   * A batch and not a single run, because an await per cluster would rule the time of badly
   * fragmented images. The array belongs to the caller.
   * @param most a batch ends after about this many runs
   */
  map(offset: number, length: number, most?: number): Promise<Extent[]>;

  /** How `compressed` extents are packed; undefined where there are none. */
  readonly codec: Packing | undefined;

  /** What is said of the image beyond its sizes, without reading its content. */
  describe?(): Description;

  /** What was found wrong while it was opened, and could be put up with. */
  readonly findings?: readonly Finding[];

  /** All files that it is made of, where these are more than `storage`. Closed with the disk. */
  readonly files?: readonly Storage[];

  /** Looks for damage; absent where the format has nothing that could be checked. */
  check?(options: CheckOptions): Promise<CheckReport>;
  /** qemu-img has no check of this format: its command line says so, and only the app checks. */
  readonly checkIsOurs?: boolean;
  /** qemu-img does not know where its bytes are: in its `map` all of the disk is data. */
  readonly isOpaque?: boolean;

  close(): Promise<void>;
}

/** A disk that may name another one below it: its backing image or parent. */
export interface LayeredDisk extends Disk {
  backing: Disk | undefined;
  /** Whoever opened it wants it without the image below that it names. */
  withoutBacking: boolean;
  /** As the image has it; '' where it names none. */
  readonly backingName: string;
  /** The format recorded for it, '' when none is. */
  readonly backingFormat: string;
  /** Other names for it that the image has, the likeliest first. */
  readonly backingNames?: readonly string[];
  /** Bytes that its tables keep in memory, for the budget of a chain. */
  readonly tableBytes: number;
  /**
   * Sees whether this is the image that it was made over.
   * @throws ImageError parent-mismatch
   */
  acceptBacking?(backing: Disk): void;
}

/** A disk whose content a passphrase unlocks, now or later. */
export interface EncryptedDisk extends Disk {
  readonly encryption: 'aes' | 'luks';
  /** How long trying one passphrase may take, roughly. */
  readonly unlockSeconds: number;
  /** What its LUKS header says; undefined without one that is valid. */
  readonly luksInfo: LuksInfo | undefined;
  cipher: Cipher | undefined;
}

/**
 * Writes guest content into an image: one that was just made, or one that is there, opened over an
 * overlay. Offsets and lengths in bytes, whole sectors, within the disk. One call at a time.
 */
export interface DiskWriter {
  /** Bytes of the unit that takes room at once, and that packs; 0 where there is none. */
  readonly clusterSize: number;
  /** How {@link writePacked} wants clusters to be packed; undefined where it cannot take any. */
  readonly packing: WritablePacking | undefined;
  /** Everything is packed, whether asked for or not (VMDK streamOptimized). */
  readonly alwaysPacks?: boolean;
  /** What was never written reads as noise: of a new image, zeros have to be written too (LUKS). */
  readonly noiseAtFirst?: boolean;
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Makes a range read as zeros. What takes no room for that takes none. */
  zero(offset: number, length: number): Promise<void>;
  /** A whole cluster, at the end of the disk what is left of it, packed as `packing` says. */
  writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Writes what is kept in memory (tables, footers): without it, the image is unfinished. */
  flush(): Promise<void>;
  /** Gives the disk another size, bytes; absent where the format cannot. */
  resize?(size: number): Promise<void>;
  /** Names another image below; '' for none. Absent where the format cannot. */
  setBacking?(name: string, format: string): Promise<void>;
  /** Makes it as if nothing had been written, so that what lies below shows. */
  empty?(): Promise<void>;
}

/** Brings guest bytes of what lies below an image; zeros where there is nothing. */
export type ReadBelow = (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;

/** The files of a new image: one, or several beside each other. */
export interface NewFiles {
  /** The file that the image is opened by; empty. */
  readonly main: Storage;
  /**
   * Makes another one beside it, empty. Whoever gives it closes it.
   * @param name without a directory
   */
  beside(name: string): Promise<Storage>;
}

/** A file in the eyes of those who judge what it is. */
export interface ProbedFile {
  /** Its first bytes, 4 KiB or as far as it goes. */
  readonly first: Uint8Array;
  /** Its last bytes, 1 KiB or all of it; undefined where only the beginning may count. */
  readonly last: Uint8Array | undefined;
  /** Bytes. */
  readonly size: number;
  readonly name: string;
}

/** What a driver is told besides the file. */
export interface DriverRequest {
  readonly mode: OpenMode;
  /** For files that belong to this very image (extents): asked for in every mode. */
  readonly gate: Gate | undefined;
  readonly unlock: Unlock | undefined;
  /**
   * Open also what qemu-img refuses, where the content is beyond doubt (a good copy of a damaged
   * header, a log that can be replayed in memory, a kind that it does not know), with a finding.
   */
  readonly lenient: boolean;
  /** Of a VHD; undefined: its creator decides. */
  readonly sizeRule?: SizeRule | undefined;
}

/** One format: how it is opened, for reading and for writing. */
export interface FormatDriver {
  readonly name: FormatName;
  /**
   * Opens an image; what it names below itself is opened by others ({@link LayeredDisk}).
   * @throws ImageError invalid-header, unsupported-feature, too-large and those of reading
   */
  open(storage: Storage, request: DriverRequest): Promise<Disk>;
  /**
   * Opens a disk of this format, which was opened over writable storages, for writing into it.
   * Absent where that cannot be done.
   * @param readBelow undefined where nothing lies below
   * @throws ImageError unsupported-feature, image-damaged, image-dirty, image-corrupt
   */
  edit?(disk: Disk, readBelow: ReadBelow | undefined): Promise<DiskWriter>;
  /**
   * Repairs an image, opened in mode `check` over writable storages, which are then to be checked
   * again. Absent where that cannot be done.
   */
  repair?(disk: Disk, level: 'leaks' | 'all', options: CheckOptions): Promise<DriverRepair>;
}

/** What a repair did, as qemu-img counts it. */
export interface DriverRepair {
  readonly leaksFixed: number;
  readonly corruptionsFixed: number;
}

export type { DecompressResult };

/**
 * Asked for every file that an image names. Returns undefined to refuse (or when nobody can give
 * it): the image then opens with `backingMissing`. With `none`, it is taken as naming no backing
 * file at all. Nothing that an image names opens by itself.
 */
export type Gate = (request: GateRequest) => Promise<Storage | GateAnswer | 'none' | undefined>;

/** A file, and the format to take it for where that is not what the image says. */
export interface GateAnswer {
  readonly storage: Storage;
  /** undefined: its content decides. */
  readonly format: FormatName | undefined;
}

export interface GateRequest {
  /**
   * `data-file`: the external data file, which holds the guest's bytes as a raw disk would.
   * `extent`: one of several files that an image is made of.
   */
  readonly kind: 'backing' | 'data-file' | 'extent';
  /** The name as the image has it; never trusted, never followed by itself. */
  readonly name: string;
  /** Other names that the image has for the same file. */
  readonly otherNames?: readonly string[];
  /** The format recorded in the image, '' when none is. */
  readonly format: string;
  /** The name of the storage that asks (names are relative to it). */
  readonly from: string;
}

/**
 * Asked for the passphrase of an encrypted image. Returns its bytes, which are overwritten with
 * zeros once they have been used, or undefined when it is not to be had: the image then opens
 * locked, its tables readable, its content not. Called again with `attempt` + 1 while the passphrase
 * is wrong, which is never known of the legacy AES.
 */
export type Unlock = (request: UnlockRequest) => Promise<Uint8Array<ArrayBuffer> | undefined>;

export interface UnlockRequest {
  /** The name of the encrypted file. */
  readonly name: string;
  readonly method: 'aes' | 'luks';
  /** 0 at first. */
  readonly attempt: number;
  /**
   * How long trying one passphrase may take, roughly: the image itself says how many rounds of key
   * derivation it wants. Mostly a second or two; whoever finds it too long returns undefined.
   */
  readonly seconds: number;
}
