/**
 * Headers of space-efficient sparse extents (seSparse). VMware has not published the format; what is
 * known of it holds for one set of values, and everything else is refused.
 */
import { SECTOR, TWO_32 } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import { SE_HEADER, SE_VOLATILE } from './layout.ts';
import { checkLayout, type SparseLayout } from './sparse-header.ts';

const MAGIC = 0xcafebabe;
const VOLATILE_MAGIC = 0xcafecafe;
const VERSION = 2 * TWO_32 + 1;
/** Sectors. */
const GRAIN = 8;
const TABLE = 64;
const ENTRY = 8;

function hex(bytes: Uint8Array, at: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return `0x${view.getBigUint64(at, true).toString(16).padStart(16, '0')}`;
}

function refuse(field: string, value: string, message: string): never {
  return imageFault('vmdk', 'field', { field, value, message: `${message}: ${value}` });
}

function decimal(bytes: Uint8Array, at: number): string {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true).toString();
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** @throws ImageError invalid-image */
function checkConstant(bytes: Uint8Array): void {
  const header = SE_HEADER.read(bytes);
  if (header.magic !== MAGIC) refuse('magic', hex(bytes, 0), 'Bad const header magic');
  if (header.version !== VERSION) refuse('version', hex(bytes, 8), 'Unsupported version');
  if (header.grainSize !== GRAIN) {
    refuse('grainSize', decimal(bytes, 24), 'Unsupported grain size');
  }
  if (header.tableSize !== TABLE) {
    refuse('tableSize', decimal(bytes, 32), 'Unsupported grain table size');
  }
  if (header.flags !== 0) refuse('flags', hex(bytes, 40), 'Unsupported flags');
  const reserved = [48, 56, 64, 72].map((at) => hex(bytes, at)).join(' ');
  if (!isZero(bytes.subarray(48, 80))) refuse('reserved', reserved, 'Unsupported reserved bits');
  if (!isZero(bytes.subarray(SE_HEADER.size))) {
    const message = 'Unsupported non-zero const header padding';
    imageFault('vmdk', 'field', { field: 'padding', message });
  }
}

/** @throws ImageError invalid-image; `log`: the journal would have to be replayed first */
function checkVolatile(bytes: Uint8Array): void {
  const header = SE_VOLATILE.read(bytes);
  if (header.magic !== VOLATILE_MAGIC) refuse('magic', hex(bytes, 0), 'Bad volatile header magic');
  if (header.replayJournal !== 0) {
    const message = 'Image is dirty, Replaying journal not supported';
    imageFault('vmdk', 'field', { field: 'replayJournal', message });
  }
  if (!isZero(bytes.subarray(SE_VOLATILE.size))) {
    const message = 'Unsupported non-zero volatile header padding';
    imageFault('vmdk', 'field', { field: 'padding', message });
  }
}

/**
 * Reads both headers of a space-efficient extent.
 * @throws ImageError invalid-image and those of reading
 */
export async function readSeHeader(storage: Storage): Promise<SparseLayout> {
  const bytes = await readPadded(storage, 0, SECTOR);
  checkConstant(bytes);
  const header = SE_HEADER.read(bytes);
  const { capacity, directory, directorySize, tablesOffset, grainsOffset, volatileOffset } = header;
  const volatileAt = volatileOffset * SECTOR;
  const inside = volatileAt < storage.size;
  checkVolatile(inside ? await readPadded(storage, volatileAt, SECTOR) : new Uint8Array(SECTOR));
  return checkLayout({
    ...{ kind: 'se', version: 2, sectors: capacity, grainSectors: GRAIN },
    ...{ entriesPerTable: (TABLE * SECTOR) / ENTRY, entrySize: ENTRY, directory },
    ...{ directorySize: directorySize * (SECTOR / ENTRY), redundantDirectory: 0, overhead: 0 },
    ...{ compressed: false, markers: false, zeroedGrains: true, hasFooter: false, headerAt: 0 },
    ...{ tablesBase: tablesOffset, grainsBase: grainsOffset },
  });
}
