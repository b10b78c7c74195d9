import type { Storage } from '../engine/storage/storage.ts';

/** What a command line needs of the world: files by name and two streams. */
export interface CommandHost {
  /** Opens a file for reading. @throws ImageError open-failed (reason: an errno text such as "No such file or directory") */
  open(name: string): Promise<Storage>;
  /** Makes an empty file (an old one of that name is emptied) and opens it for writing. */
  create(name: string): Promise<Storage>;
  stdout(text: string): void;
  stderr(text: string): void;
}
