import { closeSync, openSync, writeSync } from 'node:fs';

const MIB = 2 ** 20;
const PIECE = 16_384;

/**
 * Bytes like those of a system disk, which deflate to between a third and a half: prose, tables of
 * little-endian numbers, and stretches that do not pack at all. No cluster equals another.
 */
export function writeData(file: string, size: number): void {
  const fill = contents();
  const descriptor = openSync(file, 'w');
  const chunk = Buffer.alloc(MIB);
  for (let offset = 0; offset < size; offset += MIB) {
    fill(chunk, offset);
    writeSync(descriptor, chunk, 0, MIB, offset);
  }
  closeSync(descriptor);
}

/** Fills a buffer with what is at an offset of a disk (bytes), in whatever order it is asked. */
export function contents(): (chunk: Buffer, offset: number) => void {
  const random = mulberry32(0x71636f77);
  const pool = Buffer.concat([
    prose(random, 14 * MIB),
    numbers(random, 8 * MIB),
    noise(random, 2 * MIB),
  ]);
  return (chunk, offset) => {
    for (let piece = 0; piece < chunk.length; piece += PIECE) {
      const place = mulberry32((offset + piece) / PIECE + 1);
      const from = Math.floor(place() * (pool.length - PIECE));
      pool.copy(chunk, piece, from, from + PIECE);
      chunk.writeDoubleLE(offset + piece, piece);
    }
  };
}

function prose(random: () => number, length: number): Buffer {
  const words = Array.from({ length: 4000 }, () => {
    const letters = 2 + Math.floor(random() * 9);
    return Array.from(
      { length: letters },
      () => 'etaoinshrdlucmfw'[Math.floor(random() ** 2 * 16)],
    );
  }).map((letters) => letters.join(''));
  const text: string[] = [];
  for (let size = 0; size < length; size += text.at(-1)?.length ?? 1) {
    text.push(`${words[Math.floor(random() ** 3 * words.length)]} `);
  }
  return Buffer.from(text.join('')).subarray(0, length);
}

function numbers(random: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let value = 0;
  for (let offset = 0; offset < length; offset += 8) {
    value = (value + 16 * Math.floor(random() * 8)) >>> 0;
    bytes.writeUInt32LE(value, offset);
    bytes.writeUInt32LE(Math.floor(random() * 4), offset + 4);
  }
  return bytes;
}

function noise(random: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let offset = 0; offset < length; offset += 4) {
    bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), offset);
  }
  return bytes;
}

/** A small seeded generator: numbers in [0, 1), the same on every machine. */
export function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
