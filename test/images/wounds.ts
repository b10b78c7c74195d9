/**
 * Ways to damage an image that was built for a test: every field that a reader trusts gets every
 * kind of wrong value, and bytes are flipped where nobody would look.
 */
import type { BuiltImage } from './build-qcow2.ts';

/** A whole number below `below`. */
export type Random = (below: number) => number;

/** Numbers for a seed (mulberry32). */
export function randomFor(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random(values.length)]!;
}

class Patient {
  readonly image: BuiltImage;
  readonly random: Random;
  readonly #view: DataView;

  constructor(image: BuiltImage, random: Random) {
    this.image = image;
    this.random = random;
    this.#view = new DataView(image.bytes.buffer);
  }

  get size(): number {
    return this.image.bytes.length;
  }

  read(at: number, width: number): bigint {
    if (at < 0 || at + width > this.size) return 0n;
    if (width === 8) return this.#view.getBigUint64(at);
    return BigInt(width === 4 ? this.#view.getUint32(at) : this.#view.getUint16(at));
  }

  write(at: number, width: number, value: bigint): void {
    if (at < 0 || at + width > this.size) return;
    if (width === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, value));
    else if (width === 4) this.#view.setUint32(at, Number(BigInt.asUintN(32, value)));
    else this.#view.setUint16(at, Number(BigInt.asUintN(16, value)));
  }

  /** Somewhere in the file, on a cluster: tables as well as data. */
  somePlace(): bigint {
    const { image, random } = this;
    const places = [
      0,
      image.l1Offset,
      image.refcountTableOffset,
      image.refcountBlockOffset,
      image.snapshotsOffset,
      image.bitmapsOffset,
      ...image.l2Offsets.values(),
      random(Math.ceil(this.size / image.clusterSize)) * image.clusterSize,
      Math.ceil(this.size / image.clusterSize) * image.clusterSize,
      2 ** 40,
      2 ** 55,
    ];
    return BigInt(pick(random, places));
  }

  /** Replaces a number by one that is wrong in an interesting way. */
  twist(at: number, width: number): void {
    const { random, image } = this;
    const old = this.read(at, width);
    const bits = BigInt(width * 8);
    const values: (() => bigint)[] = [
      () => 0n,
      () => 1n,
      () => 2n ** bits - 1n,
      () => 2n ** (bits - 1n),
      () => old + 1n,
      () => old - 1n,
      () => old * 2n,
      () => old + BigInt(image.clusterSize),
      () => old + 512n,
      () => old ^ (1n << BigInt(random(width * 8))),
      () => BigInt(random(2 ** 31)),
      () => 2n ** 53n + BigInt(random(4)),
      () => BigInt(this.size),
      () => this.somePlace(),
    ];
    this.write(at, width, pick(random, values)());
  }

  /** Makes an L1, L2 or refcount table entry point elsewhere, or flips its flags. */
  redirect(at: number): void {
    const { random } = this;
    const old = this.read(at, 8);
    const flags = old & (3n << 62n);
    const values: (() => bigint)[] = [
      () => 0n,
      () => flags | this.somePlace(),
      () => (1n << 63n) | this.somePlace(),
      () => flags | (this.somePlace() + 512n),
      () => old ^ (1n << 63n),
      () => old ^ (1n << 62n),
      () => old ^ 1n,
      () => old ^ (1n << BigInt(random(64))),
      () => (1n << 62n) | (BigInt(random(2 ** 14)) << 48n) | this.somePlace(),
      () => this.read(at + 8, 8),
    ];
    this.write(at, 8, pick(random, values)());
  }

  flip(from: number, length: number): void {
    const at = from + this.random(Math.max(1, length));
    if (at >= this.size) return;
    const { bytes } = this.image;
    bytes[at] = pick(this.random, [bytes[at]! ^ (1 << this.random(8)), 0, 255, this.random(256)]);
  }

  /** One entry of a table of `length` bytes. */
  entry(offset: number, length: number, step = 8): number {
    return offset + this.random(Math.max(1, Math.floor(length / step))) * step;
  }
}

/** Offset and width of every field of the header. */
const HEADER_FIELDS: readonly (readonly [offset: number, width: number])[] = [
  [0, 4], [4, 4], [8, 8], [16, 4], [20, 4], [24, 8], [32, 4], [36, 4], [40, 8], [48, 8],
  [56, 4], [60, 4], [64, 8], [72, 8], [80, 8], [88, 8], [96, 4], [100, 4], [104, 2],
];

