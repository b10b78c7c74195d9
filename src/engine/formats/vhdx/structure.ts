/** The structures of a VHDX file as a tree. Sections of [MS-VHDX]. */
import { guidText } from '../../binary/guid.ts';
import { KIB, SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part } from '../structure.ts';
import type { Changes, FieldKeys, Part, Place, Structures, Told } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import {
  BITMAP_BYTES,
  BITMAP_PRESENT,
  CHUNK_SECTORS,
  CREATOR,
  entryOffset,
  entryState,
  FILE_PARAMETERS,
  GUID_BYTES,
  hasText,
  HEADER,
  HEADER_AT,
  HEADER_BYTES,
  HEADERS_AT,
  isSealed,
  METADATA,
  METADATA_ENTRY,
  METADATA_ENTRY_BYTES,
  METADATA_HEADER,
  METADATA_SIGNATURE,
  MOST_ENTRIES,
  PAYLOAD,
  REGION_ENTRY,
  REGION_ENTRY_BYTES,
  REGION_HEADER,
  REGION_HEADER_BYTES,
  REGION_TABLES_AT,
  REGIONS,
  SIGNATURE,
  TABLE_BYTES,
} from './layout.ts';

const BAT = '2.5.1';

const MEANINGS = {
  'vhdx.identifier': ['Marks the file as VHDX, and says what made it', '2.2.1'],
  'vhdx.signature': ['Marks the file as VHDX: “vhdxfile”', '2.2.1'],
  'vhdx.creator': ['The program that made the file', '2.2.1'],
  'vhdx.header': ['A header; of two, the one with the larger number counts', '2.2.2'],
  'vhdx.header.file_write_guid': ['Another one each time that the file is changed', '2.2.2'],
  'vhdx.header.data_write_guid': ['Another one each time that the content is changed', '2.2.2'],
  'vhdx.header.log_guid': ['Which entries of the log count; zeros: none', '2.2.2'],
  'vhdx.log': ['Changes of tables that may have to be made again', '2.3'],
  'vhdx.regions': ['Where the regions are; there are two tables alike', '2.2.3'],
  'vhdx.region': ['A region of the file', '2.2.3.2'],
  'vhdx.region.guid': ['Which region it is', '2.2.3.2'],
  'vhdx.metadata': ['What the disk is, in items', '2.6'],
  'vhdx.metadata.item': ['One item of what the disk is', '2.6.1.2'],
  'vhdx.metadata.guid': ['Which item it is', '2.6.1.2'],
  'vhdx.metadata.value': ['The value of the item', '2.6.2'],
  'vhdx.bat': ['Where each block of the disk is, and which sectors of it are its own', BAT],
  'vhdx.bat.present': ['A block that is in the file', BAT],
  'vhdx.bat.partly': ['A block of which a bitmap says which sectors are in the file', BAT],
  'vhdx.bat.zero': ['Reads as zeros', BAT],
  'vhdx.bat.unmapped': ['Content that the guest has given up', BAT],
  'vhdx.bat.not_present': ['Not in the file: zeros, or what the parent has', BAT],
  'vhdx.bat.unknown': ['A state that nobody knows', BAT],
  'vhdx.bat.bitmap': ['The bitmap of the blocks before: which sectors are in the file', BAT],
  'vhdx.bat.no_bitmap': ['No bitmap for the blocks before', BAT],
} as const;

export type VhdxStructureKey =
  | keyof typeof MEANINGS
  | FieldKeys<'vhdx.header', typeof HEADER>
  | FieldKeys<'vhdx.regions', typeof REGION_HEADER>
  | FieldKeys<'vhdx.region', typeof REGION_ENTRY>
  | FieldKeys<'vhdx.metadata', typeof METADATA_HEADER>
  | FieldKeys<'vhdx.metadata.item', typeof METADATA_ENTRY>
  | FieldKeys<'vhdx.parameters', typeof FILE_PARAMETERS>;

