/** The structures of a VHD file as a tree. «Virtual Hard Disk Image Format Specification» */
import { SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { bytesValue, fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { Changes, FieldKeys, Part, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import {
  AT,
  bitmapSize,
  checksumOf,
  COOKIE,
  FOOTER,
  FOOTER_SIZE,
  hasCookie,
  HEADER,
  HEADER_COOKIE,
  HEADER_SIZE,
  lettersOf,
  LOCATOR,
  LOCATOR_AT,
  LOCATORS,
  PARENT_NAME_BYTES,
  timeText,
  TYPE_DIFFERENCING,
  TYPE_FIXED,
  UNUSED,
  uuidText,
} from './layout.ts';

const FOOTER_SECTION = 'Hard Disk Footer Format';
const HEADER_SECTION = 'Dynamic Disk Header Format';
const TABLE_SECTION = 'Block Allocation Table and Data Blocks';

const MEANINGS = {
  'vpc.footer': ['What the disk is; the last sector of the file', FOOTER_SECTION],
  'vpc.footer_copy': ['A copy of the footer, at the beginning', FOOTER_SECTION],
  'vpc.footer.cookie': ['Marks it as a VHD: “conectix”', FOOTER_SECTION],
  'vpc.footer.uuid': ['The UUID of the disk', FOOTER_SECTION],
  'vpc.header': ['Where the blocks are, and what the parent is', HEADER_SECTION],
  'vpc.header.cookie': ['Marks it as this header: “cxsparse”', HEADER_SECTION],
  'vpc.header.parent_uuid': ['The UUID of the parent', HEADER_SECTION],
  'vpc.header.parent_name': ['The name of the parent', HEADER_SECTION],
  'vpc.locators': ['Eight places for names of the parent', HEADER_SECTION],
  'vpc.locator': ['A name of the parent, and how it is written', HEADER_SECTION],
  'vpc.bat': ['Where each block of the disk is', TABLE_SECTION],
  'vpc.block': [
    'The sector at which the bitmap of the block begins; its data follows',
    TABLE_SECTION,
  ],
  'vpc.unused': ['Never written: zeros, or what the parent has', TABLE_SECTION],
} as const;

export type VpcStructureKey =
  | keyof typeof MEANINGS
  | FieldKeys<'vpc.footer', typeof FOOTER>
  | FieldKeys<'vpc.header', typeof HEADER>
  | FieldKeys<'vpc.locator', typeof LOCATOR>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const { size } = storage;
  // Old programs leave out the last byte of the footer.
  const lastAt = Math.max(0, size - (size % SECTOR === 0 ? FOOTER_SIZE : size % SECTOR));
  const first = await readPadded(storage, 0, FOOTER_SIZE);
  const last = await readPadded(storage, lastAt, FOOTER_SIZE);
  const hasLast = hasCookie(last, COOKIE);
  const footer = hasLast ? last : first;
  const hasCopy = hasCookie(first, COOKIE) && lastAt > 0;
  const parts: (Part | undefined)[] = [
    hasCopy ? footerPart('footer_copy', first, 0) : undefined,
    footerPart('footer', last, lastAt),
  ];
  const { type, dataOffset } = FOOTER.read(footer);
  const headerAt = Number(dataOffset);
  if (type === TYPE_FIXED || headerAt >= size) return withTables(parts, []);
  const bytes = await readPadded(storage, headerAt, HEADER_SIZE);
  parts.push(headerPart(bytes, headerAt), locatorsPart(bytes, headerAt, type));
  return withTables(parts, [tableOf(storage, bytes)]);
}

function tableOf(storage: Storage, bytes: Uint8Array): PointerTable {
  const { tableOffset, tableEntries: count, blockSize } = HEADER.read(bytes);
  const length = bitmapSize(blockSize) + blockSize;
  return {
    ...{ step: 'bat', told: told('vpc.bat'), storage, offset: Number(tableOffset), count },
    ...{ bits: 32, order: 'big' },
    entry: (_, low, index) => {
      const guest = index * blockSize;
      if (low === UNUSED) return { told: told('vpc.unused'), guest };
      return { told: told('vpc.block'), guest, target: { offset: low * SECTOR, length } };
    },
  };
}

const TYPES = ['', '', 'fixed', 'dynamic', 'differencing'];
const LETTERS = new Set(['creatorApp', 'creatorOs', 'platform']);

function footerPart(step: 'footer' | 'footer_copy', bytes: Uint8Array, at: number): Part {
  const explain = (name: string, value: number): Changes | undefined => {
    if (LETTERS.has(name)) return { value: { means: lettersOf(value) } };
    if (name === 'timestamp') return { value: { means: timeText(value) } };
    if (name === 'type') {
      const means = TYPES[value] ?? '';
      return { value: { style: 'enum', means }, doubtful: means === '' };
    }
    if (name === 'checksum') return { doubtful: value !== checksumOf(bytes, AT.footerChecksum) };
    return allOnes(name, 'dataOffset', value);
  };
  const section = FOOTER_SECTION;
  const parts = [
    cookiePart('vpc.footer.cookie', bytes, at, COOKIE),
    ...fieldParts(FOOTER, bytes, at, { prefix: 'vpc.footer', section, explain }),
    part(
      'uuid',
      told('vpc.footer.uuid'),
      { offset: at + AT.uuid, length: 16 },
      {
        value: { style: 'hex', text: uuidText(bytes.subarray(AT.uuid, AT.uuid + 16)) },
      },
    ),
  ];
  const place = { offset: at, length: FOOTER_SIZE };
  return part(step, told(`vpc.${step}`), place, {
    doubtful: !hasCookie(bytes, COOKIE),
    below: listed(parts.sort((a, b) => a.offset - b.offset)),
  });
}

/** All bits set point nowhere. */
function allOnes(name: string, field: string, value: number): Changes | undefined {
  return name === field && value >= 2 ** 63 ? { value: { target: undefined } } : undefined;
}

function cookiePart(
  key: 'vpc.footer.cookie' | 'vpc.header.cookie',
  bytes: Uint8Array,
  at: number,
  cookie: string,
): Part {
  const value = textValue(bytes.subarray(0, cookie.length));
  const doubtful = !hasCookie(bytes, cookie);
  return part('cookie', told(key), { offset: at, length: cookie.length }, { value, doubtful });
}

function headerPart(bytes: Uint8Array, at: number): Part {
  const explain = (name: string, value: number): Changes | undefined => {
    if (name === 'parentTimestamp') return { value: { means: timeText(value) } };
    if (name === 'checksum') return { doubtful: value !== checksumOf(bytes, AT.headerChecksum) };
    return allOnes(name, 'nextOffset', value);
  };
  const uuid = bytes.subarray(AT.parentUuid, AT.parentUuid + 16);
  const name = bytes.subarray(AT.parentName, AT.parentName + PARENT_NAME_BYTES);
  const [text = ''] = new TextDecoder('utf-16be').decode(name).split('\0');
  const parts = [
    cookiePart('vpc.header.cookie', bytes, at, HEADER_COOKIE),
    ...fieldParts(HEADER, bytes, at, { prefix: 'vpc.header', section: HEADER_SECTION, explain }),
    part(
      'parent_uuid',
      told('vpc.header.parent_uuid'),
      { offset: at + AT.parentUuid, length: 16 },
      {
        value: { style: 'hex', text: uuidText(uuid) },
      },
    ),
    part(
      'parent_name',
      told('vpc.header.parent_name'),
      { offset: at + AT.parentName, length: PARENT_NAME_BYTES },
      { value: { style: 'text', text } },
    ),
  ];
  const place = { offset: at, length: LOCATOR_AT };
  return part('header', told('vpc.header'), place, {
    doubtful: !hasCookie(bytes, HEADER_COOKIE),
    below: listed(parts.sort((a, b) => a.offset - b.offset)),
  });
}

function locatorsPart(bytes: Uint8Array, at: number, type: number): Part | undefined {
  if (type !== TYPE_DIFFERENCING) return undefined;
  const { size } = LOCATOR;
  const locators = Array.from({ length: LOCATORS }, (_, index) => {
    const from = LOCATOR_AT + index * size;
    const entry = bytes.subarray(from, from + size);
    const fields = fieldParts(LOCATOR, entry, at + from, {
      ...{ prefix: 'vpc.locator', section: HEADER_SECTION },
      explain: (name, value) =>
        LETTERS.has(name) ? { value: { means: lettersOf(value) } } : undefined,
    });
    const value = bytesValue(entry.subarray(0, 4));
    const means = lettersOf(LOCATOR.read(entry).platform);
    return part(
      String(index),
      told('vpc.locator'),
      { offset: at + from, length: size },
      {
        value: { ...value, means },
        below: listed(fields),
      },
    );
  });
  const place = { offset: at + LOCATOR_AT, length: LOCATORS * size };
  return part('locators', told('vpc.locators'), place, { below: listed(locators) });
}
