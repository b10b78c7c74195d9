/** Reading what an image itself holds of its disk, once, and looking at every cluster. */
import { SECTOR } from '../binary/units.ts';
import type { CodecPool } from '../codecs/pool.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { mapChain, mapOwn, type ChainExtent } from '../operations/chain.ts';
import { PieceList, PieceReader, type DiskPiece } from '../operations/pieces.ts';
import { seePieces, type SeenPieces } from '../operations/read-lenient.ts';
import { firstDifference } from '../operations/same-bytes.ts';
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
  pieces: readonly DiskPiece[];
  losses: Loss[];
  /** What the image below has there; undefined where there is none. */
  below: SeenPieces | undefined;
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
    const pieces = new PieceList(window.length);
    const losses: Loss[] = [];
    const transfer = new Transfer((at, bytes) => pieces.add(at, bytes), {
      ...{ pool: this.#options.pool, signal },
      lost: (loss) => {
        losses.push(loss);
      },
    });
    const [below] = await Promise.all([this.#readBelow(window), moveAll(transfer, window.extents)]);
    return { window, pieces: pieces.inOrder(), losses, below };
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
    return seePieces(extents, window.length, { pool, signal });
  }

  async #look(read: Read): Promise<void> {
    const { window } = read;
    const units = new Units(read);
    for (const loss of read.losses.sort((a, b) => a.offset - b.offset)) this.#lose(loss);
    for (const extent of window.extents) {
      if (extent.kind === 'invalid') continue;
      this.bytesRead += extent.length;
      if (extent.kind === 'compressed' && extent.offset === extent.clusterOffset) {
        this.packedClusters += 1;
      }
      await this.#lookAtUnits(units, extent);
    }
    const content = new PieceReader(read.pieces);
    for (const { offset, length } of runsOf(window.extents)) {
      const end = offset + length;
      for (let at = offset; at < end; at += PIECE) {
        this.#scanner.feed(at, content.part(at, Math.min(end, at + PIECE)));
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

  async #lookAtUnits(units: Units, extent: ChainExtent): Promise<void> {
    const isPlain = extent.kind === 'data';
    if (!isPlain && !units.hasBelow) return;
    const unit = this.#unit;
    const end = extent.offset + extent.length;
    for (let at = extent.offset; at < end;) {
      const next = Math.min(end, (Math.floor(at / unit) + 1) * unit);
      const part = units.part(at, next);
      if (part !== undefined) {
        const isHollow = isPlain && isZero(part);
        if (isHollow) this.zeroFilled += part.length;
        else if (units.isAsBelow(part, at)) this.equalToBacking += part.length;
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

/** What was read of a window, unit by unit, from front to back. */
class Units {
  readonly hasBelow: boolean;
  readonly #read: Read;
  readonly #content: PieceReader;
  readonly #below: PieceReader;

  constructor(read: Read) {
    this.hasBelow = read.below !== undefined;
    this.#read = read;
    this.#content = new PieceReader(read.pieces);
    this.#below = new PieceReader(read.below?.pieces ?? []);
  }

  /** The guest's bytes from `from` to `to`; undefined where some of them cannot be read. */
  part(from: number, to: number): Uint8Array | undefined {
    const { losses } = this.#read;
    if (losses.length > 0 && overlaps(losses, from, to)) return undefined;
    return this.#content.part(from, to);
  }

  /** Whether the image below has the same from `from` on, as far as can be read. */
  isAsBelow(part: Uint8Array, from: number): boolean {
    const { below } = this.#read;
    if (below === undefined) return false;
    const to = from + part.length;
    if (below.unreadable.length > 0 && overlaps(below.unreadable, from, to)) return false;
    return firstDifference(part, this.#below.part(from, to)) === part.length;
  }
}
