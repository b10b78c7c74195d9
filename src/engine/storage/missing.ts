/** A file that was not given. */
import { ImageError } from '../errors.ts';
import type { Storage } from './storage.ts';

/**
 * Stands for one of an image's files that is not there, so that the rest of the image can be looked
 * at. Its bytes are unknown: reading them is refused, never answered with zeros.
 */
export class MissingStorage implements Storage {
  readonly name: string;
  /** What the image says that the file has, bytes. */
  readonly size: number;
  readonly writable = false;

  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }

  read(): Promise<number> {
    return this.#refuse();
  }

  write(): Promise<void> {
    return this.#refuse();
  }

  resize(): Promise<void> {
    return this.#refuse();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #refuse(): Promise<never> {
    return Promise.reject(new ImageError('file-gone', { name: this.name }));
  }
}
