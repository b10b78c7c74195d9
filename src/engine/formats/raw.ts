/** A raw disk: the file is the disk. */
import { alignUp, SECTOR } from '../binary/units.ts';
import type { Storage } from '../storage/storage.ts';
import type { Disk, Extent } from './format.ts';

export class RawDisk implements Disk {
  readonly format = 'raw';
  readonly storage: Storage;
  readonly clusterSize = 0;
  readonly codec = undefined;
  readonly backing = undefined;
  readonly backingMissing = false;

  constructor(storage: Storage) {
    this.storage = storage;
  }

  /** Bytes. A last part of a sector counts as a whole one, the rest of it reads as zeros. */
  get size(): number {
    return alignUp(this.storage.size, SECTOR);
  }

  map(offset: number, length: number): Promise<Extent[]> {
    const run = Math.min(length, this.size - offset);
    const extent: Extent = {
      kind: 'data',
      offset,
      length: run,
      hostOffset: offset,
      hostLength: 0,
      clusterOffset: offset,
    };
    return Promise.resolve(run > 0 ? [extent] : []);
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}
