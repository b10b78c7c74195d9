/** A raw disk: the file is the disk. */
import { alignUp, SECTOR } from '../binary/units.ts';
import type { Storage } from '../storage/storage.ts';
import { ExtentList } from './extents.ts';
import type { Extent } from './format.ts';
import { StandAloneDisk } from './stand-alone.ts';

export class RawDisk extends StandAloneDisk {
  readonly format = 'raw';
  readonly storage: Storage;
  readonly clusterSize = 0;

  constructor(storage: Storage) {
    super();
    this.storage = storage;
  }

  /** Bytes. A last part of a sector counts as a whole one, the rest of it reads as zeros. */
  get size(): number {
    return alignUp(this.storage.size, SECTOR);
  }

  /** The file as one run, and the zeros that fill its last sector. */
  map(offset: number, length: number): Promise<Extent[]> {
    const end = Math.min(offset + length, this.size);
    const dataEnd = Math.min(end, Math.max(offset, this.storage.size));
    const list = new ExtentList(this.storage);
    if (dataEnd > offset) list.add('data', offset, dataEnd - offset, offset);
    if (end > dataEnd) list.add('zero', dataEnd, end - dataEnd, dataEnd);
    return Promise.resolve(list.extents);
  }
}