const told = (key: keyof typeof MEANINGS): Told => meaningOf(MEANINGS, key);

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const identifier = await readPadded(storage, 0, CREATOR.offset + CREATOR.length);
  const headers = await Promise.all(HEADERS_AT.map((at) => readPadded(storage, at, HEADER_BYTES)));
  const tables = await Promise.all(
    REGION_TABLES_AT.map((at) => readPadded(storage, at, TABLE_BYTES)),
  );
  const regions = regionsIn(tables.find(isSealed) ?? tables[0] ?? new Uint8Array());
  const parts: (Part | undefined)[] = [
    identifierPart(identifier),
    ...headers.map((bytes, index) => headerPart(bytes, index)),
    ...tables.map((bytes, index) => regionsPart(bytes, index)),
    logPart(headers, storage),
  ];
  const { metadata, bat } = regions;
  if (metadata === undefined) return withTables(parts, []);
  const bytes = await readPadded(storage, metadata.offset, TABLE_BYTES);
  const items = await itemsIn(storage, metadata.offset, bytes);
  parts.push(metadataPart(bytes, metadata, items));
  return withTables(parts, bat === undefined ? [] : [batOf(storage, bat, items)]);
}

function identifierPart(bytes: Uint8Array): Part {
  const text = new TextDecoder('utf-16le').decode(bytes.subarray(CREATOR.offset)).split('\0')[0];
  const marks = { offset: 0, length: SIGNATURE.length };
  const isSound = hasText(bytes, SIGNATURE);
  const parts = [
    part('signature', told('vhdx.signature'), marks, {
      value: { text: isSound ? SIGNATURE : '' },
      doubtful: !isSound,
    }),
    part('creator', told('vhdx.creator'), CREATOR, { value: { text: text ?? '' } }),
  ];
  const place = { offset: 0, length: bytes.length };
  return part('identifier', told('vhdx.identifier'), place, { below: listed(parts) });
}

function guidPart(step: string, meaning: Told, bytes: Uint8Array, at: number, place: Place): Part {
  return part(step, meaning, place, {
    value: { style: 'hex', text: guidText(bytes, at), means: NAMES.get(guidText(bytes, at)) ?? '' },
  });
}

/** What the specification calls regions and items. */
const NAMES = new Map<string, string>([
  [REGIONS.bat, 'BAT'],
  [REGIONS.metadata, 'Metadata region'],
  [METADATA.fileParameters, 'File Parameters'],
  [METADATA.diskSize, 'Virtual Disk Size'],
  [METADATA.diskId, 'Virtual Disk ID'],
  [METADATA.logicalSectorSize, 'Logical Sector Size'],
  [METADATA.physicalSectorSize, 'Physical Sector Size'],
  [METADATA.parentLocator, 'Parent Locator'],
]);

function headerPart(bytes: Uint8Array, index: number): Part {
  const at = HEADERS_AT[index] ?? 0;
  const isGood = isSealed(bytes);
  const explain = (name: string): Changes | undefined =>
    name === 'checksum' ? { doubtful: !isGood } : undefined;
  const parts = fieldParts(HEADER, bytes, at, {
    ...{ prefix: 'vhdx.header', section: '2.2.2', little: true, explain },
  });
  for (const name of ['fileWriteGuid', 'dataWriteGuid', 'logGuid'] as const) {
    const from = HEADER_AT[name];
    const key = `${name.slice(0, -4).replace(/[A-Z]/, (l) => `_${l.toLowerCase()}`)}_guid`;
    const meaning = told(`vhdx.header.${key}` as 'vhdx.header.log_guid');
    parts.push(guidPart(key, meaning, bytes, from, { offset: at + from, length: GUID_BYTES }));
  }
  parts.sort((a, b) => a.offset - b.offset);
  return part(
    `header${String(index + 1)}`,
    told('vhdx.header'),
    { offset: at, length: HEADER_BYTES },
    {
      doubtful: !isGood,
      below: listed(parts),
    },
  );
}

/** The log of the header that counts. */
function logPart(headers: readonly Uint8Array[], storage: Storage): Part | undefined {
  const sound = headers.filter(isSealed).map((bytes) => HEADER.read(bytes));
  const [first, second] = sound;
  const isSecond = second !== undefined && second.sequenceNumber > (first?.sequenceNumber ?? -1n);
  const header = isSecond ? second : first;
  if (header === undefined || header.logLength === 0) return undefined;
  const place = { offset: header.logOffset, length: header.logLength };
  const doubtful = place.offset + place.length > storage.size;
  return part('log', told('vhdx.log'), place, { doubtful });
}

