/**
 * Where bytes live. A picked File, an OPFS file, a file under Node, memory: one small class each,
 * all held to the same conformance suite (test/storage). Decorators (slice, overlay) are storages
 * too. Formats never know which one they read.
 */
export interface Storage {
  /** What to call it in messages: normally the file's name. */
  readonly name: string;
  /** Bytes now. Grows by {@link write} behind the end, changes by {@link resize}. */
  readonly size: number;
  /** Whether write and resize are possible at all. */
  readonly writable: boolean;

  /**
   * Fills `target` from `offset` (bytes). Returns how many bytes there were: fewer than asked only
   * where the storage ends. Callers decide what a short read means; nothing is padded here.
   * @throws ImageError read-failed, file-gone, file-changed, permission-lost
   */
  read(offset: number, target: Uint8Array): Promise<number>;

  /**
   * Writes all of `source` at `offset`. Behind the end the gap reads as zeros (a hole where the
   * platform has holes). The bytes may be used until the promise settles, not longer.
   * @throws ImageError write-failed, disk-full, read-only, permission-lost
   */
  write(offset: number, source: Uint8Array): Promise<void>;

  /** Cuts or extends to `size` bytes; new bytes read as zeros and take no room where holes exist. */
  resize(size: number): Promise<void>;

  /** Returns when everything written is on the medium. */
  flush(): Promise<void>;

  /** Releases what is held. Safe to call twice. */
  close(): Promise<void>;

  /**
   * As {@link read} of `length` bytes, into a buffer that the medium brings along: spares a copy
   * where reading makes one anyway. Shorter than asked only where the storage ends.
   */
  take?(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;

  /**
   * Takes back what {@link take} or {@link readPadded} brought, when nobody looks at any part of it
   * any more: its memory serves for other reads then. To be called once, or not at all.
   */
  recycle?(bytes: Uint8Array<ArrayBuffer>): void;

  /**
   * Does many reads as one request, where the medium gains by it: each as {@link read} would, but
   * what lies behind the end is left as it is. Not for more than some MiB at a time.
   */
  readMany?(requests: readonly ReadRequest[]): Promise<void>;

  /**
   * As {@link write}, for bytes that nothing of the old state uses: clusters that were free before.
   * An overlay may put them to the medium at once; others have no such difference.
   */
  writeFresh?(offset: number, source: Uint8Array): Promise<void>;

  /**
   * Makes sure that nobody else has changed it since it was opened, as far as the medium tells.
   * @throws ImageError file-changed, file-gone
   */
  checkUnchanged?(): Promise<void>;

  /** Bytes really taken on the medium, where the platform tells; else undefined. */
  allocated?(): Promise<number | undefined>;

  /** When it was written last, milliseconds since 1970, where the platform tells; else undefined. */
  modified?(): Promise<number | undefined>;
}

/** {@link Storage.modified} of a storage that may not know. */
export function modifiedOf(storage: Storage): Promise<number | undefined> {
  return storage.modified?.() ?? Promise.resolve(undefined);
}

/** One of many reads: fills `target` from `offset` (bytes). */
export interface ReadRequest {
  readonly offset: number;
  readonly target: Uint8Array;
}

/** Writes to clusters that nothing of the old state uses: see {@link Storage.writeFresh}. */
export function writeFresh(storage: Storage, offset: number, source: Uint8Array): Promise<void> {
  return storage.writeFresh?.(offset, source) ?? storage.write(offset, source);
}

/** Reads exactly `length` bytes; bytes behind the end of the storage are zeros, as QEMU has it. */
export async function readPadded(
  storage: Storage,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (storage.take !== undefined && offset + length <= storage.size) {
    return storage.take(offset, length);
  }
  const bytes = new Uint8Array(length);
  if (offset < storage.size) await storage.read(offset, bytes);
  return bytes;
}
