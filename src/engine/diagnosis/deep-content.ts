/** Reading what an image itself holds of its disk, once, and looking at every cluster. */
import { SECTOR } from '../binary/units.ts';
import type { CodecPool } from '../codecs/pool.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { mapChain, mapOwn, type ChainExtent } from '../operations/chain.ts';
import { seeExtents } from '../operations/read-lenient.ts';
import type { Loss } from '../operations/salvage.ts';
import { Transfer } from '../operations/transfer.ts';
import { isZero } from '../operations/zeros.ts';
import { pacer } from '../yield.ts';
import { PlaceList } from './deep-places.ts';
import { PackedSample } from './deep-sample.ts';
import { SecretScanner, type SecretTally } from './deep-secrets.ts';
import { partsWithin, runsOf, windowsOf, type Window } from './deep-windows.ts';

/** Windows that are read while an earlier one is looked at. */
const AHEAD = 2;
/** Bytes that are searched between two looks at the signal. */
const PIECE = 512 * 1024;
/** What is looked at as one where a format has no clusters, or very large ones; bytes. */
const UNIT = 64 * 1024;
const LARGEST_UNIT = 2 * 1024 * 1024;

export interface ContentOptions {
  pool: CodecPool;
  signal: AbortSignal | undefined;
  /** Guest bytes that are behind us. */
  passed: (offset: number) => void;
}

/** What was read of a window, and what could not be. */
interface Read {
  window: Window;
  bytes: Uint8Array;
  losses: Loss[];
  /** What the image below has there; undefined where there is none. */
  below:
    { bytes: Uint8Array; unreadable: readonly { offset: number; length: number }[] } | undefined;
}

/** Looks at the content of one disk. The numbers are those of DeepFacts. */
export class ContentLook {
  bytesRead = 0;
  packedClusters = 0;
  brokenPacked = 0;
  unreadable = 0;
  zeroFilled = 0;
  equalToBacking = 0;
  readonly broken = new PlaceList();
  readonly unread = new PlaceList();
  readonly sample: PackedSample;
  readonly #disk: Disk;
  readonly #options: ContentOptions;
  readonly #scanner: SecretScanner;
  readonly #unit: number;
  readonly #pace: () => Promise<void> | undefined;

