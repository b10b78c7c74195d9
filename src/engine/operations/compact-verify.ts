/** Whether a compacted image holds what its source does. */
import type { Cipher } from '../codecs/cipher.ts';
import type { CodecPool } from '../codecs/pool.ts';
import { ImageError, throwIfCancelled } from '../errors.ts';
import { readBitmapParts } from '../formats/qcow2/bitmap-contents.ts';
import type { Bitmap } from '../formats/qcow2/bitmaps.ts';
import { checkQcow2 } from '../formats/qcow2/check/index.ts';
import type { Qcow2Image } from '../formats/qcow2/image.ts';
import type { Snapshot } from '../formats/qcow2/snapshots.ts';
import { compareDisks } from './compare.ts';
import { pairUp, type Pair } from './disk-pairs.ts';
import type { Range } from './finding.ts';
import type { RunOptions } from './operation.ts';
import { PartDisk } from './part-disk.ts';
import { pacer } from './yield.ts';

export interface VerifyCompactedOptions extends RunOptions {
  /** Whether the snapshots were kept: by default. */
  snapshots?: boolean | undefined;
  pool?: CodecPool | undefined;
}

/** Ranges with less than this between them are compared as one: guest bytes. */
const GAP = 4 * 1024 * 1024;

/**
 * Checks the result, which may have nothing wrong and nothing to spare, and compares it with the
 * source: bitmaps, the list of snapshots, and every byte of the disk and of each snapshot, the state
 * of machines included. What layers share is read once. The images below are not looked at: the
 * result says the same of them.
 * @throws ImageError verify-failed where they differ (offset in the guest's disk; 0 where it is about
 * something else), internal where the result is not sound, cancelled and those of reading
 */
export async function verifyCompacted(
  source: Qcow2Image,
  result: Qcow2Image,
  options: VerifyCompactedOptions = {},
): Promise<void> {
  const { signal } = options;
  const report = await checkQcow2(result, { ...options, limit: 0 });
  if (report.corruptions + report.checkErrors + report.leaks > 0 || report.aborted !== undefined) {
    const found = `${report.corruptions + report.checkErrors} errors and ${report.leaks} leaks`;
    throw new ImageError('internal', { reason: `the compacted image has ${found}` });
  }
  const kept = (options.snapshots ?? true) ? source.snapshots : [];
  const isSame =
    JSON.stringify(facts(source, kept)) === JSON.stringify(facts(result, result.snapshots));
  if (!isSame) differ(result, 0);
  for (const [index, bitmap] of source.bitmaps.entries()) {
    await compareBitmaps(source, result, bitmap, result.bitmaps[index] ?? bitmap, signal);
  }
  let before: Layers | undefined;
  // From the newest to the oldest: neighbours have most in common.
  const layers = [undefined, ...kept.map((_, index) => index).toReversed()];
  for (const index of layers) {
    const now = {
      source: await openWhole(source, index === undefined ? undefined : source.snapshots[index]),
      result: await openWhole(result, index === undefined ? undefined : result.snapshots[index]),
    };
    await compareLayers(now, before, options);
    before = now;
  }
}

function differ(result: Qcow2Image, offset: number): never {
  throw new ImageError('verify-failed', { name: result.storage.name, offset });
}

/** What must be equal, apart from content. */
function facts(image: Qcow2Image, snapshots: readonly Snapshot[]): unknown {
  const { header } = image;
  const { version, size, clusterBits, refcountOrder, cryptMethod, l1Size, headerLength } = header;
  const { backingName, backingFormat, lazyRefcounts, extendedL2, compressionType } = header;
  return [
    ...[version, size, clusterBits, refcountOrder, cryptMethod, l1Size, headerLength],
    ...[backingName, backingFormat, lazyRefcounts, extendedL2, compressionType],
    snapshots.map((one) => ({ ...one, l1TableOffset: 0, l1TableOffsetText: '' })),
    image.bitmaps.map((one) => ({ ...one, tableOffset: 0 })),
  ];
}

async function compareBitmaps(
  source: Qcow2Image,
  result: Qcow2Image,
  first: Bitmap,
  second: Bitmap,
  signal: AbortSignal | undefined,
): Promise<void> {
  const pace = pacer(signal);
  const others = readBitmapParts(result, second);
  for await (const parts of readBitmapParts(source, first)) {
    const step: IteratorResult<typeof parts, undefined> = await others.next();
    const other = step.value ?? [];
    const isSame =
      parts.length === other.length &&
      parts.every(({ granule, bits }, index) => {
        const two = other[index];
        if (granule !== two?.granule) return false;
        if (bits === 'ones' || two.bits === 'ones') return bits === two.bits;
        const { bits: bytes } = two;
        return bytes instanceof Uint8Array && bits.every((byte, at) => byte === bytes[at]);
      });
    if (!isSame) differ(result, 0);
    throwIfCancelled(signal);
    const pause = pace();
    if (pause !== undefined) await pause;
  }
}

