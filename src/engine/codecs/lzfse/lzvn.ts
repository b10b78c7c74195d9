/** LZVN: what LZFSE has for short data. Pieces of some literals and a match, byte by byte. */
import { StreamFault } from '../stream-decoder.ts';
import type { Output } from './output.ts';

const END = 0x06;
const END_BYTES = 8;
const NOTHING = [0x0e, 0x16];

/** One piece: how many bytes say so, literals behind them, the match; `distance` 0: as before. */
interface Piece {
  readonly bytes: number;
  readonly literals: number;
  readonly length: number;
  readonly distance: number;
}

const literalsOnly = (bytes: number, literals: number): Piece => ({
  ...{ bytes, literals, length: 0, distance: 0 },
});
const matchOnly = (bytes: number, length: number): Piece => ({
  ...{ bytes, literals: 0, length, distance: 0 },
});

/** What the bytes at `at` say, which do not end the block. @throws StreamFault corrupt */
function parsePiece(packed: Uint8Array, at: number): Piece {
  const first = packed[at] as number;
  const second = packed[at + 1] ?? 0;
  const both = second + (packed[at + 2] ?? 0) * 256;
  if (first >= 0xf0) return first === 0xf0 ? matchOnly(2, second + 16) : matchOnly(1, first & 15);
  if (first >= 0xe0) {
    return first === 0xe0 ? literalsOnly(2, second + 16) : literalsOnly(1, first & 15);
  }
  if (first >= 0xd0 || (first & 0xf0) === 0x70) throw new StreamFault('corrupt', 'operation');
  if (first >= 0xa0 && first < 0xc0) {
    const length = (((first & 7) << 2) | (both & 3)) + 3;
    return { bytes: 3, literals: (first >>> 3) & 3, length, distance: both >>> 2 };
  }
  const literals = first >>> 6;
  const length = ((first >>> 3) & 7) + 3;
  const kind = first & 7;
  if (kind === 7) return { bytes: 3, literals, length, distance: both };
  if (kind !== 6) return { bytes: 2, literals, length, distance: kind * 256 + second };
  if (NOTHING.includes(first)) return literalsOnly(1, 0);
  if (literals === 0) throw new StreamFault('corrupt', 'operation');
  return { bytes: 1, literals, length, distance: 0 };
}

/** Unpacks a block; it has to be as long as its bytes are. @throws StreamFault corrupt, short */
export function unpackLzvn(packed: Uint8Array, output: Output): void {
  let distance = 0;
  let at = 0;
  while (packed[at] !== END) {
    if (at >= packed.length) throw new StreamFault('short', 'block');
    const piece = parsePiece(packed, at);
    at += piece.bytes;
    if (at > packed.length) throw new StreamFault('short', 'operation');
    if (piece.literals > 0) output.plain(packed, at, piece.literals);
    at += piece.literals;
    if (piece.distance > 0) distance = piece.distance;
    if (piece.length > 0) output.repeat(distance, piece.length);
  }
  if (at + END_BYTES !== packed.length) throw new StreamFault('corrupt', 'end of block');
}
