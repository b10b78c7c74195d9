import { refuseWrite } from './failures.ts';
import type { Storage } from './storage.ts';

/** What all storages have in common that can only be read. */
export abstract class ReadOnlyStorage implements Storage {
  abstract readonly name: string;
  abstract readonly size: number;
  readonly writable = false;

  abstract read(offset: number, target: Uint8Array): Promise<number>;

  write(): Promise<void> {
    return refuseWrite(this.name);
  }

  resize(): Promise<void> {
    return refuseWrite(this.name);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
