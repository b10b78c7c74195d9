/** The block allocation table: where each block is. Specification: «Block Allocation Table». */
import { alignUp, SECTOR } from '../../binary/units.ts';
import { ImageError, isImageError } from '../../errors.ts';
import { readPartially, type PartialRead } from '../../storage/partial.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { Header } from './header.ts';
import { FOOTER_SIZE, HEADER_SIZE, UNUSED } from './layout.ts';

/** The table is kept in memory whole: this is enough for the largest disk in blocks of 512 KiB. */
export const TABLE_BUDGET = 16 * 1024 * 1024;
/** Bytes of the table that are read at once. */
const PIECE = 4 * 1024 * 1024;

/** A range of the file, or of entries. */
interface Place {
  readonly start: number;
  readonly end: number;
}

export class BlockTable {
  readonly header: Header;
  /** Sectors from the start of the file to the bitmap of each block. */
  readonly entries: Uint32Array<ArrayBuffer>;
  /** Bytes that a block takes in the file, with its bitmap. */
  readonly blockRoom: number;
  readonly #metadata: readonly Place[];
  /** Entries that nobody knows. */
  readonly #lost: readonly Place[];

  constructor(header: Header, entries: Uint32Array<ArrayBuffer>, lost: readonly Place[] = []) {
    this.header = header;
    this.entries = entries;
    this.#lost = lost;
    this.blockRoom = header.bitmapSize + header.blockSize;
    const place = (start: number, length: number) => ({ start, end: start + length });
    this.#metadata = [
      place(0, FOOTER_SIZE),
      place(header.at, HEADER_SIZE),
      place(header.tableAt, header.entries * 4),
    ];
  }

  /** Where the bitmap of a block is in the file, bytes; -1 where the block is not in it. */
  blockAt(index: number): number {
    const entry = this.entries[index] ?? UNUSED;
    return entry === UNUSED ? -1 : entry * SECTOR;
  }

  /** Where the guest's bytes of a block begin in the file; -1 where the block is not in it. */
  dataAt(index: number): number {
    const at = this.blockAt(index);
    return at < 0 ? -1 : at + this.header.bitmapSize;
  }

  /** Whether the medium, or what is left of the file, does not have the entry of a block. */
  isLost(index: number): boolean {
    return this.#lost.some(({ start, end }) => index >= start && index < end);
  }

  /** How many blocks that are. */
  get lostBlocks(): number {
    return this.#lost.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Whether a block at that place of the file would lie over the header or the table. */
  hitsMetadata(at: number): boolean {
    const end = at + this.blockRoom;
    return this.#metadata.some((place) => at < place.end && place.start < end);
  }

  /** Bytes: behind the table and the last block, where the next block goes. */
  get end(): number {
    const { tableAt, entries: count } = this.header;
    let end = alignUp(tableAt + count * 4, SECTOR);
    for (let index = 0; index < this.entries.length; index++) {
      const at = this.blockAt(index);
      if (at >= 0) end = Math.max(end, at + this.blockRoom);
    }
    return end;
  }
}

/**
 * Reads the table.
 * @param lenient entries that cannot be read are lost; otherwise those behind the end are zeros
 * @throws ImageError too-large, and those of reading
 */
export async function readTable(
  storage: Storage,
  header: Header,
  lenient: boolean,
): Promise<BlockTable> {
  const { tableAt, entries: count } = header;
  if (count * 4 > TABLE_BUDGET) {
    const details = { what: 'block allocation table', value: String(count * 4) };
    throw new ImageError('too-large', { ...details, limit: TABLE_BUDGET });
  }
  const entries = new Uint32Array(count);
  const lost: Place[] = [];
  const end = Math.min(tableAt + count * 4, storage.size);
  for (let at = tableAt; at < end; at += PIECE) {
    const length = Math.min(PIECE, tableAt + count * 4 - at);
    const { bytes, holes } = await readPiece(storage, at, length, lenient);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const first = (at - tableAt) / 4;
    for (let i = 0; i * 4 < bytes.length; i++) entries[first + i] = view.getUint32(i * 4);
    for (const hole of holes) lost.push(entriesOf(hole, tableAt));
  }
  const known = Math.max(0, Math.floor((end - tableAt) / 4));
  if (lenient && known < count) lost.push({ start: known, end: count });
  for (const place of lost) entries.fill(UNUSED, place.start, place.end);
  return new BlockTable(header, entries, lost);
}

async function readPiece(
  storage: Storage,
  at: number,
  length: number,
  lenient: boolean,
): Promise<PartialRead> {
  try {
    return { bytes: await readPadded(storage, at, length), holes: [] };
  } catch (error) {
    if (!lenient || !isImageError(error, 'read-failed')) throw error;
    return readPartially(storage, at, length);
  }
}

/** The entries of which not every byte can be read. */
function entriesOf({ offset, length }: { offset: number; length: number }, tableAt: number): Place {
  const start = offset - tableAt;
  return { start: Math.floor(start / 4), end: Math.ceil((start + length) / 4) };
}

/**
 * Refuses what qemu-img refuses: a table or blocks that the file does not have whole.
 * @throws ImageError invalid-image
 */
export function refuseTruncated(end: number, fileSize: number): void {
  if (end <= alignUp(fileSize, SECTOR)) return;
  imageFault('vpc', 'truncated', {
    ...{ field: 'end of the blocks', value: end, limit: fileSize },
    message:
      'block-vpc: free_data_block_offset points after the end of file. ' +
      'The image has been truncated.',
  });
}
