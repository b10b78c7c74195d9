/** Makes Parallels images for tests, after the specification and without a line of the engine. */
import { createHash } from 'node:crypto';
import { freshNoise } from './noise.ts';

export const CLUSTER = 4096;
export const CLUSTERS = 16;

export interface Feature {
  magic: bigint;
  flags?: bigint;
  /** By default that of `data`. */
  length?: number;
  data?: Uint8Array;
}

export interface ParallelsSpec {
  magic?: string;
  /** By index of the cluster of the disk: its cluster in the file, or sector with the old magic. */
  entries?: Readonly<Record<number, number>>;
  /** Clusters of the file. */
  length?: number;
  inUse?: number;
  features?: readonly Feature[];
}

/** The extension is the last cluster of the file. */
export function buildParallels({ magic = 'WithouFreSpacExt', entries = {}, length = 6, ...more }: ParallelsSpec): Buffer {
  const bytes = Buffer.alloc(length * CLUSTER);
  bytes.set(freshNoise(length, bytes.length - CLUSTER), CLUSTER);
  bytes.write(magic, 0, 'latin1');
  const sectors = CLUSTER / 512;
  const numbers: readonly [number, number][] = [
    [16, 2],
    [20, 16],
    [24, 1],
    [28, sectors],
    [32, CLUSTERS],
    [36, CLUSTERS * sectors],
    [44, more.inUse ?? 0],
    [48, sectors],
    ...Object.entries(entries).map(([index, value]): [number, number] => [
      64 + Number(index) * 4,
      value,
    ]),
  ];
  for (const [at, value] of numbers) bytes.writeUInt32LE(value, at);
  if (more.features !== undefined) {
    bytes.writeUInt32LE((length - 1) * sectors, 56);
    writeExtension(bytes.subarray((length - 1) * CLUSTER), more.features);
  }
  return bytes;
}

function writeExtension(cluster: Buffer, features: readonly Feature[]): void {
  cluster.fill(0);
  cluster.writeBigUInt64LE(0xab234cef23dcea87n, 0);
  let at = 24;
  for (const { magic, flags = 0n, data = new Uint8Array(0), length = data.length } of features) {
    cluster.writeBigUInt64LE(magic, at);
    cluster.writeBigUInt64LE(flags, at + 8);
    cluster.writeUInt32LE(length, at + 16);
    cluster.set(data, at + 24);
    at = Math.ceil((at + 24 + data.length) / 8) * 8;
  }
  cluster.set(createHash('md5').update(cluster.subarray(24)).digest(), 8);
}

const BITMAP = 0x20385fae252cb34an;
export const END: Feature = { magic: 0n };

export function bitmap({ sectors = CLUSTERS * 8, granularity = 8, entries = 1, id = 1 } = {}): Feature {
  const data = Buffer.alloc(32 + 8);
  data.writeBigUInt64LE(BigInt(sectors), 0);
  data.set(
    Uint8Array.from({ length: 16 }, (_, index) => id + index),
    8,
  );
  data.writeUInt32LE(granularity, 24);
  data.writeUInt32LE(entries, 28);
  return { magic: BITMAP, data };
}

/** Extensions that cannot be read, and how qemu-img begins to say so. */
export const BAD_EXTENSIONS: readonly [string, readonly Feature[], string][] = [
  ['an unknown feature', [{ magic: 0x1234n }], 'Unknown feature: 0x1234'],
  ['flags', [{ ...END, flags: 1n }], 'Flags for extension feature are unsupported'],
  ['no end', [{ magic: BITMAP, length: 8000 }], 'Feature data_size exceedes Format'],
  [
    'a bitmap cut short',
    [{ magic: BITMAP, data: new Uint8Array(16) }],
    'Too small Bitmap Feature area in Parallels Format Extension: 16 bytes, expected at least 32',
  ],
  [
    'a bitmap of another disk',
    [bitmap({ sectors: 100 })],
    'Bitmap size (in sectors) 100 differs',
  ],
  ['a long table', [bitmap({ entries: 100 })], 'Bitmaps feature corrupted: l1 table exceeds'],
  ['no table', [bitmap({ entries: 0 })], 'Bitmap table size 0 does not correspond'],
  ['one bitmap twice', [bitmap(), bitmap()], 'Bitmap already exists: 01020304-'],
];


/** The same for those that end the real program altogether. */
export const FATAL_EXTENSIONS: readonly [string, readonly Feature[], string][] = [
  ['an odd granularity', [bitmap({ granularity: 3 })], 'Bitmap granularity 1536'],
  ['no granularity', [bitmap({ granularity: 0 })], 'Bitmap granularity 0'],
];
