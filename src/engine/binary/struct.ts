/**
 * Field tables: a structure on disk is declared once, and the declaration parses it, writes it,
 * labels it in the hex view and draws the structure panel. All numbers are big-endian unless the
 * table says otherwise.
 */

/** How a field's value is best shown. */
export type FieldStyle = 'offset' | 'count' | 'bits' | 'bytes' | 'time';

/** One field: where it is, what it holds, what it means. */
export interface Field<Value> {
  /** Bytes from the start of the structure. */
  readonly offset: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4 | 8;
  readonly style: FieldStyle;
  /** What it means, in a line. */
  readonly meaning: string;
  read(view: DataView, at: number): Value;
  write(view: DataView, at: number, value: Value): void;
}

type Fields = Readonly<Record<string, Field<number> | Field<bigint>>>;
type ValueOf<F> = F extends Field<infer Value> ? Value : never;

/** The parsed values of a structure. */
export type Values<S> =
  S extends Struct<infer F> ? { -readonly [K in keyof F]: ValueOf<F[K]> } : never;

export interface Struct<F extends Fields> {
  readonly fields: F;
  /** Bytes from the start to the end of the last field. */
  readonly size: number;
  /** Parses at `at`. Bytes behind the end of `bytes` count as zeros. */
  read(bytes: Uint8Array, at?: number): { -readonly [K in keyof F]: ValueOf<F[K]> };
  write(bytes: Uint8Array, values: { readonly [K in keyof F]: ValueOf<F[K]> }, at?: number): void;
}

/** Declares a structure. */
export function struct<F extends Fields>(fields: F): Struct<F> {
  const entries = Object.entries(fields);
  const size = Math.max(...entries.map(([, field]) => field.offset + field.size));
  return {
    fields,
    size,
    read(bytes, at = 0) {
      const view = padded(bytes, at, size);
      const values: Record<string, number | bigint> = {};
      for (const [name, field] of entries) values[name] = field.read(view, field.offset);
      return values as { -readonly [K in keyof F]: ValueOf<F[K]> };
    },
    write(bytes, values, at = 0) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, size);
      for (const [name, field] of entries) {
        (field as Field<number | bigint>).write(
          view,
          field.offset,
          values[name] as number | bigint,
        );
      }
    },
  };
}

function padded(bytes: Uint8Array, at: number, size: number): DataView {
  if (bytes.length - at >= size) return new DataView(bytes.buffer, bytes.byteOffset + at, size);
  const copy = new Uint8Array(size);
  if (at < bytes.length) copy.set(bytes.subarray(at));
  return new DataView(copy.buffer);
}

export function u8(offset: number, meaning: string, style: FieldStyle = 'count'): Field<number> {
  return {
    offset,
    size: 1,
    style,
    meaning,
    read: (view, at) => view.getUint8(at),
    write: (view, at, value) => view.setUint8(at, value),
  };
}

export function u16(offset: number, meaning: string, style: FieldStyle = 'count'): Field<number> {
  return {
    offset,
    size: 2,
    style,
    meaning,
    read: (view, at) => view.getUint16(at),
    write: (view, at, value) => view.setUint16(at, value),
  };
}

export function u32(offset: number, meaning: string, style: FieldStyle = 'count'): Field<number> {
  return {
    offset,
    size: 4,
    style,
    meaning,
    read: (view, at) => view.getUint32(at),
    write: (view, at, value) => view.setUint32(at, value),
  };
}

/**
 * 64 bits as a number: exact up to 2^53, rounded above, so comparisons with limits stay right.
 * Whoever needs more than a comparison checks Number.isSafeInteger first.
 */
export function u64(offset: number, meaning: string, style: FieldStyle = 'offset'): Field<number> {
  return {
    offset,
    size: 8,
    style,
    meaning,
    read: (view, at) => view.getUint32(at) * 4294967296 + view.getUint32(at + 4),
    write: (view, at, value) => view.setBigUint64(at, BigInt(value)),
  };
}

/** 64 bits where each may matter: feature sets and the like, never in a loop over clusters. */
export function bits64(offset: number, meaning: string, style: FieldStyle = 'bits'): Field<bigint> {
  return {
    offset,
    size: 8,
    style,
    meaning,
    read: (view, at) => view.getBigUint64(at),
    write: (view, at, value) => view.setBigUint64(at, value),
  };
}

/** As {@link u16}, little-endian. */
export function u16le(offset: number, meaning: string, style: FieldStyle = 'count'): Field<number> {
  return {
    offset,
    size: 2,
    style,
    meaning,
    read: (view, at) => view.getUint16(at, true),
    write: (view, at, value) => view.setUint16(at, value, true),
  };
}

/** As {@link u32}, little-endian. */
export function u32le(offset: number, meaning: string, style: FieldStyle = 'count'): Field<number> {
  return {
    offset,
    size: 4,
    style,
    meaning,
    read: (view, at) => view.getUint32(at, true),
    write: (view, at, value) => view.setUint32(at, value, true),
  };
}

/** As {@link u64}, little-endian: exact up to 2^53, rounded above. */
export function u64le(
  offset: number,
  meaning: string,
  style: FieldStyle = 'offset',
): Field<number> {
  return {
    offset,
    size: 8,
    style,
    meaning,
    read: (view, at) => view.getUint32(at, true) + view.getUint32(at + 4, true) * 4294967296,
    write: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  };
}

/** As {@link bits64}, little-endian. */
export function bits64le(
  offset: number,
  meaning: string,
  style: FieldStyle = 'bits',
): Field<bigint> {
  return {
    offset,
    size: 8,
    style,
    meaning,
    read: (view, at) => view.getBigUint64(at, true),
    write: (view, at, value) => view.setBigUint64(at, value, true),
  };
}
