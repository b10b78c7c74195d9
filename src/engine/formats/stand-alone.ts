import type { Packing } from '../codecs/packing.ts';
import type { Storage } from '../storage/storage.ts';
import type { Disk, Extent, FormatName } from './format.ts';

/** What all disks have in common that are in one file, not encrypted, with nothing below them. */
export abstract class StandAloneDisk implements Disk {
  abstract readonly format: FormatName;
  abstract readonly storage: Storage;
  abstract readonly size: number;
  abstract readonly clusterSize: number;
  readonly codec: Packing | undefined = undefined;
  readonly backing = undefined;
  readonly backingMissing = false;
  readonly cipher = undefined;
  readonly contentMissing = undefined;

  abstract map(offset: number, length: number, most?: number): Promise<Extent[]>;

  close(): Promise<void> {
    return this.storage.close();
  }
}
