/** The chunks of all tables of a DMG, in the order of the disk. */
import { SECTOR } from '../../binary/units.ts';
import { imageFault } from '../fault.ts';
import {
  CHUNK,
  CHUNK_BYTES,
  COMMENT,
  END,
  IGNORE,
  INVALID,
  MAX_LENGTH,
  MAX_SECTORS,
  TABLE,
  TABLE_BYTES,
  TABLE_SIGNATURE,
  ZERO,
} from './layout.ts';

/** One partition. */
export interface ChunkTable {
  /** In sectors. */
  readonly firstSector: number;
  readonly sectors: number;
  readonly checksumType: number;
  readonly checksumBits: number;
  readonly checksum: number;
}

/** Some of it in guest order. Offsets and lengths in bytes. */
export interface Chunk {
  readonly type: number;
  readonly guest: number;
  readonly size: number;
  readonly offset: number;
  readonly length: number;
}

/** What a table needs at least to be one. */
const LEAST_TABLE = 244;
/** Sectors that can be told apart as bytes. */
const MOST_SECTORS = Number.MAX_SAFE_INTEGER / SECTOR;

function fault(field: string, value: number, limit: number, reported?: string): never {
  const more = reported === undefined ? {} : { reported };
  return imageFault('dmg', 'field', { field, value, limit, message: INVALID, ...more });
}

/** Takes the tables one after the other, as qemu-img does. */
export class ChunkCollector {
  readonly tables: ChunkTable[] = [];
  readonly #chunks: Chunk[] = [];
  readonly #dataOffset: number;

  /** @param dataOffset where the data begin, bytes */
  constructor(dataOffset: number) {
    this.#dataOffset = dataOffset;
  }

  /** Takes what may be a table; anything else is left out. @throws ImageError invalid-image */
  add(bytes: Uint8Array): void {
    const table = TABLE.read(bytes);
    if (table.signature !== TABLE_SIGNATURE || bytes.length < LEAST_TABLE) return;
    const { firstSector, sectors, checksumType, checksumBits, checksum } = table;
    this.tables.push({ firstSector, sectors, checksumType, checksumBits, checksum });
    const base = this.#dataOffset + table.dataOffset;
    const count = Math.floor((bytes.length - TABLE_BYTES) / CHUNK_BYTES);
    for (let i = 0; i < count; i++) {
      const { type, sector, ...chunk } = CHUNK.read(bytes, TABLE_BYTES + i * CHUNK_BYTES);
      if (type === COMMENT || type === END) continue;
      checkChunk({ ...chunk, type, index: this.#chunks.length });
      const first = firstSector + sector;
      if (first + chunk.sectors > MOST_SECTORS) {
        fault('first sector', first, MOST_SECTORS);
      }
      if (chunk.sectors === 0) continue;
      const [guest, size] = [first * SECTOR, chunk.sectors * SECTOR];
      const { length } = chunk;
      this.#chunks.push({ type, guest, size, offset: base + chunk.offset, length });
    }
  }

  /** All of them, in the order of the disk. @throws ImageError invalid-image: they overlap */
  finish(): Chunk[] {
    const chunks = this.#chunks;
    chunks.sort((a, b) => a.guest - b.guest);
    for (let i = 1; i < chunks.length; i++) {
      const [before, chunk] = [chunks[i - 1], chunks[i]];
      if (before === undefined || chunk === undefined) break;
      if (before.guest + before.size <= chunk.guest) continue;
      const message = `Chunks overlap at sector ${chunk.guest / SECTOR}`;
      const [value, limit] = [chunk.guest, before.guest + before.size];
      imageFault('dmg', 'table-place', { field: 'sector', value, limit, message });
    }
    return chunks;
  }
}

/** In qemu-img's order and words. */
function checkChunk(chunk: {
  readonly type: number;
  readonly sectors: number;
  readonly length: number;
  readonly index: number;
}): void {
  const { type, sectors, length, index } = chunk;
  // Zeros need no memory, however many they are.
  if (type !== ZERO && type !== IGNORE && sectors > MAX_SECTORS) {
    fault('sectors of a chunk', sectors, MAX_SECTORS, tooLarge('sector count', sectors, index));
  }
  if (length > MAX_LENGTH) {
    fault('bytes of a chunk', length, MAX_LENGTH, tooLarge('length', length, index));
  }
}

/** QEMU says this, and then what any wrong argument is answered with. */
function tooLarge(what: string, value: number, index: number): string {
  const most = what === 'length' ? MAX_LENGTH : MAX_SECTORS;
  return `${what} ${value} for chunk ${index} is larger than max (${most})`;
}
