/** Remembering what a backing image was like, to notice when it changes under its overlays. */
import { alignDown, MIB } from '../binary/units.ts';
import { createHasher, type Hasher, type HasherFactory } from '../codecs/hash.ts';
import { InlinePool } from '../codecs/pool.ts';
import { isImageError, throwIfCancelled } from '../errors.ts';
import type { Disk, Extent } from '../formats/format.ts';
import { keptFingerprint, toHex, type BaseFingerprint } from '../formats/qcow2/fingerprint.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { COPIED_HIGH, entryOffset } from '../formats/qcow2/tables.ts';
import { readPartitions } from '../guest/partitions.ts';
import type { RunOptions } from '../operations/operation.ts';
import { readDisk } from '../operations/read.ts';
import { gather } from '../storage/gather.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { pacer, yieldToEvents } from '../yield.ts';
import type { GuardFacts } from './facts.ts';

export type { BaseFingerprint, KeptFingerprint } from '../formats/qcow2/fingerprint.ts';

export interface FingerprintOptions extends RunOptions {
  /** A faster way to digest than the engine's own, where the platform has one. */
  hasher?: HasherFactory | undefined;
}

/** L2 tables that are digested, bytes: those of 1 TiB. Of more, as many, evenly spread. */
const MOST_TABLES = 128 * MIB;
/** Read at once. */
const TABLES_AT_ONCE = 4 * MIB;
/** Runs of other formats that are digested. */
const MOST_RUNS = 2 ** 20;
const RUN_BYTES = 32;

/** Places of the disk, evenly spread, and bytes of each. */
const SAMPLES = 256;
const SAMPLE_BYTES = 4096;
/** Bytes at both ends of a disk, or of a file. */
const END_BYTES = MIB;
/** Partitions of which the beginning is looked at: what mounts one, writes there. */
const MOST_PARTITIONS = 64;
/** Superblock and group descriptors of most file systems; Btrfs has its own behind 64 KiB. */
const BEGINNINGS = [
  { offset: 0, length: 12 * 1024 },
  { offset: 64 * 1024, length: 4096 },
] as const;

/**
 * What a base is like now: the same however its file is reached, and whenever. What no overlay sees
 * is left out: snapshots of its own, refcounts, marks and bitmaps.
 * @param disk opened for reading, with what is below it
 * @param now milliseconds since 1970
 * @throws ImageError cancelled and those of reading tables; content that cannot be had leaves
 * `samples` empty
 */
export async function fingerprintOf(
  disk: Disk,
  now: number,
  options: FingerprintOptions = {},
): Promise<BaseFingerprint> {
  return {
    taken: now,
    fileSize: disk.storage.size,
    virtualSize: disk.size,
    metadata: await digestTables(disk, options),
    samples: await digestSamples(disk, options),
  };
}

/**
 * Holds the base against what is remembered of it, by whoever remembers it since later.
 * @param overlay opened for reading, with what is below it
 * @returns undefined where nothing is remembered, or the base is not there
 * @throws as {@link fingerprintOf}
 */
export async function guardFactsOf(
  overlay: Disk,
  remembered: BaseFingerprint | undefined,
  options: FingerprintOptions,
): Promise<GuardFacts | undefined> {
  const { backing } = overlay;
  if (backing === undefined) return undefined;
  const kept = overlay instanceof Qcow2Image ? keptFingerprint(overlay.header) : undefined;
  const isOwn = kept !== undefined && kept.taken >= (remembered?.taken ?? 0);
  const then = isOwn ? kept : remembered;
  if (then === undefined) return undefined;
  const changes = differences(then, await fingerprintOf(backing, 0, options));
  const otherBase =
    isOwn && overlay instanceof Qcow2Image && kept.backingName !== overlay.backingName;
  return { since: then.taken, source: isOwn ? 'header' : 'app', changes, otherBase };
}

function differences(then: BaseFingerprint, now: BaseFingerprint): GuardFacts['changes'] {
  const changes: GuardFacts['changes'] = [];
  if (then.fileSize !== now.fileSize) changes.push('size');
  if (then.virtualSize !== now.virtualSize) changes.push('virtual-size');
  if (then.metadata !== now.metadata) changes.push('metadata');
  // What could not be read then or now says nothing.
  const isKnown = then.samples !== '' && now.samples !== '';
  if (isKnown && then.samples !== now.samples) changes.push('content');
  return changes;
}

async function digestTables(disk: Disk, options: FingerprintOptions): Promise<string> {
  const hasher = (options.hasher ?? createHasher)('sha256');
  if (disk instanceof Qcow2Image) await takeQcow2(disk, hasher, options);
  else if (disk.format !== 'raw') await takeOther(disk, hasher, options);
  return toHex(hasher.digest());
}

async function takeQcow2(image: Qcow2Image, hasher: Hasher, { signal }: RunOptions): Promise<void> {
  const { header, clusterSize, storage } = image;
  const { size, cryptMethod, extendedL2, hasDataFile, compressionType } = header;
  const { backingName, backingFormat, dataFileName } = header;
  const said = [clusterSize, size, cryptMethod, extendedL2, hasDataFile, compressionType];
  takeText(hasher, ['qcow2', ...said, backingName, backingFormat, dataFileName]);
  const tables = tablesOf(image);
  hasher.update(bytesOf(tables.map(({ index }) => index)));
  const most = Math.max(1, Math.floor(MOST_TABLES / clusterSize));
  const step = Math.ceil(tables.length / most);
  const chosen = tables.filter((_, at) => at % step === 0);
  const group = Math.max(1, Math.floor(TABLES_AT_ONCE / clusterSize));
  for (let at = 0; at < chosen.length; at += group) {
    throwIfCancelled(signal);
    const pieces = chosen.slice(at, at + group);
    const bytes = await readTables(storage, pieces, clusterSize);
    maskCopied(bytes, extendedL2 ? 16 : 8);
    hasher.update(bytes);
    // Digesting megabytes takes longer than events should wait.
    await yieldToEvents(signal);
  }
}

