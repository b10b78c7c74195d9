/**
 * Partition tables of the guest: MBR with logical partitions, and GPT (UEFI specification,
 * section 5). Parsing is pure, what is read is bounded, and nothing of it is trusted: a table that
 * makes no sense is no table. Offsets and lengths in bytes of the guest's disk.
 */
import { crc32 } from '../binary/crc32.ts';
import { TWO_32 } from '../binary/units.ts';

/** Reads guest bytes; behind the end of the disk are zeros. */
export type ReadGuest = (offset: number, length: number) => Promise<Uint8Array>;

export interface Partition {
  /** As the guest's system counts: 1 to 4 in the MBR, logical ones from 5 on. */
  readonly number: number;
  readonly start: number;
  readonly length: number;
  /** The type: two hex digits in an MBR, a GUID in a GPT. */
  readonly type: string;
  /** '' where there is none: only a GPT has names. */
  readonly name: string;
}

/** Whether one of the two headers of a GPT is there, with the right checksums. */
export interface GptHeaders {
  readonly primary: boolean;
  readonly backup: boolean;
  /** Where the backup begins, its table included: it belongs at the end of the disk. */
  readonly backupStart: number;
  readonly backupEnd: number;
}

export interface PartitionTable {
  readonly scheme: 'mbr' | 'gpt';
  readonly partitions: readonly Partition[];
  /** undefined for an MBR. */
  readonly gpt: GptHeaders | undefined;
}

const MBR_BYTES = 512;
const MBR_ENTRIES_AT = 446;
const ENTRY_BYTES = 16;
const MBR_SECTOR = 512;
/** Logical partitions that are followed; systems know fewer. */
const MAX_LOGICAL = 128;
const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];
const PROTECTIVE = 0xee;

/** A GPT is written in sectors of the disk that it was made on. */
const GPT_SECTORS = [512, 4096] as const;
const GPT_HEADER_BYTES = 92;
/** The largest table that is read: 8192 partitions of the usual 128 bytes. */
const MAX_GPT_TABLE = 1024 * 1024;

/**
 * The partition table of a disk of `size` bytes; undefined where there is none.
 * @throws what `read` throws
 */
export async function readPartitions(
  read: ReadGuest,
  size: number,
): Promise<PartitionTable | undefined> {
  const first = await read(0, MBR_BYTES);
  const entries = parseMbr(first);
  const isProtected = entries?.some(({ type }) => type === PROTECTIVE) === true;
  if (entries === undefined || isProtected) {
    const gpt = await readGpt(read, size);
    if (gpt !== undefined || entries === undefined) return gpt;
  }
  const partitions: Partition[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.sectors > 0) partitions.push(describe(entry, index + 1, 0));
  }
  const extended = entries.find(({ type }) => EXTENDED_TYPES.includes(type));
  if (extended !== undefined) partitions.push(...(await readLogical(read, extended, size)));
  return partitions.length === 0 ? undefined : { scheme: 'mbr', partitions, gpt: undefined };
}

/** An entry of an MBR, in sectors. */
interface MbrEntry {
  readonly type: number;
  readonly first: number;
  readonly sectors: number;
}

function describe(entry: MbrEntry, number: number, base: number): Partition {
  return {
    number,
    start: (base + entry.first) * MBR_SECTOR,
    length: entry.sectors * MBR_SECTOR,
    type: entry.type.toString(16).padStart(2, '0'),
    name: '',
  };
}

/**
 * The four entries of a boot sector; unused ones have no sectors. undefined where it is none, or
 * holds a file system with something else in that place.
 */
export function parseMbr(bytes: Uint8Array): MbrEntry[] | undefined {
  if (bytes.length < MBR_BYTES || bytes[510] !== 0x55 || bytes[511] !== 0xaa) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const entries: MbrEntry[] = [];
  for (let index = 0; index < 4; index++) {
    const at = MBR_ENTRIES_AT + index * ENTRY_BYTES;
    if ((view.getUint8(at) & 0x7f) !== 0) return undefined;
    const type = view.getUint8(at + 4);
    const sectors = type === 0 ? 0 : view.getUint32(at + 12, true);
    entries.push({ type, first: view.getUint32(at + 8, true), sectors });
  }
  return entries;
}

