/**
 * The bitmap directory: which persistent bitmaps there are and where their tables lie.
 * Specification: «Bitmaps». Their contents are not read here.
 */
import { alignUp, isAligned, powerOfTwo } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import { ReadWindow } from '../../storage/window.ts';
import { chargeMetadata, textBytes } from './budget.ts';
import { text } from './extensions.ts';
import type { Header } from './header.ts';
import { BITMAP_ENTRY, LIMITS } from './layout.ts';

const IN_USE = 1;
const AUTO = 2;

/** A persistent dirty bitmap. */
export interface Bitmap {
  readonly name: string;
  /** Guest bytes that one bit stands for. */
  readonly granularity: number;
  /** Not saved cleanly: the content is not to be trusted. */
  readonly inUse: boolean;
  /** Records changes by itself when the image is in use. */
  readonly auto: boolean;
  readonly tableOffset: number;
  /** Entries. */
  readonly tableSize: number;
}

function invalid(message: string, value: number, limit: number): never {
  throw new ImageError('invalid-header', {
    problem: 'bitmaps-extension',
    field: 'bitmap directory',
    value: String(value),
    limit: String(limit),
    message,
  });
}

/** Bytes that an entry takes in memory beside its name. */
const BITMAP_BYTES = 128;

/**
 * Reads the directory that the bitmaps extension names (none: an empty list).
 * @throws ImageError invalid-header (bitmaps-extension), too-large
 */
export async function readBitmaps(storage: Storage, header: Header): Promise<Bitmap[]> {
  if (header.bitmaps === undefined) return [];
  const { count, directoryOffset, directorySize } = header.bitmaps;
  const directory = new ReadWindow(storage, directoryOffset);
  const bitmaps: Bitmap[] = [];
  let charged = 0;
  let at = 0;
  while (at < directorySize) {
    const left = directorySize - at;
    if (left < BITMAP_ENTRY.size) invalid('Broken bitmap directory', at, directorySize);
    const entry = BITMAP_ENTRY.read(await directory.read(at, BITMAP_ENTRY.size));
    const size = alignUp(BITMAP_ENTRY.size + entry.nameSize + entry.extraDataSize, 8);
    if (size > left) invalid('Broken bitmap directory', at + size, directorySize);
    const nameAt = at + BITMAP_ENTRY.size + entry.extraDataSize;
    const name = text(await directory.read(nameAt, entry.nameSize));
    if (!isSound(entry, header)) {
      invalid(`Bitmap '${name}' doesn't satisfy the constraints`, at, directorySize);
    }
    charged += BITMAP_BYTES + textBytes(name);
    chargeMetadata('bitmaps', charged);
    bitmaps.push({
      name,
      granularity: powerOfTwo(entry.granularityBits),
      inUse: (entry.flags & IN_USE) !== 0,
      auto: (entry.flags & AUTO) !== 0,
      tableOffset: entry.tableOffset,
      tableSize: entry.tableSize,
    });
    at += size;
  }
  if (bitmaps.length !== count) invalid('Broken bitmap directory', bitmaps.length, count);
  return bitmaps;
}

type Entry = ReturnType<typeof BITMAP_ENTRY.read>;

function isSound(entry: Entry, header: Header): boolean {
  const { granularityBits } = entry;
  const shapeIsKnown =
    entry.type === 1 &&
    entry.extraDataSize === 0 &&
    (entry.flags & ~(IN_USE | AUTO)) === 0 &&
    entry.nameSize > 0 &&
    entry.nameSize <= LIMITS.bitmapNameBytes &&
    granularityBits >= 9 &&
    granularityBits <= 31;
  const tableIsPossible =
    entry.tableOffset !== 0 &&
    isAligned(entry.tableOffset, header.clusterSize) &&
    entry.tableSize > 0 &&
    entry.tableSize <= LIMITS.bitmapTableEntries;
  if (!shapeIsKnown || !tableIsPossible) return false;
  if ((entry.flags & IN_USE) !== 0) return true;
  const covered = entry.tableSize * header.clusterSize * 8 * powerOfTwo(granularityBits);
  return covered >= header.size;
}