function regionsIn(bytes: Uint8Array): { bat?: Place; metadata?: Place } {
  const found: { bat?: Place; metadata?: Place } = {};
  const count = Math.min(REGION_HEADER.read(bytes).entryCount, MOST_ENTRIES);
  for (let index = 0; index < count; index++) {
    const at = REGION_HEADER_BYTES + index * REGION_ENTRY_BYTES;
    const { fileOffset, length } = REGION_ENTRY.read(bytes, at);
    const place = { offset: Number(fileOffset), length };
    const guid = guidText(bytes, at);
    if (guid === REGIONS.bat) found.bat ??= place;
    if (guid === REGIONS.metadata) found.metadata ??= place;
  }
  return found;
}

function regionsPart(bytes: Uint8Array, index: number): Part {
  const at = REGION_TABLES_AT[index] ?? 0;
  const isGood = isSealed(bytes);
  const parts = fieldParts(REGION_HEADER, bytes, at, {
    ...{ prefix: 'vhdx.regions', section: '2.2.3.1', little: true },
    explain: (name, value) => ({
      doubtful: (name === 'checksum' && !isGood) || (name === 'entryCount' && value > MOST_ENTRIES),
    }),
  });
  const count = Math.min(REGION_HEADER.read(bytes).entryCount, MOST_ENTRIES);
  for (let entry = 0; entry < count; entry++) {
    const from = REGION_HEADER_BYTES + entry * REGION_ENTRY_BYTES;
    const place = { offset: at + from, length: REGION_ENTRY_BYTES };
    const guid = { offset: at + from, length: GUID_BYTES };
    const fields = fieldParts(REGION_ENTRY, bytes.subarray(from), at + from, {
      ...{ prefix: 'vhdx.region', section: '2.2.3.2', little: true },
    });
    const name = NAMES.get(guidText(bytes, from)) ?? guidText(bytes, from);
    parts.push(
      part(String(entry), told('vhdx.region'), place, {
        value: { text: name },
        below: listed([guidPart('guid', told('vhdx.region.guid'), bytes, from, guid), ...fields]),
      }),
    );
  }
  const place = { offset: at, length: TABLE_BYTES };
  return part(`regions${String(index + 1)}`, told('vhdx.regions'), place, {
    doubtful: !isGood,
    below: listed(parts),
  });
}

/** An item of the metadata. */
interface Item extends Place {
  readonly guid: string;
  /** Of its entry in the table. */
  readonly at: number;
  /** Its first bytes, which are all of it but for parent locators. */
  readonly bytes: Uint8Array;
}

/** Bytes of an item that are shown. */
const SHOWN = 32;

async function itemsIn(storage: Storage, region: number, bytes: Uint8Array): Promise<Item[]> {
  const count = Math.min(METADATA_HEADER.read(bytes).entryCount, MOST_ENTRIES);
  const items: Item[] = [];
  for (let index = 0; index < count; index++) {
    const at = METADATA_ENTRY_BYTES * (index + 1);
    const entry = METADATA_ENTRY.read(bytes, at);
    const place = { offset: region + entry.offset, length: entry.length };
    const value = await readPadded(storage, place.offset, Math.min(SHOWN, place.length));
    items.push({ ...place, guid: guidText(bytes, at), at, bytes: value });
  }
  return items;
}