/** The chain of boot sectors in an extended partition: each names one partition and the next. */
async function readLogical(
  read: ReadGuest,
  extended: MbrEntry,
  size: number,
): Promise<Partition[]> {
  const partitions: Partition[] = [];
  const seen = new Set<number>();
  let at = extended.first;
  while (partitions.length < MAX_LOGICAL && !seen.has(at) && at > 0 && at * MBR_SECTOR < size) {
    seen.add(at);
    const entries = parseMbr(await read(at * MBR_SECTOR, MBR_BYTES));
    const [own, next] = entries ?? [];
    if (own !== undefined && own.sectors > 0 && !EXTENDED_TYPES.includes(own.type)) {
      partitions.push(describe(own, partitions.length + 5, at));
    }
    if (next === undefined || !EXTENDED_TYPES.includes(next.type)) break;
    // All but the first are counted from the start of the extended partition.
    at = extended.first + next.first;
  }
  return partitions;
}

async function readGpt(read: ReadGuest, size: number): Promise<PartitionTable | undefined> {
  for (const sector of GPT_SECTORS) {
    const primary = await readGptHeader(read, size, sector, 1);
    const last = Math.floor(size / sector) - 1;
    const backupAt = primary?.alternate ?? last;
    let backup = await readGptHeader(read, size, sector, backupAt);
    if (backup === undefined && backupAt !== last) {
      backup = await readGptHeader(read, size, sector, last);
    }
    const header = primary ?? backup;
    if (header === undefined) continue;
    // Where it lies usually: its table before it, as long as that of the primary one.
    const tableSectors = Math.ceil(header.table.length / sector);
    const backupHeader = backup?.own ?? backupAt;
    return {
      scheme: 'gpt',
      partitions: parseGptTable(header, sector),
      gpt: {
        primary: primary !== undefined,
        backup: backup !== undefined,
        backupStart: Math.max(0, (backup?.tableAt ?? backupHeader - tableSectors) * sector),
        backupEnd: (backupHeader + 1) * sector,
      },
    };
  }
  return undefined;
}

/** A header whose checksums are right, with its table. In sectors. */
interface GptHeader {
  readonly own: number;
  readonly alternate: number;
  readonly tableAt: number;
  readonly entryBytes: number;
  readonly table: Uint8Array;
}

async function readGptHeader(
  read: ReadGuest,
  size: number,
  sector: number,
  at: number,
): Promise<GptHeader | undefined> {
  if (at < 1 || (at + 1) * sector > size) return undefined;
  const header = parseGptHeader(await read(at * sector, sector), at);
  if (header === undefined) return undefined;
  const { count, entryBytes, tableAt } = header;
  const length = count * entryBytes;
  if (length > MAX_GPT_TABLE || tableAt * sector + length > size) return undefined;
  const table = await read(tableAt * sector, length);
  if (crc32(table) !== header.tableChecksum) return undefined;
  return { own: at, alternate: header.alternate, tableAt, entryBytes, table };
}

/** «GPT Header». @param at the sector that it was read from: it has to say so itself */
export function parseGptHeader(bytes: Uint8Array, at: number) {
  if (bytes.length < GPT_HEADER_BYTES) return undefined;
  if (new TextDecoder('latin1').decode(bytes.subarray(0, 8)) !== 'EFI PART') return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(12, true);
  if (length < GPT_HEADER_BYTES || length > bytes.length) return undefined;
  const blank = bytes.slice(0, length);
  blank.fill(0, 16, 20);
  if (crc32(blank) !== view.getUint32(16, true) || long(view, 24) !== at) return undefined;
  const entryBytes = view.getUint32(84, true);
  if (entryBytes < 128 || entryBytes % 8 !== 0) return undefined;
  return {
    alternate: long(view, 32),
    tableAt: long(view, 72),
    count: view.getUint32(80, true),
    entryBytes,
    tableChecksum: view.getUint32(88, true),
  };
}

function parseGptTable({ table, entryBytes }: GptHeader, sector: number): Partition[] {
  const partitions: Partition[] = [];
  for (let at = 0; at + entryBytes <= table.length; at += entryBytes) {
    const entry = table.subarray(at, at + entryBytes);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
    const first = long(view, 32);
    const last = long(view, 40);
    if (last < first) continue;
    partitions.push({
      number: at / entryBytes + 1,
      start: first * sector,
      length: (last - first + 1) * sector,
      type: guid(entry),
      name: new TextDecoder('utf-16le').decode(entry.subarray(56, 128)).replace(/\0.*$/su, ''),
    });
  }
  return partitions;
}

/** 64 bits, little-endian; inexact above 2^53, which no disk reaches. */
function long(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

/** The first three groups of a GUID are numbers, little-endian; the others are bytes. */
function guid(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const hex = order.map((at) => (bytes[at] ?? 0).toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-').toUpperCase();
}