/** Of a snapshot table entry: L1 table, its entries, lengths of texts, VM state, extra data. */
const SNAPSHOT_FIELDS = [
  [0, 8], [8, 4], [12, 2], [14, 2], [32, 4], [36, 4], [40, 8], [48, 8],
] as const;

/** Of a bitmap directory entry: table, its entries, flags, type and granularity, name, extra data. */
const BITMAP_FIELDS = [
  [0, 8], [8, 4], [12, 4], [16, 2], [18, 2], [20, 4],
] as const;

type Wound = (patient: Patient) => void;

const WOUNDS: readonly Wound[] = [
  (patient) => {
    const [at, width] = pick(patient.random, HEADER_FIELDS);
    patient.twist(at, width);
  },
  // Fields that keep the image recognisable hit more often.
  (patient) => {
    const [at, width] = pick(patient.random, HEADER_FIELDS.slice(5));
    patient.twist(at, width);
  },
  (patient) => patient.twist(patient.image.extensionsOffset + patient.random(12) * 4, 4),
  (patient) => patient.flip(0, 256),
  (patient) => patient.redirect(patient.entry(patient.image.l1Offset, 32)),
  (patient) => patient.redirect(patient.entry(l2Of(patient), patient.image.clusterSize)),
  (patient) => patient.redirect(patient.entry(l2Of(patient), 512)),
  (patient) => patient.redirect(patient.entry(l2Of(patient), 128)),
  (patient) => patient.flip(l2Of(patient), patient.image.clusterSize),
  // The subclusters' bitmap, where there is one; else an entry like any other.
  (patient) => patient.twist(patient.entry(l2Of(patient), 512, 16) + 8 + patient.random(2) * 4, 4),
  (patient) => patient.redirect(patient.entry(patient.image.refcountTableOffset, 64)),
  (patient) => patient.twist(patient.entry(patient.image.refcountBlockOffset, 128, 2), 2),
  (patient) => patient.flip(patient.image.refcountBlockOffset, 256),
  (patient) => {
    if (patient.image.snapshotsOffset === 0) return;
    const [at, width] = pick(patient.random, SNAPSHOT_FIELDS);
    const second = patient.random(3) === 0 ? 72 : 0;
    patient.twist(patient.image.snapshotsOffset + second + at, width);
  },
  (patient) => {
    const tables = patient.image.snapshotL1Offsets;
    if (tables.length > 0) patient.redirect(patient.entry(pick(patient.random, tables), 32));
  },
  (patient) => {
    if (patient.image.bitmapsOffset === 0) return;
    const [at, width] = pick(patient.random, BITMAP_FIELDS);
    patient.twist(patient.image.bitmapsOffset + patient.random(2) * 32 + at, width);
  },
  (patient) => {
    const tables = patient.image.bitmapTableOffsets;
    if (tables.length > 0) patient.redirect(patient.entry(pick(patient.random, tables), 16));
  },
  // Anywhere: compressed streams and their checksums too.
  (patient) => patient.flip(0, patient.size),
  (patient) => patient.flip(0, patient.size),
  ({ image, random, size }) => {
    const length = Math.min(512, size);
    const from = random(Math.floor(size / length)) * length;
    const to = random(Math.floor(size / length)) * length;
    image.bytes.copyWithin(to, from, from + length);
  },
  ({ image, random, size }) => {
    const from = random(Math.max(1, size - 64));
    image.bytes.fill(pick(random, [0, 255]), from, from + 8 * (1 + random(8)));
  },
];

function l2Of({ image, random }: Patient): number {
  const tables = [...image.l2Offsets.values()];
  return tables.length === 0 ? image.l1Offset : pick(random, tables);
}

/** A copy of an image with one to four wounds; now and then it is also cut or made longer. */
export function wound(image: BuiltImage, random: Random): BuiltImage {
  const copy = { ...image, bytes: image.bytes.slice() };
  const patient = new Patient(copy, random);
  for (let count = 1 + random(4); count > 0; count--) pick(random, WOUNDS)(patient);
  if (random(16) === 0) copy.bytes = copy.bytes.slice(0, random(copy.bytes.length + 1));
  if (random(32) === 0) {
    const longer = new Uint8Array(copy.bytes.length + random(4 * image.clusterSize));
    longer.set(copy.bytes);
    copy.bytes = longer;
  }
  return copy;
}
