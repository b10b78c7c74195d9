/** Writing into a Parallels image. */
import { TWO_32 } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import { BlockWriter } from '../block-writer.ts';
import type { EntryTable } from '../entry-table.ts';
import type { DiskWriter } from '../format.ts';
import type { ParallelsHeader } from './header.ts';
import { HEADER } from './layout.ts';

/** An image as its writer needs to know it. */
export interface WrittenParallels {
  readonly storage: Storage;
  readonly header: ParallelsHeader;
  /** The bytes of the header; changed by the writer. */
  readonly headerBytes: Uint8Array<ArrayBuffer>;
  readonly table: EntryTable;
  /** Where the next cluster goes, bytes. */
  readonly end: number;
  readonly isNew: boolean;
}

export function writeParallels(image: WrittenParallels): DiskWriter {
  const { storage, header, headerBytes, table, isNew } = image;
  const { size, clusterSize, unit } = header;
  let next = image.end;
  return new BlockWriter({
    ...{ storage, table, size, blockSize: clusterSize, isNew },
    // Images that this one was made over are not named in it, so nobody knows them here.
    readBelow: undefined,
    zeroEntry: undefined,
    find: (entry) => (entry === 0 ? 'below' : entry * unit),
    take: () => {
      const entry = next / unit;
      if (entry >= TWO_32) {
        const details = { what: 'image file', value: String(next), limit: TWO_32 * unit };
        throw new ImageError('too-large', details);
      }
      next += clusterSize;
      return entry;
    },
    finish: async (isChanged) => {
      const fields = HEADER.read(headerBytes);
      // Zero says, too, that whoever wrote knew nothing of an extension: it is out of date now.
      if (!isChanged || fields.inUse === 0) return;
      HEADER.write(headerBytes, { ...fields, inUse: 0 });
      await storage.write(0, headerBytes);
    },
  });
}
