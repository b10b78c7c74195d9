import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The images of the bench, made once and kept in `folder`. */
export interface BenchImages {
  /** 64 MiB disk, nothing in it. */
  small: string;
  /** 1 TiB disk with every table and no data. */
  metadata: string;
  /** 4 GiB disk full of data as it is. */
  plain: string;
  /** 1 GiB disk, each cluster packed with zlib. */
  packed: string;
}

/** Makes those that are missing: the same bytes on every machine. */
export function makeImages(folder: string): BenchImages {
  mkdirSync(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  return {
    small: made(path('small.qcow2'), (file) => qemuImg('create', '-f', 'qcow2', file, '64M')),
    metadata: made(path('metadata-1t.qcow2'), (file) =>
      qemuImg('create', '-f', 'qcow2', '-o', 'preallocation=metadata', file, '1T'),
    ),
    plain: made(path('plain-4g.qcow2'), (file) => fromData(file, 4 * GIB, [])),
    packed: made(path('zlib-1g.qcow2'), (file) => fromData(file, GIB, ['-c'])),
  };
}

/** Makes a file under another name first, so that an interrupted run leaves nothing half made. */
function made(file: string, make: (unfinished: string) => void): string {
  if (existsSync(file)) return file;
  console.log(`Making ${file} …`);
  make(`${file}.part`);
  renameSync(`${file}.part`, file);
  return file;
}

function fromData(file: string, size: number, options: string[]): void {
  const raw = `${file}.raw`;
  writeData(raw, size);
  qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, file);
  rmSync(raw);
}

function qemuImg(...args: string[]): void {
  execFileSync('qemu-img', args, { stdio: 'ignore' });
}

/**
 * Bytes like those of a system disk, which deflate to between a third and a half: prose, tables of
 * little-endian numbers, and stretches that do not pack at all. No cluster equals another.
 */
function writeData(file: string, size: number): void {
  const random = mulberry32(0x71636f77);
  const pool = Buffer.concat([
    prose(random, 14 * MIB),
    numbers(random, 8 * MIB),
    noise(random, 2 * MIB),
  ]);
  const descriptor = openSync(file, 'w');
  const chunk = Buffer.alloc(MIB);
  for (let offset = 0; offset < size; offset += MIB) {
    for (let piece = 0; piece < MIB; piece += 16_384) {
      const from = Math.floor(random() * (pool.length - 16_384));
      pool.copy(chunk, piece, from, from + 16_384);
      chunk.writeDoubleLE(offset + piece, piece);
    }
    writeSync(descriptor, chunk, 0, MIB, offset);
  }
  closeSync(descriptor);
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
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
