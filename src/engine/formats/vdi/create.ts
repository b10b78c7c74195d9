/** Making a VDI as qemu-img makes it. */
import { alignUp, divideRoundUp, SECTOR } from '../../binary/units.ts';
import { randomGuid } from '../../codecs/crypto/random-guid.ts';
import { ImageError } from '../../errors.ts';
import { encodeEntries, EntryTable } from '../entry-table.ts';
import type { DiskWriter, NewFiles } from '../format.ts';
import {
  BLOCK_SIZE,
  HEADER,
  HEADER_BYTES,
  MAX_SIZE,
  QEMU_HEADER_SIZE,
  SIGNATURE,
  TEXT,
  TYPE_DYNAMIC,
  TYPE_STATIC,
  UNALLOCATED,
  UUID_AT,
  VERSION_1_1,
} from './layout.ts';
import { writeVdi } from './writer.ts';

export interface VdiOptions {
  /** Every block gets its place in the file at once, as a hole where there are holes. */
  readonly isStatic?: boolean | undefined;
}

/** Bytes of the largest disk. */
export const VDI_MAX_SIZE = MAX_SIZE;

/** Entries of the block map that are written at once. */
const PIECE = 262144;

/**
 * Makes an empty image in `files.main`, which is empty.
 * @param size of the disk, bytes, whole sectors
 * @throws ImageError too-large and those of writing
 */
export async function createVdi(
  { main: storage }: NewFiles,
  size: number,
  { isStatic = false }: VdiOptions,
): Promise<DiskWriter> {
  if (size > MAX_SIZE) {
    throw new ImageError('too-large', { what: 'disk', value: String(size), limit: MAX_SIZE });
  }
  const blocks = divideRoundUp(size, BLOCK_SIZE);
  const mapOffset = HEADER_BYTES;
  const dataOffset = mapOffset + alignUp(blocks * 4, SECTOR);
  const header = new Uint8Array(HEADER_BYTES);
  for (let i = 0; i < TEXT.length; i++) header[i] = TEXT.charCodeAt(i);
  HEADER.write(header, {
    ...{ signature: SIGNATURE, version: VERSION_1_1, headerSize: QEMU_HEADER_SIZE },
    ...{ type: isStatic ? TYPE_STATIC : TYPE_DYNAMIC, flags: 0, mapOffset, dataOffset },
    ...{ cylinders: 0, heads: 0, sectors: 0, sectorSize: SECTOR, translation: 0 },
    ...{ diskSize: BigInt(size), blockSize: BLOCK_SIZE, blockExtra: 0, blocks },
    allocated: isStatic ? blocks : 0,
  });
  header.set(randomGuid(), UUID_AT.image);
  header.set(randomGuid(), UUID_AT.modification);
  await storage.write(0, header);
  for (let first = 0; first < blocks; first += PIECE) {
    const entries = new Uint32Array(Math.min(PIECE, blocks - first)).fill(UNALLOCATED);
    if (isStatic) for (let i = 0; i < entries.length; i++) entries[i] = first + i;
    await storage.write(mapOffset + first * 4, encodeEntries(entries));
  }
  await storage.resize(dataOffset + (isStatic ? blocks * BLOCK_SIZE : 0));
  const start = isStatic ? (index: number) => index : UNALLOCATED;
  return writeVdi({
    ...{ storage, header, size, isNew: true, readBelow: undefined },
    table: new EntryTable(storage, mapOffset, blocks, start),
    placeOf: (entry) => dataOffset + entry * BLOCK_SIZE,
  });
}