function metadataPart(bytes: Uint8Array, region: Place, items: readonly Item[]): Part {
  const at = region.offset;
  const parts = fieldParts(METADATA_HEADER, bytes, at, {
    ...{ prefix: 'vhdx.metadata', section: '2.6.1.1', little: true },
  });
  for (const [index, item] of items.entries()) {
    const entry = { offset: at + item.at, length: METADATA_ENTRY_BYTES };
    const guid = { offset: entry.offset, length: GUID_BYTES };
    const fields = fieldParts(METADATA_ENTRY, bytes.subarray(item.at), entry.offset, {
      ...{ prefix: 'vhdx.metadata.item', section: '2.6.1.2', little: true },
      // Counts from the region, not from the file.
      explain: (name) =>
        name === 'offset'
          ? { value: { target: { space: 'file', offset: item.offset } } }
          : undefined,
    });
    const below = [
      guidPart('guid', told('vhdx.metadata.guid'), bytes, item.at, guid),
      ...fields,
      ...itemParts(item),
    ];
    parts.push(
      part(String(index), told('vhdx.metadata.item'), entry, {
        value: { text: NAMES.get(item.guid) ?? item.guid },
        below: listed(below),
      }),
    );
  }
  return part('metadata', told('vhdx.metadata'), region, {
    doubtful: !hasText(bytes, METADATA_SIGNATURE),
    below: listed(parts),
  });
}

function itemParts({ guid, bytes, offset, length }: Item): Part[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (guid === METADATA.fileParameters) {
    return fieldParts(FILE_PARAMETERS, bytes, offset, {
      ...{ prefix: 'vhdx.parameters', section: '2.6.2.1', little: true },
    });
  }
  const valuePart = (style: 'bytes' | 'hex', text: string): Part[] => [
    part('value', told('vhdx.metadata.value'), { offset, length }, { value: { style, text } }),
  ];
  if (guid === METADATA.diskSize && bytes.length >= 8) {
    return valuePart('bytes', view.getBigUint64(0, true).toString());
  }
  const isSize = guid === METADATA.logicalSectorSize || guid === METADATA.physicalSectorSize;
  if (isSize && bytes.length >= 4) return valuePart('bytes', String(view.getUint32(0, true)));
  if (guid === METADATA.diskId) return valuePart('hex', guidText(bytes));
  return [part('value', told('vhdx.metadata.value'), { offset, length })];
}

const KINDS = new Map<number, keyof typeof MEANINGS>([
  [PAYLOAD.notPresent, 'vhdx.bat.not_present'],
  [PAYLOAD.undefined, 'vhdx.bat.not_present'],
  [PAYLOAD.zero, 'vhdx.bat.zero'],
  [PAYLOAD.unmapped, 'vhdx.bat.unmapped'],
  [PAYLOAD.unmappedDraft, 'vhdx.bat.unmapped'],
  [PAYLOAD.fullyPresent, 'vhdx.bat.present'],
  [PAYLOAD.partiallyPresent, 'vhdx.bat.partly'],
]);

function batOf(storage: Storage, region: Place, items: readonly Item[]): PointerTable {
  const bytesOf = (guid: string) => items.find((item) => item.guid === guid)?.bytes;
  const { blockSize } = FILE_PARAMETERS.read(bytesOf(METADATA.fileParameters) ?? new Uint8Array());
  const sector = bytesOf(METADATA.logicalSectorSize)?.[1] === 16 ? 4 * KIB : SECTOR;
  // So many blocks, and behind them the bitmap for all of them.
  const ratio = Math.max(1, Math.floor((CHUNK_SECTORS * sector) / Math.max(1, blockSize)));
  return {
    ...{ step: 'bat', told: told('vhdx.bat'), storage, offset: region.offset },
    ...{ count: Math.floor(region.length / 8), bits: 64, order: 'little' },
    entry: (high, low, index) => {
      const state = entryState(low);
      const offset = entryOffset(high, low);
      const chunk = Math.floor(index / (ratio + 1));
      const within = index % (ratio + 1);
      if (within === ratio) {
        const isThere = state === BITMAP_PRESENT;
        const target = isThere ? { offset, length: BITMAP_BYTES } : undefined;
        return { told: told(isThere ? 'vhdx.bat.bitmap' : 'vhdx.bat.no_bitmap'), target };
      }
      const kind = KINDS.get(state) ?? 'vhdx.bat.unknown';
      const isThere = kind === 'vhdx.bat.present' || kind === 'vhdx.bat.partly';
      return {
        told: told(kind),
        guest: (chunk * ratio + within) * blockSize,
        target: isThere ? { offset, length: blockSize } : undefined,
        doubtful: kind === 'vhdx.bat.unknown',
      };
    },
  };
}
