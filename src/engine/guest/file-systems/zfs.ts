/**
 * Devices of ZFS pools: «ZFS On-Disk Specification», sections 1.2 and 1.3. What the pool is called
 * stands in a list of pairs in the encoding of RFC 4506, big-endian.
 */
import { type Recognised, unnamed } from '../file-system.ts';

/** The list of the first label, behind room for other boot blocks. */
const LIST_AT = 16 * 1024;
const LIST_BYTES = 48 * 1024;
const ENCODED = 1;
const HEADER_BYTES = 12;
const NUMBER = 8;
const TEXT = 9;
const MOST_PAIRS = 64;
const MOST_NAME = 256;

export function readZfs(first: Uint8Array): Recognised | undefined {
  const bytes = first.subarray(LIST_AT, LIST_AT + LIST_BYTES);
  if (bytes.length < 1024 || bytes[0] !== ENCODED || (bytes[1] ?? 2) > 1) return undefined;
  const pairs = readPairs(bytes);
  const name = pairs.get('name');
  const guid = pairs.get('pool_guid');
  // Spare and cache devices belong to no pool by name, and are known by their state alone.
  if (typeof guid !== 'bigint' || typeof name !== 'string') return undefined;
  return { found: { ...unnamed('zfs'), label: name, uuid: guid.toString() } };
}

/** The pairs of the outermost list that are text or a number. */
function readPairs(bytes: Uint8Array): Map<string, string | bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pairs = new Map<string, string | bigint>();
  let at = HEADER_BYTES;
  for (let count = 0; count < MOST_PAIRS && at + 16 <= bytes.length; count++) {
    const length = view.getUint32(at);
    if (length < 16 || at + length > bytes.length) break;
    const name = textIn(view, at + 8, at + length);
    if (name === undefined) break;
    const value = valueIn(view, name.end, at + length);
    if (value !== undefined) pairs.set(name.text, value);
    at += length;
  }
  return pairs;
}

/** Kind, count, and the value of one that is text or a number. */
function valueIn(view: DataView, at: number, end: number): string | bigint | undefined {
  if (at + 16 > end) return undefined;
  const kind = view.getUint32(at);
  if (kind === NUMBER) return view.getBigUint64(at + 8);
  return kind === TEXT ? textIn(view, at + 8, end)?.text : undefined;
}

/** Length, letters, zeros up to a multiple of four. */
function textIn(
  view: DataView,
  at: number,
  limit: number,
): { text: string; end: number } | undefined {
  const length = view.getUint32(at);
  const end = at + 4 + Math.ceil(length / 4) * 4;
  if (length > MOST_NAME || end > limit) return undefined;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at + 4, length);
  return { text: new TextDecoder().decode(bytes).replace(/\p{Cc}/gu, '\ufffd'), end };
}
