import type { Change, CodecPool, HasherFactory, Scratch } from '../engine/index.ts';
import type { Storage } from '../engine/storage/storage.ts';

/** The reason in `open-failed` for a directory, a pipe and the like; the others are errno texts. */
export const NOT_REGULAR = 'Not a regular file';

/** What a command line needs of the world: files by name and two streams. */
export interface CommandHost {
  /**
   * Opens a file for reading. The storage's name is `name`.
   * @throws ImageError open-failed (reason: an errno text such as "No such file or directory")
   */
  open(name: string): Promise<Storage>;
  /**
   * Makes an empty file (an old one of that name is emptied) and opens it for writing.
   * @throws ImageError open-failed; same-file when it is open for reading already
   */
  create(name: string): Promise<Storage>;
  /**
   * Opens a file that is there for reading and writing, as it is. Absent where nothing but new
   * files can be written.
   * @throws ImageError open-failed; same-file when it is open for reading already
   */
  modify?(name: string): Promise<Storage>;
  /**
   * The same for a change that happens as a whole or not at all: with a journal, which is put in at
   * the next opening where this one is interrupted. Where it is absent, {@link modify} has to do.
   * @throws ImageError as {@link modify}; journal-foreign, being-changed
   */
  change?(name: string): Promise<Change>;
  /**
   * All bytes of a file, which may be a pipe: for secrets. Absent where {@link open} can do it.
   * @throws ImageError open-failed
   */
  contents?(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Where disks in compressed files are unpacked to; without it, they are not looked for. */
  readonly scratch?: Scratch;
  /** Threads that pack and unpack; without them it is done on the calling one. */
  readonly pool?: CodecPool | undefined;
  /** A faster way to digest than the engine's own, where the platform has one. */
  readonly hasher?: HasherFactory;
  stdout(text: string): void;
  stderr(text: string): void;
}
