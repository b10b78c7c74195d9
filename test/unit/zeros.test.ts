import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writtenParts } from '../../src/engine/operations/convert-chunks.ts';
import { firstNonZero, isZero, nonZeroRuns } from '../../src/engine/operations/zeros.ts';

/** Bytes that are mostly zeros, at any place of their memory. */
const mostlyZeros = fc
  .record({
    skew: fc.nat(9),
    length: fc.nat(9000),
    set: fc.array(fc.nat(8999), { maxLength: 6 }),
    value: fc.integer({ min: 1, max: 255 }),
  })
  .map(({ skew, length, set, value }) => {
    const memory = new Uint8Array(skew + length + 3).fill(255);
    const bytes = memory.subarray(skew, skew + length).fill(0);
    for (const at of set) if (at < length) bytes[at] = value;
    return bytes;
  });

describe('zeros', () => {
  it('are told from the first byte that is none, wherever it is', () => {
    fc.assert(
      fc.property(mostlyZeros, fc.nat(9000), (bytes, wish) => {
        const from = Math.min(wish, bytes.length);
        const found = bytes.findIndex((byte, index) => index >= from && byte !== 0);
        expect(firstNonZero(bytes, from)).toBe(found < 0 ? bytes.length : found);
        expect(isZero(bytes)).toBe(bytes.every((byte) => byte === 0));
      }),
    );
  });

  it('are left out by blocks, and nothing else is', () => {
    fc.assert(
      fc.property(mostlyZeros, fc.nat(20), (bytes, sectors) => {
        const kept = new Uint8Array(bytes.length);
        for (const { start, end } of nonZeroRuns(bytes, sectors * 512, 4096)) {
          kept.set(bytes.subarray(start, end), start);
        }
        expect(Buffer.compare(kept, bytes)).toBe(0);
      }),
    );
  });

  it('of sectors are told alike wherever the bytes lie in memory', () => {
    fc.assert(
      fc.property(mostlyZeros, fc.nat(20), (bytes, sectors) => {
        const whole = bytes.subarray(0, bytes.length - (bytes.length % 512));
        const parts = [...writtenParts(whole, sectors * 512, 4096)];
        expect(parts).toEqual([...writtenParts(new Uint8Array(whole), sectors * 512, 4096)]);
        const kept = new Uint8Array(whole.length);
        for (const { start, end } of parts) kept.set(whole.subarray(start, end), start);
        expect(Buffer.compare(kept, whole)).toBe(0);
      }),
    );
  });
});