  constructor(disk: Disk, tally: SecretTally, options: ContentOptions) {
    this.#disk = disk;
    this.#options = options;
    this.#scanner = new SecretScanner(tally, false);
    this.#unit = unitOf(disk);
    this.#pace = pacer(options.signal);
    this.sample = new PackedSample(this.#unit, disk.storage.size, options.pool);
  }

  /** @throws ImageError cancelled and those of reading tables */
  async run(): Promise<void> {
    const coming: Promise<Read>[] = [];
    for await (const window of windowsOf(mapOwn(this.#disk), this.#options.signal)) {
      throwIfCancelled(this.#options.signal);
      const read = this.#read(window);
      // Its failure is met where it is waited for; nobody may have come so far.
      read.catch(() => undefined);
      coming.push(read);
      const first = coming.length > AHEAD ? coming.shift() : undefined;
      if (first !== undefined) await this.#look(await first);
    }
    for (const read of coming) await this.#look(await read);
    this.#scanner.flush();
    await this.sample.finish();
  }

  async #read(window: Window): Promise<Read> {
    const { signal } = this.#options;
    const { offset, length } = window;
    let bytes: Uint8Array | undefined;
    const losses: Loss[] = [];
    const transfer = new Transfer(
      (at, read) => {
        // What comes in one piece needs no copy.
        if (read.length === length) bytes = read;
        else (bytes ??= new Uint8Array(length)).set(read, at - offset);
      },
      {
        ...{ pool: this.#options.pool, signal },
        lost: (loss) => {
          losses.push(loss);
        },
      },
    );
    const [below] = await Promise.all([this.#readBelow(window), moveAll(transfer, window.extents)]);
    return { window, bytes: bytes ?? new Uint8Array(length), losses, below };
  }

  /** As much of the image below as lies under something. */
  async #readBelow(window: Window): Promise<Read['below']> {
    const { backing } = this.#disk;
    if (backing === undefined) return undefined;
    const { pool, signal } = this.#options;
    const runs = runsOf(window.extents);
    const extents: ChainExtent[] = [];
    for await (const batch of mapChain(backing, window.offset, window.length)) {
      for (const part of partsWithin(batch, runs)) extents.push(part);
    }
    return seeExtents(extents, window.offset, window.length, { pool, signal });
  }

  async #look(read: Read): Promise<void> {
    const { window } = read;
    for (const loss of read.losses.sort((a, b) => a.offset - b.offset)) this.#lose(loss);
    for (const extent of window.extents) {
      if (extent.kind === 'invalid') continue;
      this.bytesRead += extent.length;
      if (extent.kind === 'compressed' && extent.offset === extent.clusterOffset) {
        this.packedClusters += 1;
      }
      await this.#lookAtUnits(read, extent);
    }
    for (const { offset, length } of runsOf(window.extents)) {
      for (let at = 0; at < length; at += PIECE) {
        const from = offset + at - window.offset;
        const piece = read.bytes.subarray(from, from + Math.min(PIECE, length - at));
        this.#scanner.feed(offset + at, piece);
        await this.#breathe();
      }
    }
    await this.sample.pack();
    this.#options.passed(window.offset + window.length);
  }

  #lose({ offset, length, reason }: Loss): void {
    if (reason === 'compressed-short' || reason === 'compressed-corrupt') {
      this.brokenPacked += 1;
      this.broken.add(offset, length);
    } else {
      this.unreadable += length;
      this.unread.add(offset, length);
    }
  }

  async #lookAtUnits(read: Read, extent: ChainExtent): Promise<void> {
    const { window, bytes, losses, below } = read;
    const isPlain = extent.kind === 'data';
    if (!isPlain && below === undefined) return;
    const unit = this.#unit;
    const end = extent.offset + extent.length;
    for (let at = extent.offset; at < end;) {
      const next = Math.min(end, (Math.floor(at / unit) + 1) * unit);
      const [from, to] = [at - window.offset, next - window.offset];
      if (losses.length === 0 || !overlaps(losses, at, next)) {
        const part = bytes.subarray(from, to);
        const isHollow = isPlain && isZero(part);
        if (isHollow) this.zeroFilled += to - from;
        else if (isEqual(part, at, next, read)) this.equalToBacking += to - from;
        if (isPlain && !isHollow) this.sample.offer(part);
      }
      const pause = this.#pace();
      if (pause !== undefined) await this.#after(pause);
      at = next;
    }
  }

  async #breathe(): Promise<void> {
    const pause = this.#pace();
    if (pause !== undefined) await this.#after(pause);
  }

  async #after(pause: Promise<void>): Promise<void> {
    await pause;
    throwIfCancelled(this.#options.signal);
  }
}

async function moveAll(transfer: Transfer, extents: readonly ChainExtent[]): Promise<void> {
  await transfer.add(extents);
  await transfer.end();
}

/** What of a disk can be zeros by itself, bytes. */
function unitOf(disk: Disk): number {
  const { clusterSize } = disk;
  if (disk instanceof Qcow2Image && disk.header.extendedL2) return clusterSize / 32;
  if (clusterSize < SECTOR) return UNIT;
  return clusterSize <= LARGEST_UNIT ? clusterSize : UNIT;
}

function overlaps(
  ranges: readonly { offset: number; length: number }[],
  from: number,
  to: number,
): boolean {
  return ranges.some(({ offset, length }) => offset < to && from < offset + length);
}

/** Whether the image below has the same from `from` to `to` (guest bytes), as far as can be read. */
function isEqual(part: Uint8Array, from: number, to: number, { window, below }: Read): boolean {
  if (below === undefined) return false;
  if (below.unreadable.length > 0 && overlaps(below.unreadable, from, to)) return false;
  const start = from - window.offset;
  return sameBytes(part, below.bytes.subarray(start, to - window.offset));
}

/** Both begin at the same place of buffers of their own, so words lie alike in them. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const { length } = a;
  let at = 0;
  if (a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0) {
    const words = length >>> 2;
    const left = new Int32Array(a.buffer, a.byteOffset, words);
    const right = new Int32Array(b.buffer, b.byteOffset, words);
    let word = 0;
    while (word < words && left[word] === right[word]) word += 1;
    if (word < words) return false;
    at = words * 4;
  }
  while (at < length && a[at] === b[at]) at += 1;
  return at === length;
}
