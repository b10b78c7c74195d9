/** What the tests of stream decoders share. */
import { expect } from 'vitest';
import type { StreamDecoder } from '../../src/engine/codecs/stream-decoder.ts';
import { StreamFault } from '../../src/engine/codecs/stream-decoder.ts';

const PIECE = 2 ** 21;

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function expectSame(found: Uint8Array, expected: Uint8Array): void {
  expect(found.length).toBe(expected.length);
  expect(Buffer.from(found).equals(expected)).toBe(true);
}

/** Everything that comes out when the packed bytes come in pieces of `step`. */
export function unpackAll(decoder: StreamDecoder, packed: Uint8Array, step: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < packed.length; at += step) {
    for (const part of decoder.push(packed.slice(at, at + step), at + step >= packed.length)) {
      expect(part.length).toBeLessThanOrEqual(PIECE);
      parts.push(part.slice());
    }
  }
  return joined(...parts);
}

/** Why these bytes cannot be unpacked. */
export function problemOf(decoder: StreamDecoder, packed: Uint8Array): string {
  try {
    unpackAll(decoder, packed, 4096);
    return 'none';
  } catch (error) {
    if (error instanceof StreamFault) return error.problem;
    throw error;
  }
}
