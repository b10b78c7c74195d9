/**
 * Structured output in qemu-img's two layouts. Scripts compare the text, so the order of keys is
 * part of it: the real program keeps them in a hash table, and this is the order that comes out.
 */

import { formatInteger } from './sizes.ts';

/** What can be printed. Numbers are whole. Keys that are undefined are left out. */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | readonly Value[]
  | { readonly [key: string]: Value | undefined };

/** Every key in the order observed; no two structures disagree about it. */
const KEY_ORDER = [
  // check
  ...['image-end-offset', 'compressed-clusters', 'total-clusters', 'corruptions'],
  ...['corruptions-fixed', 'check-errors', 'leaks-fixed', 'leaks', 'allocated-clusters'],
  // snapshots and bitmaps
  ...['icount', 'vm-clock-nsec', 'flags', 'name', 'granularity', 'date-sec', 'date-nsec'],
  ...['vm-clock-sec', 'id', 'vm-state-size'],
  // encryption
  ...['ivgen-alg', 'hash-alg', 'cipher-alg', 'uuid', 'ivgen-hash-alg'],
  // the image
  ...['backing-filename-format', 'snapshots', 'compressed', 'virtual-size', 'filename'],
  ...['cluster-size', 'format'],
  ...['fragmented-clusters', 'actual-size', 'format-specific', 'full-backing-filename'],
  ...['encrypted', 'backing-filename', 'dirty-flag'],
  // encryption, behind its format
  ...['cipher-mode', 'slots', 'payload-offset', 'master-key-iters'],
  ...['active', 'iters', 'key-offset', 'stripes'],
  // what only qcow2 has
  ...['type', 'data', 'compat', 'compression-type', 'lazy-refcounts', 'bitmaps', 'refcount-bits'],
  ...['data-file', 'encrypt', 'data-file-raw', 'corrupt', 'extended-l2'],
];
const RANK = new Map(KEY_ORDER.map((key, rank) => [key, rank]));

/** The entries that are there, in qemu-img's order; unknown keys come last, as they were given. */
function entries(value: { readonly [key: string]: Value | undefined }): [string, Value][] {
  const present = Object.entries(value).filter(
    (entry): entry is [string, Value] => entry[1] !== undefined,
  );
  const rank = (key: string) => RANK.get(key) ?? KEY_ORDER.length;
  return present.sort(([a], [b]) => rank(a) - rank(b));
}

/** JSON with four spaces a level, one value a line, and plain ASCII. Ends without a line break. */
export function formatJson(value: Value): string {
  return printJson(value, '');
}

function printJson(value: Value, indent: string): string {
  const inner = `${indent}    `;
  if (isList(value)) {
    return bracket(
      '[]',
      value.map((item) => printJson(item, inner)),
      indent,
    );
  }
  if (typeof value === 'object') {
    const lines = entries(value).map(([key, item]) => `${quote(key)}: ${printJson(item, inner)}`);
    return bracket('{}', lines, indent);
  }
  if (typeof value === 'number') return formatInteger(value);
  return typeof value === 'string' ? quote(value) : String(value);
}

/** What can be printed on one line. */
export interface LineValue {
  readonly [key: string]: string | number | boolean | null | undefined | LineValue;
}

/** JSON on one line, keys in the order given; those that are undefined are left out. */
export function formatJsonLine(value: LineValue): string {
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  const pairs = entries.map(([key, item]) => {
    if (typeof item === 'object' && item !== null) return `${quote(key)}: ${formatJsonLine(item)}`;
    return `${quote(key)}: ${typeof item === 'string' ? quote(item) : String(item)}`;
  });
  return `{${pairs.join(', ')}}`;
}

function bracket(pair: string, lines: readonly string[], indent: string): string {
  const inner = `${indent}    `;
  const body = lines.map((line) => `\n${inner}${line}`).join(',');
  return `${pair.charAt(0)}${body}\n${indent}${pair.charAt(1)}`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** A string with everything but printable ASCII escaped, in capitals; halves of pairs replaced. */
function quote(text: string): string {
  const escaped = text.replace(/\p{Surrogate}/gu, '\uFFFD').replace(/[^ !#-[\]-~]/g, (unit) => {
    const code = unit.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    return SHORT_ESCAPES[unit] ?? `\\u${code}`;
  });
  return `"${escaped}"`;
}

/**
 * The human layout of the same: `key: value` a line, four more spaces a level, keys with spaces
 * for dashes, list items by number. Each line ends with a line break.
 */
export function formatText(value: Value, indent: string): string {
  const pairs = isList(value)
    ? value.map((item, index): [string, Value] => [`[${String(index)}]`, item])
    : typeof value === 'object'
      ? entries(value).map(([key, item]): [string, Value] => [key.replaceAll('-', ' '), item])
      : [];
  return pairs.map(([key, item]) => `${indent}${key}:${textValue(item, indent)}`).join('');
}

function textValue(value: Value, indent: string): string {
  if (typeof value === 'object') return `\n${formatText(value, `${indent}    `)}`;
  return ` ${String(value)}\n`;
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}