/** L2 tables within the file, in the order of the disk. */
function tablesOf({ l1, clusterSize, storage }: Qcow2Image): { index: number; offset: number }[] {
  const tables: { index: number; offset: number }[] = [];
  for (let index = 0; index * 2 + 1 < l1.length; index++) {
    const offset = entryOffset(l1[index * 2] ?? 0, l1[index * 2 + 1] ?? 0);
    if (offset === 0 || offset >= storage.size || offset % clusterSize !== 0) continue;
    tables.push({ index, offset });
  }
  return tables;
}

async function readTables(
  storage: Storage,
  tables: readonly { offset: number }[],
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(tables.length * length);
  const pieces = tables.map(({ offset }, index) => ({ offset, length, at: index * length }));
  await gather(storage, pieces, ({ at }, bytes) => {
    all.set(bytes, at);
  });
  return all;
}

/** Whether a cluster is shared with a snapshot makes no difference to what it holds. */
function maskCopied(bytes: Uint8Array, entryBytes: number): void {
  const copied = COPIED_HIGH / 2 ** 24;
  for (let at = 0; at < bytes.length; at += entryBytes) bytes[at] = (bytes[at] ?? 0) & ~copied;
}

/** Both ends of the file, and where everything is, whatever the tables look like. */
async function takeOther(disk: Disk, hasher: Hasher, { signal }: RunOptions): Promise<void> {
  const { format, size, clusterSize, storage } = disk;
  takeText(hasher, [format, clusterSize, size]);
  const pace = pacer(signal);
  const length = Math.min(END_BYTES, storage.size);
  hasher.update(await readPadded(storage, 0, length));
  hasher.update(await readPadded(storage, storage.size - length, length));
  const runs = new RunDigest(hasher);
  for (let at = 0; at < size && runs.count < MOST_RUNS;) {
    const extents = await disk.map(at, size - at);
    const last = extents.at(-1);
    if (last === undefined) break;
    for (const extent of extents) runs.add(extent);
    at = last.offset + last.length;
    throwIfCancelled(signal);
    const pause = pace();
    if (pause !== undefined) await pause;
  }
  runs.end();
}

const KINDS = ['unallocated', 'data', 'compressed', 'zero', 'invalid'] as const;

/** Runs that continue each other are one, however they come in batches. */
class RunDigest {
  count = 0;
  readonly #hasher: Hasher;
  readonly #bytes = new Uint8Array(RUN_BYTES);
  #run: Extent | undefined;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  add(extent: Extent): void {
    const run = this.#run;
    if (run !== undefined && continues(run, extent)) {
      this.#run = { ...run, length: run.length + extent.length };
      return;
    }
    this.end();
    this.#run = extent;
  }

  end(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.count++;
    const view = new DataView(this.#bytes.buffer);
    view.setFloat64(0, run.offset);
    view.setFloat64(8, run.length);
    view.setFloat64(16, run.hostOffset);
    view.setUint32(24, KINDS.indexOf(run.kind));
    this.#hasher.update(this.#bytes);
  }
}

function continues(run: Extent, next: Extent): boolean {
  if (run.kind !== next.kind || run.storage !== next.storage || run.kind === 'compressed') {
    return false;
  }
  const isPlaced = run.hostOffset >= 0;
  if (isPlaced !== next.hostOffset >= 0) return false;
  return !isPlaced || run.hostOffset + run.length === next.hostOffset;
}

function takeText(hasher: Hasher, parts: readonly (string | number | boolean)[]): void {
  hasher.update(new TextEncoder().encode(`${parts.join('\n')}\n\n`));
}

/** 32 bits each, big-endian. */
function bytesOf(numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) view.setUint32(index * 4, number);
  return bytes;
}

/** '' where the content cannot be had: locked, damaged, or something below is missing. */
async function digestSamples(
  disk: Disk,
  { signal, hasher: factory = createHasher }: FingerprintOptions,
): Promise<string> {
  const hasher = factory('sha256');
  const pool = new InlinePool();
  const { size } = disk;
  const read = (offset: number, length: number) =>
    readDisk(disk, offset, Math.max(0, Math.min(length, size - offset)), { pool, signal });
  try {
    for (const { offset, length } of await placesOf(size, read)) {
      throwIfCancelled(signal);
      hasher.update(await read(offset, length));
    }
    return toHex(hasher.digest());
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return '';
  } finally {
    pool.close();
  }
}

type Read = Parameters<typeof readPartitions>[0];

async function placesOf(size: number, read: Read): Promise<{ offset: number; length: number }[]> {
  const places = [
    { offset: 0, length: END_BYTES },
    { offset: Math.max(0, size - END_BYTES), length: END_BYTES },
  ];
  for (let index = 1; index < SAMPLES; index++) {
    const offset = alignDown((size / SAMPLES) * index, SAMPLE_BYTES);
    places.push({ offset, length: SAMPLE_BYTES });
  }
  const table = await readPartitions(read, size);
  for (const { start, length: room } of table?.partitions.slice(0, MOST_PARTITIONS) ?? []) {
    for (const { offset, length } of BEGINNINGS) {
      if (offset < room && start + offset < size) places.push({ offset: start + offset, length });
    }
  }
  return places;
}
