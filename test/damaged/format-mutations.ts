/**
 * Damaged images of any format by the hundred: whatever the bytes say, each operation ends in a
 * result, findings or an ImageError, soon and with little memory. The seeds are the same every time.
 * To look for trouble: FORMAT_MUTATIONS=2000, or FORMAT_MUTATIONS=first-last
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkImage,
  editDisk,
  ImageError,
  inspect,
  mapChain,
  openImage,
  OverlayStorage,
  readDisk,
  repairDisk,
  StructureTree,
  type Disk,
  type FormatName,
  type Gate,
  type OpenOptions,
  type Storage,
} from '../../src/engine/index.ts';
import { memory } from '../images/memory.ts';
import { walkStructures } from '../images/walk-structures.ts';
import { randomFor, type Random } from '../images/wounds.ts';
import { watchAllocations } from './allocations.ts';

/** A whole image to be damaged. */
export interface MutationSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Other files, by the name that the image has for them; damaged as well now and then. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** Where the headers and tables are: most of the damage is done there. By default everywhere. */
  readonly metadata?: readonly { readonly offset: number; readonly length: number }[];
  /** Makes checksums right again after every second mutation, so that damage gets past them. */
  readonly fix?: (bytes: Uint8Array) => void;
  readonly options?: OpenOptions;
}

export interface MutationOptions {
  /** Bytes of the largest array that may be asked for; 64 MiB by default. */
  readonly largest?: number;
}

const WISH = process.env['FORMAT_MUTATIONS'] ?? '200';
const [FIRST = 0, LAST = 0] = (WISH.includes('-') ? WISH : `0-${WISH}`).split('-').map(Number);
/** Milliseconds that one image may take for everything. No hangs, not speed. */
const PATIENCE = 5000;
const LARGEST = 64 * 1024 * 1024;
/** Bytes that are read of a disk. */
const READ_MOST = 1024 * 1024;
/** Runs that are looked at. */
const RUNS_MOST = 2 ** 17;

/** Tests that images of a format, damaged in every way, do no harm. */
export function mutationSuite(
  format: FormatName,
  makeSeeds: () => Promise<readonly MutationSeed[]> | readonly MutationSeed[],
  { largest = LARGEST }: MutationOptions = {},
): void {
  describe(`damaged images: ${format}`, () => {
    const allocations = watchAllocations();
    let seeds: readonly MutationSeed[] = [];
    beforeAll(async () => {
      seeds = await makeSeeds();
      allocations.start();
    }, 60_000);
    afterAll(() => {
      allocations.stop();
    });

    it('are opened, read, checked and written before they are damaged', async () => {
      expect(seeds.length).toBeGreaterThan(0);
      for (const seed of seeds) {
        const options = { format, gate: gateOf(seed.files), ...seed.options };
        const disk = await openImage(await memory(seed.bytes), options);
        expect(disk.format).toBe(format);
        await readSome(disk);
      }
    });

    it(
      `seeds ${FIRST} to ${LAST} end in findings or an ImageError, promptly`,
      async () => {
        for (let number = FIRST; number < LAST; number++) {
          const random = randomFor(number * 7919 + 17);
          const seed = seeds[number % seeds.length]!;
          const damaged = mutate(seed, random);
          allocations.reset();
          const started = process.cpuUsage();
          try {
            await everything(format, seed, damaged);
          } catch (error) {
            throw new Error(`seed ${number} (${seed.name})`, { cause: error });
          }
          const { user } = process.cpuUsage(started);
          expect(user / 1000, `seed ${number} (${seed.name}) takes too long`).toBeLessThan(
            PATIENCE,
          );
          expect(allocations.largest, `seed ${number} (${seed.name})`).toBeLessThanOrEqual(largest);
        }
      },
      60_000 + (LAST - FIRST) * 500,
    );
  });
}

interface Damaged {
  readonly bytes: Uint8Array;
  readonly files: Readonly<Record<string, Uint8Array>>;
}

function mutate(seed: MutationSeed, random: Random): Damaged {
  const bytes = seed.bytes.slice();
  const files = { ...seed.files };
  const names = Object.keys(files);
  if (names.length > 0 && random(4) === 0) {
    const name = names[random(names.length)]!;
    const other = files[name]!.slice();
    damage(other, undefined, random);
    files[name] = random(4) === 0 ? other.subarray(0, random(other.length + 1)) : other;
  }
  const times = 1 + random(4);
  for (let i = 0; i < times; i++) damage(bytes, seed.metadata, random);
  if (random(2) === 0) seed.fix?.(bytes);
  const isCut = random(6) === 0;
  return { bytes: isCut ? bytes.slice(0, random(bytes.length + 1)) : bytes, files };
}

