/** Making a Parallels image as qemu-img makes it. */
import { alignUp, divideRoundUp, SECTOR } from '../../binary/units.ts';
import { EntryTable } from '../entry-table.ts';
import type { DiskWriter, NewFiles } from '../format.ts';
import { parseHeader } from './header.ts';
import { HEADER, HEADER_BYTES, MAGIC_NEW, MAX_ENTRIES, MAX_TRACKS, VERSION } from './layout.ts';
import { writeParallels } from './writer.ts';

export interface ParallelsOptions {
  /** Bytes, whole sectors. */
  readonly clusterSize: number;
}

/** QEMU's geometry, which means nothing. */
const HEADS = 16;
const SECTORS_OF_CYLINDER = HEADS * 32;

/** Why there can be no such image, in qemu-img's words; undefined where there can. Bytes. */
export function parallelsRefusal(
  size: number,
  { clusterSize }: ParallelsOptions,
): string | undefined {
  if (clusterSize > 2 ** 31 - 2) return 'Cluster size is too large';
  if (size >= 2 ** 32 * clusterSize) return 'Image size is too large for this cluster size';
  // The real program makes these, and cannot open them.
  if (clusterSize > MAX_TRACKS * SECTOR) return 'Invalid image: Too big cluster';
  return divideRoundUp(size, clusterSize) > MAX_ENTRIES ? 'Catalog too large' : undefined;
}

/**
 * Makes an empty image in `files.main`, which is empty.
 * @param size of the disk, bytes, whole sectors; {@link parallelsRefusal} has nothing against it
 * @throws ImageError those of writing
 */
export async function createParallels(
  { main: storage }: NewFiles,
  size: number,
  { clusterSize }: ParallelsOptions,
): Promise<DiskWriter> {
  const entries = divideRoundUp(size, clusterSize);
  const end = alignUp(HEADER_BYTES + entries * 4, clusterSize);
  const sectors = size / SECTOR;
  const headerBytes = new Uint8Array(HEADER_BYTES);
  for (let i = 0; i < MAGIC_NEW.length; i++) headerBytes[i] = MAGIC_NEW.charCodeAt(i);
  HEADER.write(headerBytes, {
    ...{ version: VERSION, heads: HEADS, cylinders: Math.floor(sectors / SECTORS_OF_CYLINDER) },
    ...{ tracks: clusterSize / SECTOR, entries, sectors, inUse: 0 },
    ...{ dataOffset: end / SECTOR, flags: 0, extension: 0 },
  });
  await storage.write(0, headerBytes);
  await storage.resize(end);
  const table = new EntryTable(storage, HEADER_BYTES, entries, 0);
  const header = parseHeader(headerBytes);
  return writeParallels({ storage, header, headerBytes, table, end, isNew: true });
}
