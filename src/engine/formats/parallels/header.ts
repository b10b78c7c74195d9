/** Reading the header of a Parallels image: what qemu-img refuses, in its order and words. */
import type { Values } from '../../binary/struct.ts';
import { alignUp, divideRoundUp, SECTOR, TWO_32 } from '../../binary/units.ts';
import { imageFault } from '../fault.ts';
import {
  HEADER,
  HEADER_BYTES,
  IN_USE,
  MAGIC_NEW,
  MAGIC_OLD,
  MAX_ENTRIES,
  MAX_TRACKS,
  VERSION,
} from './layout.ts';

export interface ParallelsHeader {
  readonly fields: Values<typeof HEADER>;
  readonly magic: typeof MAGIC_OLD | typeof MAGIC_NEW;
  /** Of the disk, bytes. */
  readonly size: number;
  /** Bytes. */
  readonly clusterSize: number;
  /** What the entries of the table count, bytes: sectors or clusters. */
  readonly unit: number;
  /** Where clusters may begin, bytes: behind the table. */
  readonly dataStart: number;
  /** Nobody said that it was closed. */
  readonly inUse: boolean;
}

/**
 * @param bytes the first 64 of the file, zeros where it has fewer
 * @throws ImageError invalid-image
 */
export function parseHeader(bytes: Uint8Array): ParallelsHeader {
  const fields = HEADER.read(bytes);
  const text = String.fromCharCode(...bytes.subarray(0, MAGIC_NEW.length));
  const magic = ([MAGIC_OLD, MAGIC_NEW] as const).find((known) => known === text);
  if (fields.version !== VERSION || magic === undefined) {
    return imageFault('parallels', 'signature', { message: 'Image not in Parallels format' });
  }
  const { tracks, entries } = fields;
  if (tracks === 0) {
    refuse('field', 'cluster size', 0, 'Invalid image: Zero sectors per track');
  }
  if (tracks > MAX_TRACKS) {
    refuse('field', 'cluster size', tracks, 'Invalid image: Too big cluster', MAX_TRACKS);
  }
  if (entries > MAX_ENTRIES) {
    refuse('table-size', 'clusters', entries, 'Catalog too large', MAX_ENTRIES);
  }
  const sectors = magic === MAGIC_OLD ? fields.sectors % TWO_32 : fields.sectors;
  const size = sectors * SECTOR;
  if (!Number.isSafeInteger(size)) {
    const message = 'Could not refresh total sector count: File too large';
    refuse('disk-size', 'disk size', size, message, Number.MAX_SAFE_INTEGER);
  }
  const clusterSize = tracks * SECTOR;
  const unit = magic === MAGIC_OLD ? SECTOR : clusterSize;
  return {
    ...{ fields, magic, size, clusterSize, unit },
    dataStart: dataStart(fields, unit),
    inUse: fields.inUse === IN_USE,
  };
}

/** «data_off», where it makes sense; behind the table in any case. */
function dataStart({ dataOffset, entries }: ParallelsHeader['fields'], unit: number): number {
  const tableEnd = alignUp(HEADER_BYTES + entries * 4, SECTOR);
  return alignUp(Math.max(dataOffset * SECTOR, tableEnd), unit);
}

/** Entries that the disk needs: a table may be longer. */
export function entriesFor({ size, clusterSize, fields }: ParallelsHeader): number {
  return Math.min(fields.entries, divideRoundUp(size, clusterSize));
}

type Problem = Parameters<typeof imageFault>[1];

function refuse(
  problem: Problem,
  field: string,
  value: number,
  message: string,
  limit: number | '' = '',
): never {
  return imageFault('parallels', problem, { field, value, limit, message });
}