/** Numbers that are wrong in an interesting way, for a width in bytes. */
function badNumber(random: Random, old: bigint, width: number, size: number): bigint {
  const bits = BigInt(width * 8);
  const values = [
    ...[0n, 1n, 2n, 511n, 512n, 513n, 4096n, 65536n, BigInt(size), BigInt(size) / 512n],
    ...[BigInt(size) - 1n, 2n ** bits - 1n, 2n ** bits - 2n, 2n ** (bits - 1n), 2n ** 31n],
    ...[2n ** 32n, 2n ** 53n, 2n ** 63n, old + 1n, old - 1n, old * 2n, old / 2n, old ^ 1n, ~old],
    BigInt(random(size + 1)),
  ];
  return BigInt.asUintN(Number(bits), values[random(values.length)]!);
}

function damage(bytes: Uint8Array, metadata: MutationSeed['metadata'], random: Random): void {
  if (bytes.length < 16) return;
  const places = metadata ?? [{ offset: 0, length: bytes.length }];
  const place = places[random(places.length)]!;
  const everywhere = random(8) === 0;
  const start = everywhere ? 0 : place.offset;
  const length = everywhere ? bytes.length : place.length;
  const at = Math.min(start + random(Math.max(1, length)), bytes.length - 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = random(5);
  if (kind === 0) {
    bytes[at]! ^= 1 << random(8);
    return;
  }
  if (kind === 1) {
    // A stretch of other bytes: zeros, ones, noise, or a piece of the same file.
    const end = Math.min(bytes.length, at + 1 + random(64));
    const filling = random(4);
    for (let i = at; i < end; i++) bytes[i] = [0, 0xff, random(256), bytes[i >>> 1]!][filling]!;
    return;
  }
  const width = [1, 2, 4, 8][random(4)]!;
  const spot = Math.min(at - (at % width), bytes.length - width);
  const little = random(2) === 0;
  const old = readNumber(view, spot, width, little);
  const value = badNumber(random, old, width, bytes.length);
  if (width === 1) view.setUint8(spot, Number(value));
  else if (width === 2) view.setUint16(spot, Number(value), little);
  else if (width === 4) view.setUint32(spot, Number(value), little);
  else view.setBigUint64(spot, value, little);
}

function readNumber(view: DataView, at: number, width: number, little: boolean): bigint {
  if (width === 8) return view.getBigUint64(at, little);
  if (width === 4) return BigInt(view.getUint32(at, little));
  return BigInt(width === 2 ? view.getUint16(at, little) : view.getUint8(at));
}

function gateOf(files: Readonly<Record<string, Uint8Array>> = {}): Gate {
  return ({ name, otherNames = [] }) => {
    const found = [name, ...otherNames].find((one) => Object.hasOwn(files, one));
    return Promise.resolve(found === undefined ? undefined : memory(files[found]!, found));
  };
}

async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    expect(error.code, error.message).not.toBe('internal');
  }
}

async function everything(format: FormatName, seed: MutationSeed, damaged: Damaged): Promise<void> {
  const storage = await memory(damaged.bytes);
  const gate = gateOf(damaged.files);
  const open = (more: OpenOptions, over: Storage = storage) =>
    openImage(over, { format, gate, ...seed.options, ...more });
  await attempt(() => openImage(storage, { gate, strict: true, looksAtEnd: true }));
  await attempt(async () => structuredClone(await inspect(await open({ mode: 'info' }))));
  await attempt(async () => {
    const disk = await open({ mode: 'check', lenient: true });
    await walkStructures(disk, { front: 5, most: 60 });
    await new StructureTree(disk).pathAt(damaged.bytes.length >>> 1);
  });
  for (const lenient of [false, true]) {
    await attempt(async () => readSome(await open({ lenient })));
  }
  await attempt(async () => {
    const report = await checkImage(await open({ mode: 'check', lenient: true }), { limit: 100 });
    expect(report.findings.length).toBeLessThanOrEqual(200);
    structuredClone(report);
  });
  await attempt(async () => {
    const overlay = new OverlayStorage(storage);
    await repairDisk(await open({ mode: 'check', lenient: true }, overlay), 'all', {});
  });
  await attempt(async () => writeSome(await open({}, new OverlayStorage(storage))));
}

async function readSome(disk: Disk): Promise<void> {
  let end = 0;
  let runs = 0;
  for await (const batch of mapChain(disk, 0, Math.min(disk.size, 2 ** 40))) {
    for (const extent of batch) {
      expect(extent.offset).toBe(end);
      expect(extent.length).toBeGreaterThan(0);
      end += extent.length;
      runs++;
    }
    if (end > 2 ** 32 || runs > RUNS_MOST) break;
  }
  await readDisk(disk, 0, Math.min(disk.size, READ_MOST));
}

/** Writes here and there; what was written reads back, when nothing says otherwise. */
async function writeSome(disk: Disk): Promise<void> {
  const writer = await editDisk(disk);
  const length = Math.min(disk.size, 4096);
  if (length === 0) return;
  await writer.write(0, new Uint8Array(length).fill(0x5a));
  await writer.zero(0, Math.min(512, length));
  if (disk.size > 2 ** 21) await writer.write(2 ** 20, new Uint8Array(512).fill(0x33));
  await writer.flush();
}