/** One layer of both images. */
interface Layers {
  source: Qcow2Image;
  result: Qcow2Image;
}

/** Everything that an L1 table leads to, as if it were a disk by itself. */
async function openWhole(image: Qcow2Image, snapshot: Snapshot | undefined): Promise<Qcow2Image> {
  const { l1TableOffset, l1Size, l2Coverage } = image.header;
  const tree = snapshot ?? { ...NO_SNAPSHOT, l1TableOffset, l1Size };
  const most = Number.MAX_SAFE_INTEGER - (Number.MAX_SAFE_INTEGER % l2Coverage);
  const diskSize = Math.min(tree.l1Size * l2Coverage, most);
  const whole = await image.openSnapshot({ ...tree, diskSize }, 'then');
  whole.backing = undefined;
  whole.withoutBacking = true;
  // By the guest's offset, equal content is equal without the key as well.
  if (whole.encryption === 'aes') whole.cipher ??= AS_IT_IS;
  return whole;
}

const AS_IT_IS: Cipher = {
  countsBy: 'guest',
  decrypt: (bytes) => Promise.resolve(bytes),
  encrypt: (bytes) => Promise.resolve(new Uint8Array(bytes)),
};

const NO_SNAPSHOT: Snapshot = {
  ...{ id: '', name: '', l1TableOffset: 0, l1TableOffsetText: '0', l1Size: 0 },
  ...{ dateSeconds: 0, dateNanoseconds: 0, vmClock: 0, vmStateSize: 0, diskSize: 0 },
  ...{ icount: undefined, extraDataSize: 0 },
};

async function compareLayers(
  now: Layers,
  before: Layers | undefined,
  options: VerifyCompactedOptions,
): Promise<void> {
  const { signal, progress, pool } = options;
  const { size } = now.source;
  const pace = pacer(signal);
  for await (const { first, second, offset } of pairUp(now.source, now.result, 0, size)) {
    if (first?.kind !== second?.kind) differ(now.result, offset);
    throwIfCancelled(signal);
    const pause = pace();
    if (pause !== undefined) await pause;
  }
  for await (const { offset, length } of changed(now, before, size)) {
    throwIfCancelled(signal);
    const { outcome } = await compareDisks(
      new PartDisk(now.source, offset, length),
      new PartDisk(now.result, offset, length),
      {
        ...{ signal, pool },
        progress: ({ done }) =>
          progress?.({ stage: 'verifying', done: offset + done, total: size }),
      },
    );
    if (outcome.kind === 'identical') continue;
    if (outcome.kind === 'read-failed' && outcome.side === 1) throw outcome.error;
    differ(now.result, offset + ('offset' in outcome ? outcome.offset : 0));
  }
}

/** Ranges of which the layer before says nothing: in one of the images they lie somewhere else. */
async function* changed(
  now: Layers,
  before: Layers | undefined,
  size: number,
): AsyncGenerator<Range, undefined> {
  if (before === undefined) {
    if (size > 0) yield { offset: 0, length: size };
    return undefined;
  }
  const streams = [moved(now.source, before.source, size), moved(now.result, before.result, size)];
  const next = await Promise.all(streams.map((stream) => stream.next()));
  let start = -1;
  let end = 0;
  for (;;) {
    let lowest = -1;
    for (const [index, { value }] of next.entries()) {
      if (value === undefined) continue;
      if (lowest < 0 || value.offset < (next[lowest]?.value?.offset ?? Infinity)) lowest = index;
    }
    const range = next[lowest]?.value;
    const stream = streams[lowest];
    if (range === undefined || stream === undefined) break;
    if (start >= 0 && range.offset - end > GAP) {
      yield { offset: start, length: end - start };
      start = -1;
    }
    if (start < 0) start = range.offset;
    end = Math.max(end, range.offset + range.length);
    next[lowest] = await stream.next();
  }
  if (start >= 0) yield { offset: start, length: end - start };
  return undefined;
}

/** Where one layer of an image has other content than another, or the same in another place. */
async function* moved(
  now: Qcow2Image,
  before: Qcow2Image,
  size: number,
): AsyncGenerator<Range, undefined> {
  for await (const pair of pairUp(now, before, 0, size)) {
    if (!isSamePlace(pair)) yield pair;
  }
  return undefined;
}

function isSamePlace({ first, second }: Pair): boolean {
  const hasNothing = (kind: string | undefined) =>
    kind === undefined || kind === 'zero' || kind === 'unallocated';
  if (hasNothing(first?.kind)) return true;
  if (first === undefined || first.kind !== second?.kind) return false;
  if (first.kind === 'compressed') return first.hostOffset === second.hostOffset;
  return (
    first.kind === 'data' && first.hostOffset - first.offset === second.hostOffset - second.offset
  );
}
