import type { AddressSpace, StructureNode } from '../worker/api.ts';
import { type ByteSource, NOT_THERE_YET } from './hex-bytes.ts';
import { character, twoDigits } from './hex-inspect.ts';

/** A byte as it is drawn: two digits, and how they look, as names of CSS classes. */
export interface HexCell {
  digits: string;
  look: string;
  isSelected: boolean;
  isCursor: boolean;
}

export interface HexRow {
  offset: number;
  address: string;
  cells: HexCell[];
  /** The text column in front of the selection, in it, and behind it. */
  text: [string, string, string];
  /** Why bytes of it cannot be read; '' when all can. */
  reason: string;
}

/** What is marked: everything is bytes of the shown addresses. */
export interface Marks {
  selection: { offset: number; length: number };
  cursor: number;
  /** The chosen structure; undefined where none is, or where it lies in other addresses. */
  lit: { offset: number; length: number } | undefined;
  /** {@link sortFields} of the structures that the bytes are divided into. */
  fields: readonly Field[];
}

/** A structure among its neighbours; `odd` takes turns, so that two beside each other differ. */
export interface Field {
  offset: number;
  end: number;
  odd: boolean;
  doubtful: boolean;
}

/** Structures by their place, for {@link Marks}. */
export function sortFields(nodes: readonly StructureNode[]): Field[] {
  return nodes
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, length, doubtful }, index) => ({
      offset,
      end: offset + length,
      odd: index % 2 === 1,
      doubtful,
    }));
}

/** Number of the first field that does not end in front of `offset`. */
function fieldFrom(fields: readonly Field[], offset: number): number {
  let low = 0;
  let high = fields.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((fields[middle]?.end ?? Infinity) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** One line of the hex view. */
export function hexRow(
  source: ByteSource,
  space: AddressSpace,
  offset: number,
  columns: number,
  size: number,
  digits: number,
  marks: Marks,
): HexRow {
  const { selection, cursor, lit, fields } = marks;
  const end = Math.min(offset + columns, size);
  const cells: HexCell[] = [];
  const text: [string, string, string] = ['', '', ''];
  let reason = '';
  let next = fieldFrom(fields, offset);
  for (let at = offset; at < end; at++) {
    const byte = source.byte(space, at);
    if (byte < 0 && byte !== NOT_THERE_YET) reason ||= source.reason(space, at) ?? '';
    while ((fields[next]?.end ?? Infinity) <= at) next += 1;
    const field = fields[next];
    const isSelected = at >= selection.offset && at < selection.offset + selection.length;
    let look = byte === 0 ? 'zero' : byte >= 0 ? 'byte' : byte === NOT_THERE_YET ? 'wait' : 'lost';
    if (field !== undefined && at >= field.offset) {
      look += field.odd ? ' odd' : ' even';
      if (at === field.offset) look += ' first';
      if (field.doubtful) look += ' doubtful';
    }
    if (lit !== undefined && at >= lit.offset && at < lit.offset + lit.length) look += ' lit';
    if (isSelected) look += ' selected';
    if (at === cursor) look += ' cursor';
    cells.push({ digits: shown(byte), look, isSelected, isCursor: at === cursor });
    const part = isSelected ? 1 : at < selection.offset ? 0 : 2;
    text[part] += byte < 0 ? ' ' : character(byte);
  }
  return { offset, address: offset.toString(16).padStart(digits, '0'), cells, text, reason };
}

function shown(byte: number): string {
  if (byte >= 0) return twoDigits(byte);
  return byte === NOT_THERE_YET ? '··' : '??';
}

/** Digits that the addresses of a file or disk need, at least eight. */
export function addressDigits(size: number): number {
  return Math.max(8, Math.max(0, size - 1).toString(16).length);
}

/** Widths of the hex view's parts in CSS pixels. */
export interface HexLayout {
  columns: number;
  hasText: boolean;
}

export const CELL = 24;
/** Around the parts, and between them. */
const PADDING = 36;

/** As many bytes in a line as there is room for. */
export function layoutFor(width: number, digits: number, charWidth: number): HexLayout {
  const room = width - PADDING - digits * charWidth;
  for (const columns of [16, 8]) {
    if (room >= columns * (CELL + charWidth) + (columns === 16 ? 8 : 0)) {
      return { columns, hasText: true };
    }
  }
  if (room >= 8 * CELL) return { columns: 8, hasText: false };
  return { columns: 4, hasText: false };
}
