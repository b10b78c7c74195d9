/** Writing into a VDI. */
import { randomGuid } from '../../codecs/crypto/random-guid.ts';
import type { Storage } from '../../storage/storage.ts';
import { BlockWriter, type BlockLayout } from '../block-writer.ts';
import type { EntryTable } from '../entry-table.ts';
import type { DiskWriter, ReadBelow } from '../format.ts';
import { HEADER, UNALLOCATED, UUID_AT, ZERO } from './layout.ts';

/** An image as its writer needs to know it. */
export interface WrittenVdi {
  readonly storage: Storage;
  /** All of it; changed by the writer. */
  readonly header: Uint8Array<ArrayBuffer>;
  readonly table: EntryTable;
  /** Of the disk, bytes. */
  readonly size: number;
  /** Where a block of the file begins, bytes. */
  readonly placeOf: (entry: number) => number;
  readonly readBelow: ReadBelow | undefined;
  readonly isNew: boolean;
}

export function writeVdi(image: WrittenVdi): DiskWriter {
  const { storage, header, placeOf, isNew } = image;
  const fields = HEADER.read(header);
  const layout: BlockLayout = {
    ...image,
    blockSize: fields.blockSize,
    find: (entry) => {
      if (entry === UNALLOCATED) return 'below';
      return entry === ZERO ? 'zero' : placeOf(entry);
    },
    take: () => fields.allocated++,
    zeroEntry: ZERO,
    finish: async (isChanged) => {
      if (!isChanged) return;
      HEADER.write(header, fields);
      // Images that were made over this one, as it was, can tell that it is not the same any more.
      if (!isNew) header.set(randomGuid(), UUID_AT.modification);
      await storage.write(0, header);
    },
  };
  return new BlockWriter(layout);
}
