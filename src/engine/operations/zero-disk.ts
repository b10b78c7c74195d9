import type { Extent } from '../formats/format.ts';
import { ExtentList } from '../formats/extents.ts';
import { StandAloneDisk } from '../formats/stand-alone.ts';
import { MemoryStorage } from '../storage/memory.ts';

/** Nothing but zeros: what is put behind a disk that has to be longer than it is. */
export class ZeroDisk extends StandAloneDisk {
  readonly format = 'raw';
  readonly storage = new MemoryStorage({ name: 'zeros' });
  readonly clusterSize = 0;
  /** Bytes. */
  readonly size: number;

  constructor(size: number) {
    super();
    this.size = size;
  }

  map(offset: number, length: number): Promise<Extent[]> {
    const list = new ExtentList(this.storage);
    const end = Math.min(offset + length, this.size);
    if (end > offset) list.add('zero', offset, end - offset, -1);
    return Promise.resolve(list.extents);
  }
}
