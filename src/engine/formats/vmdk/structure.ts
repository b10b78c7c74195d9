/** The structures of a VMDK file as a tree: those of the file that was opened. */
import { SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { Changes, FieldKeys, Part, Place, Structures, Told } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import {
  AT_END,
  COWD_HEADER,
  COWD_MAGIC,
  COWD_TABLE,
  FLAG,
  GRAIN_MARKER,
  HOSTED_HEADER,
  HOSTED_MAGIC,
  MARKER_FOOTER,
  MARKER,
  ZEROED,
  type HostedHeader,
} from './layout.ts';

const HEADER = 'Hosted Sparse Extent Header';
const GRAINS = 'Hosted Sparse Extent Metadata';

const MEANINGS = {
  'vmdk.header': ['What the extent is, and where its tables are', HEADER],
  'vmdk.magic': ['Marks the file as a sparse extent', HEADER],
  'vmdk.footer': [
    'The header at the end of a stream, which counts',
    'Stream-Optimized Compressed Sparse Extents',
  ],
  'vmdk.descriptor': ['What the disk consists of, as text', 'The Descriptor File'],
  'vmdk.line': ['A line of the descriptor', 'The Descriptor File'],
  'vmdk.directory': ['Where the grain tables are', GRAINS],
  'vmdk.redundant_directory': ['Where the copies of the grain tables are', GRAINS],
  'vmdk.directory.entry': ['The sector at which a grain table begins', GRAINS],
  'vmdk.directory.unallocated': [
    'No grain table: nothing of this stretch is in the extent',
    GRAINS,
  ],
  'vmdk.table': ['Where the grains of a stretch of the disk are', GRAINS],
  'vmdk.grain': ['The sector at which a grain begins', GRAINS],
  'vmdk.grain.zero': ['Reads as zeros, whatever the parent has', GRAINS],
  'vmdk.grain.unallocated': ['Not in this extent: zeros, or what the parent has', GRAINS],
} as const;

export type VmdkStructureKey =
  | keyof typeof MEANINGS
  | FieldKeys<'vmdk.header', typeof HOSTED_HEADER>
  | FieldKeys<'vmdk.cowd', typeof COWD_HEADER>;

const told = (key: keyof typeof MEANINGS): Told => meaningOf(MEANINGS, key);

/** Bytes of a descriptor, and lines, that are shown. */
const DESCRIPTOR_BYTES = 1024 * 1024;
const LINES = 10_000;
/** Behind the last marker of a stream: footer and end. */
const FOOTER_AT = 3 * SECTOR;

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const first = await readPadded(storage, 0, 2 * SECTOR);
  const magic = new DataView(first.buffer, first.byteOffset).getUint32(0);
  if (magic === HOSTED_MAGIC) return hosted(storage, first);
  if (magic === COWD_MAGIC) return cowd(storage, first);
  return withTables([await descriptorPart(storage, 0, storage.size)], []);
}

async function hosted(storage: Storage, first: Uint8Array): Promise<Structures> {
  const parts: (Part | undefined)[] = [hostedPart('header', first, 0, storage.size)];
  let header = HOSTED_HEADER.read(first);
  if (header.descriptorOffset > 0 && header.descriptorSize > 0) {
    const at = header.descriptorOffset * SECTOR;
    parts.push(await descriptorPart(storage, at, header.descriptorSize * SECTOR));
  }
  if (header.directory === AT_END && storage.size >= FOOTER_AT) {
    const at = storage.size - FOOTER_AT;
    const bytes = await readPadded(storage, at, 2 * SECTOR);
    if (MARKER.read(bytes).type === MARKER_FOOTER) {
      const footer = bytes.subarray(SECTOR);
      parts.push(hostedPart('footer', footer, at + SECTOR, storage.size));
      header = HOSTED_HEADER.read(footer);
    }
  }
  return withTables(parts, hostedTables(storage, header));
}

function hostedTables(storage: Storage, header: HostedHeader): PointerTable[] {
  const { capacity, grainSize, entriesPerTable, flags, directory, redundantDirectory } = header;
  const sectors = grainSize * entriesPerTable;
  if (directory === AT_END || sectors === 0) return [];
  const isPacked = (flags & FLAG.compressed) !== 0;
  const shape = {
    count: Math.ceil(capacity / sectors),
    entriesPerTable,
    grain: grainSize * SECTOR,
    // A packed grain is shorter as a rule; who looks for an address looks behind its marker.
    held: isPacked ? GRAIN_MARKER.size : grainSize * SECTOR,
    hasZeros: (flags & FLAG.zeroedGrains) !== 0,
  };
  const tables = [directoryOf(storage, 'directory', directory, shape)];
  if ((flags & FLAG.redundantDirectory) !== 0) {
    tables.push(directoryOf(storage, 'redundant_directory', redundantDirectory, shape));
  }
  return tables;
}

interface Shape {
  /** Entries of the directory. */
  readonly count: number;
  readonly entriesPerTable: number;
  /** Bytes of a grain, on the disk and in the file at least. */
  readonly grain: number;
  readonly held: number;
  readonly hasZeros: boolean;
}

