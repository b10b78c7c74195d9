import type { Cipher } from '../codecs/cipher.ts';
import type { DecompressResult } from '../codecs/inflate.ts';
import type { UnreadableReason } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** The formats known so far, by qemu-img's names. */
export type FormatName = 'qcow2' | 'raw';

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
  /** Bytes that a compressed cluster takes in the file (whole sectors); else 0. */
  hostLength: number;
  /** Guest offset of the first byte of the (compressed) cluster; else equal to `offset`. */
  clusterOffset: number;
  /** Why, for `invalid`. */
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
  readonly codec: 'zlib' | 'zstd' | undefined;

  close(): Promise<void>;
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
  /** `data-file`: the external data file, which holds the guest's bytes as a raw disk would. */
  readonly kind: 'backing' | 'data-file';
  /** The name as the image has it; never trusted, never followed by itself. */
  readonly name: string;
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
