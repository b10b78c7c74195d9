/** Tables of pointers as nodes, as most formats have them: to blocks, or to further tables. */
import { hex64 } from '../binary/units.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import {
  entries,
  facets,
  fitting,
  listed,
  part,
  type Part,
  type Place,
  type Structures,
  type Told,
} from './structure.ts';

/** A table of pointers. */
export interface PointerTable {
  /** Of its id. */
  readonly step: string;
  readonly told: Told;
  readonly storage: Storage;
  /** Bytes. */
  readonly offset: number;
  /** Entries as the image says; those behind the end of the file are not shown. */
  readonly count: number;
  readonly bits: 32 | 64;
  readonly order: 'big' | 'little';
  /** @param high 0 where entries have 32 bits */
  readonly entry: (high: number, low: number, index: number) => PointerEntry;
}

/** What an entry says. */
export interface PointerEntry {
  readonly told: Told;
  /** The bytes of the file that it points to. */
  readonly target?: Place | undefined;
  /** What is there, where it is another table. */
  readonly table?: PointerTable | undefined;
  /** Where what it maps begins on the guest's disk, bytes. */
  readonly guest?: number;
  readonly bits?: string[];
  readonly doubtful?: boolean;
}

/** What all formats mean by it. */
export const GUEST_OFFSET = [
  'guest_offset',
  'Where this begins on the disk that the guest sees',
  '',
] as const;

/** The table, with its entries below. */
export function pointerPart(table: PointerTable): Part {
  const { step, told, storage, offset, bits } = table;
  const count = fitting(storage, offset, table.count, bits);
  const make = (index: number, bytes: Uint8Array, at: number): Part => {
    const [high, low] = wordsAt(table, bytes, at);
    const place = { offset: offset + (index * bits) / 8, length: bits / 8 };
    return entryPart(table, index, [high, low], place);
  };
  return part(
    step,
    told,
    { offset, length: (count * bits) / 8 },
    {
      doubtful: count < table.count,
      below: entries({ storage, offset, count, bits, make }),
    },
  );
}

function entryPart(
  table: PointerTable,
  index: number,
  [high, low]: readonly [number, number],
  place: Place,
): Part {
  const {
    told,
    target,
    table: further,
    guest,
    bits = [],
    doubtful,
  } = table.entry(high, low, index);
  const { size } = table.storage;
  const isInside = target !== undefined && target.offset < size;
  const below: Part[] = [];
  if (guest !== undefined) {
    const value = { style: 'offset' as const, text: `0x${guest.toString(16)}` };
    const to = { space: 'guest' as const, offset: guest };
    below.push(part('guest_offset', GUEST_OFFSET, place, { value: { ...value, target: to } }));
  }
  if (further !== undefined && isInside) below.push(pointerPart(further));
  const isPointer = target !== undefined && Number.isSafeInteger(target.offset);
  const text = `0x${hex64(high, low)}`;
  const means = target === undefined ? '' : `0x${target.offset.toString(16)}`;
  return part(String(index), told, place, {
    value: {
      style: 'hex',
      text,
      means: means === text ? '' : means,
      target: isPointer ? { space: 'file', offset: target.offset } : undefined,
      bits,
    },
    doubtful: doubtful === true || (target !== undefined && !isInside),
    below: below.length === 0 ? undefined : facets(below),
  });
}

function wordsAt({ bits, order }: PointerTable, bytes: Uint8Array, at: number): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bits / 8);
  const little = order === 'little';
  if (bits === 32) return [0, view.getUint32(0, little)];
  return [view.getUint32(little ? 4 : 0, little), view.getUint32(little ? 0 : 4, little)];
}

/** Bytes of tables that are read in search of one address, and at once. */
const MOST_READ = 32 * 1024 * 1024;
const READ = 1024 * 1024;

/** The id of the table with the address in it, or of the entry that points to it; '' for none. */
export async function pointerTo(tables: readonly PointerTable[], address: number): Promise<string> {
  const budget = { left: MOST_READ };
  let level = tables.map((table) => ({ table, id: table.step }));
  while (level.length > 0) {
    const next: typeof level = [];
    for (const { table, id } of level) {
      const found = await searchTable(table, id, address, budget, next);
      if (found !== '') return found;
    }
    level = next;
  }
  return '';
}

async function searchTable(
  table: PointerTable,
  id: string,
  address: number,
  budget: { left: number },
  next: { table: PointerTable; id: string }[],
): Promise<string> {
  const { storage, offset, bits } = table;
  const size = bits / 8;
  const count = fitting(storage, offset, table.count, bits);
  if (address >= offset && address < offset + count * size) return id;
  for (let at = 0; at < count && budget.left > 0;) {
    const many = Math.min(count - at, READ / size);
    const bytes = await readPadded(storage, offset + at * size, many * size);
    budget.left -= bytes.length;
    for (let i = 0; i < many; i++) {
      const [high, low] = wordsAt(table, bytes, i * size);
      const { target, table: further } = table.entry(high, low, at + i);
      if (target === undefined || target.offset >= storage.size) continue;
      const here = `${id}/${String(at + i)}`;
      const isIn = address >= target.offset && address < target.offset + target.length;
      if (isIn) return further === undefined ? here : `${here}/${further.step}`;
      if (further !== undefined) next.push({ table: further, id: `${here}/${further.step}` });
    }
    at += many;
  }
  return '';
}

/** A tree of what is at the top and of tables, which are at the top, too. */
export function withTables(
  parts: readonly (Part | undefined)[],
  tables: readonly PointerTable[],
): Structures {
  const all = parts.filter((one) => one !== undefined);
  const top = listed([...all, ...tables.map(pointerPart)]);
  const idAt = async (offset: number): Promise<string> =>
    (await top.at(offset)) === undefined ? pointerTo(tables, offset) : '';
  return { top, idAt };
}