function directoryOf(
  storage: Storage,
  step: 'directory' | 'redundant_directory',
  sector: number,
  { count, entriesPerTable, grain, held, hasZeros }: Shape,
): PointerTable {
  const common = { storage, bits: 32, order: 'little' } as const;
  const tableAt = (offset: number, first: number): PointerTable => ({
    ...{ ...common, step: 'table', told: told('vmdk.table'), offset, count: entriesPerTable },
    entry: (_, low, index) => {
      const guest = first + index * grain;
      if (low === 0) return { told: told('vmdk.grain.unallocated'), guest };
      if (hasZeros && low === ZEROED) return { told: told('vmdk.grain.zero'), guest };
      return { told: told('vmdk.grain'), guest, target: { offset: low * SECTOR, length: held } };
    },
  });
  return {
    ...{ ...common, step, told: told(`vmdk.${step}`), offset: sector * SECTOR, count },
    entry: (_, low, index) => {
      const guest = index * entriesPerTable * grain;
      if (low === 0) return { told: told('vmdk.directory.unallocated'), guest };
      const target = { offset: low * SECTOR, length: entriesPerTable * 4 };
      const table = tableAt(target.offset, guest);
      return { told: told('vmdk.directory.entry'), guest, target, table };
    },
  };
}

const FLAG_NAMES = new Map<number, string>([
  [FLAG.newlineTest, 'valid new line detection test'],
  [FLAG.redundantDirectory, 'redundant grain table'],
  [FLAG.zeroedGrains, 'zeroed-grain GTE'],
  [FLAG.compressed, 'compressed grains'],
  [FLAG.markers, 'markers'],
]);

/** Fields that are sectors of the file. */
const SECTORS = new Set(['descriptorOffset', 'redundantDirectory', 'directory', 'freeSector']);

function explainSectors(name: string, value: number, fileSize: number): Changes | undefined {
  const isPlace = SECTORS.has(name) || (name.endsWith('Offset') && name !== 'descriptorOffset');
  if (!isPlace || value === 0 || value === AT_END) return undefined;
  const offset = value * SECTOR;
  const target = Number.isSafeInteger(offset) ? { space: 'file' as const, offset } : undefined;
  const means = target === undefined ? '' : `0x${offset.toString(16)}`;
  // What is free may begin where the file ends.
  const isFree = name === 'freeSector' && offset <= fileSize;
  return { value: { target, means }, doubtful: offset >= fileSize && !isFree };
}

function magicPart(bytes: Uint8Array, at: number): Part {
  const place = { offset: at, length: 4 };
  return part('magic', told('vmdk.magic'), place, { value: textValue(bytes.subarray(0, 4)) });
}

function hostedPart(
  step: 'header' | 'footer',
  bytes: Uint8Array,
  at: number,
  fileSize: number,
): Part {
  const explain = (name: string, value: number): Changes | undefined => {
    if (name === 'flags') {
      const bits = [...FLAG_NAMES].filter(([bit]) => (value & bit) !== 0).map(([, text]) => text);
      return { value: { bits } };
    }
    if (name === 'compression') {
      return { value: { style: 'enum', means: value === 1 ? 'deflate' : '' }, doubtful: value > 1 };
    }
    return explainSectors(name, value, fileSize);
  };
  const options = { prefix: 'vmdk.header', section: HEADER, little: true, explain };
  const parts = [magicPart(bytes, at), ...fieldParts(HOSTED_HEADER, bytes, at, options)];
  return part(step, told(`vmdk.${step}`), { offset: at, length: SECTOR }, { below: listed(parts) });
}

async function descriptorPart(storage: Storage, offset: number, length: number): Promise<Part> {
  const there = Math.max(0, Math.min(length, storage.size - offset));
  const bytes = await readPadded(storage, offset, Math.min(there, DESCRIPTOR_BYTES));
  const end = bytes.indexOf(0);
  const text = end < 0 ? bytes : bytes.subarray(0, end);
  const lines: Part[] = [];
  for (let at = 0; at < text.length && lines.length < LINES;) {
    const next = text.indexOf(0x0a, at);
    const stop = next < 0 ? text.length : next;
    const place: Place = { offset: offset + at, length: stop - at };
    const value = textValue(text.subarray(at, stop));
    lines.push(part(String(lines.length), told('vmdk.line'), place, { value }));
    at = stop + 1;
  }
  const place = { offset, length: there };
  const doubtful = there < length;
  return part('descriptor', told('vmdk.descriptor'), place, { doubtful, below: listed(lines) });
}

function cowd(storage: Storage, first: Uint8Array): Structures {
  const { grainSize, directory, directorySize: count } = COWD_HEADER.read(first);
  const grain = grainSize * SECTOR;
  const shape = { count, entriesPerTable: COWD_TABLE, grain, held: grain, hasZeros: false };
  const explain = (name: string, value: number) => explainSectors(name, value, storage.size);
  const options = { prefix: 'vmdk.cowd', section: 'ESX Server Sparse Extent Header', explain };
  const fields = fieldParts(COWD_HEADER, first, 0, { ...options, little: true });
  const below = listed([magicPart(first, 0), ...fields]);
  const header = part('header', told('vmdk.header'), { offset: 0, length: SECTOR }, { below });
  return withTables([header], [directoryOf(storage, 'directory', directory, shape)]);
}
