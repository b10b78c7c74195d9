/** Pieces of a disk where they were read, against plain buffers. */
import { describe, expect, it } from 'vitest';
import { PieceList, PieceReader, type DiskPiece } from '../../src/engine/operations/pieces.ts';
import { firstDifference, PieceComparison } from '../../src/engine/operations/same-bytes.ts';
import { randomFor } from '../images/wounds.ts';

const SIZE = 4000;

/** A disk of which parts are zeros, and the same cut into pieces of some buffers, out of order. */
function cutUp(seed: number): { whole: Uint8Array; pieces: DiskPiece[] } {
  const random = randomFor(seed);
  const whole = new Uint8Array(SIZE);
  const list = new PieceList(SIZE);
  const parts: DiskPiece[] = [];
  for (let at = random(50); at < SIZE;) {
    const lead = random(9);
    const length = Math.min(SIZE - at, 1 + random(400));
    const buffer = new Uint8Array(lead + length);
    for (let i = 0; i < buffer.length; i++) buffer[i] = random(3);
    whole.set(buffer.subarray(lead), at);
    const cut = random(length + 1);
    parts.push({ offset: at, bytes: buffer.subarray(lead, lead + cut) });
    parts.push({ offset: at + cut, bytes: buffer.subarray(lead + cut) });
    at += length + (random(2) === 0 ? 0 : random(300));
  }
  while (parts.length > 0) {
    const [part] = parts.splice(random(parts.length), 1);
    if (part !== undefined && part.bytes.length > 0) list.add(part.offset, part.bytes);
  }
  return { whole, pieces: list.inOrder() };
}

describe('pieces', () => {
  it('come in order and read as the whole, whatever is asked for', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { whole, pieces } = cutUp(seed);
      const random = randomFor(seed + 100);
      const reader = new PieceReader(pieces);
      for (let at = 0; at < SIZE;) {
        const to = Math.min(SIZE, at + 1 + random(700));
        const same = Buffer.compare(reader.part(at, to), whole.subarray(at, to));
        expect(same, `${seed}: ${at}`).toBe(0);
        at += random(to - at + 1);
      }
    }
  });

  it('are joined where they lie side by side, and keep no large buffer for a little', () => {
    const list = new PieceList(1000);
    const near = new Uint8Array(1000);
    list.add(300, near.subarray(300, 600));
    list.add(0, near.subarray(0, 300));
    const far = new Uint8Array(16 * 1024 * 1024);
    list.add(700, far.subarray(5, 10));
    const pieces = list.inOrder();
    expect(pieces.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [0, 600],
      [700, 5],
    ]);
    expect(pieces.map(({ bytes }) => bytes.buffer.byteLength)).toEqual([1000, 5]);
  });

  it('differ where the wholes do, wherever they lie in their buffers', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const [one, other] = [cutUp(seed), cutUp(seed % 2 === 0 ? seed : seed + 50)];
      const found: number[] = [];
      const comparison = new PieceComparison(one.pieces, other.pieces);
      for (let at = 0; at < SIZE;) {
        const next = comparison.next(at, SIZE);
        if (next === undefined) break;
        found.push(next);
        at = next + 1;
      }
      const expected = [...one.whole.keys()].filter((at) => one.whole[at] !== other.whole[at]);
      expect(found, String(seed)).toEqual(expected);
    }
  });

  it('are compared up to the last byte', () => {
    const random = randomFor(7);
    for (let turn = 0; turn < 400; turn++) {
      const [start, other, length] = [random(8), random(8), random(80)];
      const a = new Uint8Array(start + length).fill(random(256)).subarray(start);
      const b = new Uint8Array(other + length).subarray(other);
      b.set(a);
      const at = random(length + 1);
      if (at < length) b[at] = (b[at] ?? 0) ^ 0x80;
      expect(firstDifference(a, b)).toBe(at);
    }
  });
});
