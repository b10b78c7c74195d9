/** The region table, of which there are two copies. [MS-VHDX] section 2.2.3. */
import { guidText } from '../../binary/guid.ts';
import { isImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import { fault, INVALID, UNSUPPORTED } from './faults.ts';
import type { Header } from './headers.ts';
import {
  isSealed,
  MOST_ENTRIES,
  REGION_ENTRY,
  REGION_ENTRY_BYTES,
  REGION_HEADER,
  REGION_HEADER_BYTES,
  REGION_TABLES_AT,
  REGIONS,
  SIGNATURES,
  TABLE_BYTES,
} from './layout.ts';

/** A part of the file that has a purpose. Bytes. */
export interface Place {
  readonly start: bigint;
  readonly end: bigint;
}

/** A region that is known. Bytes. */
export interface Region {
  readonly offset: number;
  readonly length: number;
}

export interface Regions {
  readonly bat: Region;
  readonly metadata: Region;
  /** The log and all regions, in the order of the file's tables; none touches another. */
  readonly places: readonly Place[];
  /** Where the table is that was used, bytes. */
  readonly at: number;
  readonly entryCount: number;
  /** The table itself. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What is the matter with the other copy. */
  readonly other: 'same' | 'different' | 'damaged';
}

/**
 * @param storage as it is after its log was replayed
 * @param lenient take the second copy where the first is damaged, which qemu-img does not do
 * @throws ImageError invalid-image and those of reading
 */
export async function readRegions(
  storage: Storage,
  header: Header,
  lenient: boolean,
): Promise<Regions> {
  const tables = [await readTable(storage, 0), await readTable(storage, 1)] as const;
  const parse = (index: 0 | 1): Regions => {
    const bytes = tables[index];
    const at = REGION_TABLES_AT[index];
    return { ...parseRegions(bytes, header), at, bytes, other: judgeOther(tables, index) };
  };
  try {
    return parse(0);
  } catch (error) {
    if (!lenient || !isImageError(error, 'invalid-image')) throw error;
    try {
      return parse(1);
    } catch {
      throw error;
    }
  }
}

type Tables = readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];

/** One that cannot be read is a damaged one. */
async function readTable(storage: Storage, index: 0 | 1): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readPadded(storage, REGION_TABLES_AT[index], TABLE_BYTES);
  } catch (error) {
    if (!isImageError(error, 'read-failed')) throw error;
    return new Uint8Array(TABLE_BYTES);
  }
}

function judgeOther(tables: Tables, used: 0 | 1): Regions['other'] {
  const other = tables[used === 0 ? 1 : 0];
  if (!isTable(other)) return 'damaged';
  const table = tables[used];
  for (let i = 0; i < TABLE_BYTES; i++) if (other[i] !== table[i]) return 'different';
  return 'same';
}

function isTable(bytes: Uint8Array): boolean {
  const { signature, entryCount } = REGION_HEADER.read(bytes);
  return signature === SIGNATURES.regions && entryCount <= MOST_ENTRIES && isSealed(bytes);
}

type Parsed = Pick<Regions, 'bat' | 'metadata' | 'places' | 'entryCount'>;

function parseRegions(bytes: Uint8Array, header: Header): Parsed {
  const { entryCount } = REGION_HEADER.read(bytes);
  if (!isTable(bytes)) fault('checksum', 'region table', entryCount);
  const logStart = BigInt(header.fields.logOffset);
  const places: Place[] = [{ start: logStart, end: logStart + BigInt(header.fields.logLength) }];
  const known = new Map<string, Region>();
  for (let index = 0; index < entryCount; index++) {
    const at = REGION_HEADER_BYTES + index * REGION_ENTRY_BYTES;
    const guid = guidText(bytes, at);
    const { fileOffset: start, length, required } = REGION_ENTRY.read(bytes, at);
    const place = { start, end: BigInt.asUintN(64, start + BigInt(length)) };
    const hit = places.findLast((other) => overlap(place, other));
    if (hit !== undefined) {
      const reported = overlapText(place, hit);
      imageFault('vhdx', 'table-place', {
        ...{ field: 'region', value: String(start), message: INVALID, reported },
      });
    }
    places.push(place);
    if (guid === REGIONS.bat || guid === REGIONS.metadata) {
      if (known.has(guid)) fault('table-place', 'region', guid);
      known.set(guid, { offset: Number(start), length });
    } else if ((required & 1) !== 0) {
      fault('descriptor', 'region', guid, UNSUPPORTED);
    }
  }
  const bat = known.get(REGIONS.bat);
  const metadata = known.get(REGIONS.metadata);
  if (bat === undefined || metadata === undefined) fault('table-place', 'region table');
  return { bat, metadata, places, entryCount };
}

function overlap(a: Place, b: Place): boolean {
  return a.start < b.end && a.end > b.start;
}

/** As qemu-img says it; with nothing for a zero at the end. */
export function overlapText(place: Place, other: Place): string {
  const end = other.end === 0n ? '' : String(other.end);
  return (
    `VHDX region ${String(place.start)}-${String(place.end)} overlaps with ` +
    `region ${String(other.start)}-${end}`
  );
}
