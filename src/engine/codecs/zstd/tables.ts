/** What the codes of sequences stand for, and the predefined tables. RFC 8878, 3.1.1.3.2. */
import { emptyTable, fillTable, type FseTable } from './fse.ts';

/** Baselines and extra bits of literals length codes. */
export const LITERALS_BASE = Uint32Array.of(
  ...Array.from({ length: 16 }, (_, code) => code),
  ...[16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384],
  ...[32768, 65536],
);
export const LITERALS_BITS = Uint8Array.of(
  ...new Array<number>(16).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
);
/** Baselines and extra bits of match length codes. */
export const MATCH_BASE = Uint32Array.of(
  ...Array.from({ length: 32 }, (_, code) => code + 3),
  ...[35, 37, 39, 41, 43, 47, 51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387],
  ...[32771, 65539],
);
export const MATCH_BITS = Uint8Array.of(
  ...new Array<number>(32).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
);

/** One of the three codes of a sequence. */
export interface CodeKind {
  readonly maxLog: number;
  readonly maxSymbol: number;
  /** Extra bits of each code. */
  readonly extra: Uint8Array;
  readonly predefined: FseTable;
}

/** 3.1.1.3.2.2.1 */
export const LITERALS_COUNTS = [
  4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
  -1, -1, -1, -1,
];
/** 3.1.1.3.2.2.2 */
export const MATCH_COUNTS = [
  1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
/** 3.1.1.3.2.2.3 */
export const OFFSET_COUNTS = [
  1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
];

/** As many extra bits as the code says. */
const OFFSET_BITS = Uint8Array.from({ length: 32 }, (_, code) => code);

function codeKind(
  maxLog: number,
  maxSymbol: number,
  extra: Uint8Array,
  counts: readonly number[],
  log: number,
): CodeKind {
  const predefined = emptyTable(log);
  fillTable(predefined, counts, counts.length, log, extra);
  return { maxLog, maxSymbol, extra, predefined };
}

export const LITERALS_CODE = codeKind(9, 35, LITERALS_BITS, LITERALS_COUNTS, 6);
export const OFFSET_CODE = codeKind(8, 31, OFFSET_BITS, OFFSET_COUNTS, 5);
export const MATCH_CODE = codeKind(9, 52, MATCH_BITS, MATCH_COUNTS, 6);
