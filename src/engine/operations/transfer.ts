/**
 * Reading guest content in bulk, once for all formats: extents in, bytes out. Within a batch of
 * extents the file is walked in its own order, so fragmentation costs next to nothing; requests
 * are long and several are under way; compressed clusters go to the codec pool in batches.
 */
import { alignDown, alignUp, SECTOR } from '../binary/units.ts';
import type { Cipher } from '../codecs/cipher.ts';
import type { Packing } from '../codecs/packing.ts';
import type { CodecPool } from '../codecs/pool.ts';
import { ImageError, isImageError, throwIfCancelled, type UnreadableReason } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { coalesce, type Piece, type Request } from '../storage/gather.ts';
import { readPartially, type Hole, type PartialRead } from '../storage/partial.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import type { ChainExtent } from './chain.ts';
import { lossOf, type Loss } from './salvage.ts';
import { heldWork } from './yield.ts';
import type { Run } from './zeros.ts';

/** Takes what was read. `bytes` may be kept or used until the promise settles. */
export type Sink = (guestOffset: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void> | void;

export interface TransferOptions {
  pool: CodecPool;
  signal?: AbortSignal | undefined;
  /** Bytes of guest content that were handed to the sink. */
  onBytes?: ((bytes: number) => void) | undefined;
  /** Takes what cannot be read; without it, the first such place ends the work. */
  lost?: ((loss: Loss) => Promise<void> | void) | undefined;
  /**
   * Takes the memory of a read when the sink was given all of it: to be recycled as soon as nobody
   * looks at it. Without it, that is left to the garbage collector.
   */
  used?: ((storage: Storage, bytes: Uint8Array<ArrayBuffer>) => void) | undefined;
}

/** {@link TransferOptions.used} where the sink keeps nothing beyond its promise. */
export function recycle(storage: Storage, bytes: Uint8Array<ArrayBuffer>): void {
  storage.recycle?.(bytes);
}

/** A piece of a file and where its content goes. */
interface Part {
  readonly offset: number;
  readonly length: number;
  readonly extent: ChainExtent;
  /** Guest offset of the first byte; of a whole sector, where sectors are decrypted. */
  readonly guestOffset: number;
}

/** One read of one file. */
interface Job extends Request<Part> {
  readonly storage: Storage;
  readonly compressed: boolean;
  /** What the pieces of data are encrypted with. */
  readonly cipher?: Cipher | undefined;
}

/** Bytes of one read of data, as a rule. */
const DATA_READ = 8 * 1024 * 1024;
/** The same where memory serves again and reads that follow each other are one stream. */
const STREAMED_READ = 2 * 1024 * 1024;
/** Unpacked bytes of one batch for the pool. */
const BATCH_BYTES = 2 * 1024 * 1024;
/** Reads under way at once. */
const AT_ONCE = 4;
/** In compressed images neighbours follow closely; a longer gap means another batch. */
const PACKED_GAP = 64 * 1024;

const NO_HOLES: Hole[] = [];

/** Runs work with a bound on how much of it is under way; the first failure ends it. */
export class Lanes {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits for a free lane, then starts. @throws what an earlier piece of work threw */
  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#rethrow();
    const running = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits until all is done. @throws what any piece of work threw */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    this.#rethrow();
  }

  /** Waits until all that was started until now is done or has failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  #rethrow(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Moves the content of extents to a sink; zeros and unallocated runs are skipped. */
export class Transfer {
  readonly #sink: Sink;
  readonly #options: TransferOptions;
  readonly #lanes: Lanes;

  constructor(sink: Sink, options: TransferOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#lanes = new Lanes(Math.max(AT_ONCE, options.pool.concurrency + 1));
  }

  /**
   * Starts reading a batch; returns when the last of it has been started, not when it is there.
   * @throws ImageError unreadable-cluster where the tables are damaged or a base is missing
   */
  async add(extents: readonly ChainExtent[]): Promise<void> {
    for (const job of plan(await this.#readable(extents))) {
      throwIfCancelled(this.#options.signal);
      const held = heldWork(this.#options.signal);
      if (held !== undefined) await held.then(() => throwIfCancelled(this.#options.signal));
      await this.#lanes.add(() => this.#run(job));
    }
  }

  /** Returns when everything has been handed to the sink. */
  async end(): Promise<void> {
    await this.#lanes.end();
    throwIfCancelled(this.#options.signal);
  }

  /** Without the runs that are lost already, where losses are taken. */
  async #readable(extents: readonly ChainExtent[]): Promise<readonly ChainExtent[]> {
    const { lost } = this.#options;
    if (lost === undefined) return extents;
    const readable: ChainExtent[] = [];
    for (const extent of extents) {
      const loss = lossOf(extent);
      if (loss === undefined) readable.push(extent);
      else await lost(loss);
    }
    return readable;
  }

  async #run(job: Job): Promise<void> {
    const { bytes, holes } = await this.#read(job);
    throwIfCancelled(this.#options.signal);
    if (job.compressed) await this.#unpack(await this.#intact(job, holes), bytes);
    else if (job.cipher !== undefined) await this.#decrypt(job, job.cipher, bytes, holes);
    else await this.#copy(job, bytes, holes);
    this.#options.used?.(job.storage, bytes);
  }

  /** Behind the end of the file is nothing but zeros, as QEMU has it. */
  async #read({ storage, offset, length }: Job): Promise<PartialRead> {
    const { lost, signal } = this.#options;
    try {
      return { bytes: await readPadded(storage, offset, length), holes: NO_HOLES };
    } catch (error) {
      if (lost === undefined || !isImageError(error, 'read-failed')) throw error;
      return readPartially(storage, offset, length, signal);
    }
  }

  /** By the place in the file, all of a read is decrypted at once, what lies between too. */
  async #decrypt(
    job: Job,
    cipher: Cipher,
    bytes: Uint8Array<ArrayBuffer>,
    holes: readonly Hole[],
  ): Promise<void> {
    if (cipher.countsBy === 'host') {
      await this.#copy(job, await cipher.decrypt(bytes, job.offset), holes);
      return;
    }
    await Promise.all(
      job.pieces.map(async (part) => {
        const at = part.offset - job.offset;
        const sectors = bytes.subarray(at, at + part.length);
        await this.#givePart(part, await cipher.decrypt(sectors, part.guestOffset), holes);
      }),
    );
  }

  async #copy(job: Job, bytes: Uint8Array<ArrayBuffer>, holes: readonly Hole[]): Promise<void> {
    for (const part of job.pieces) {
      const at = part.offset - job.offset;
      await this.#givePart(part, bytes.subarray(at, at + part.length), holes);
    }
  }

  /** Encrypted sectors are read whole; what was asked for may begin or end within one. */
  #givePart(part: Part, bytes: Uint8Array<ArrayBuffer>, holes: readonly Hole[]): Promise<void> {
    const { guestOffset, extent } = part;
    const start = Math.max(guestOffset, extent.offset);
    const end = Math.min(guestOffset + bytes.length, extent.offset + extent.length);
    if (holes.length === 0) {
      return this.#give(start, bytes.subarray(start - guestOffset, end - guestOffset));
    }
    return this.#giveAround(part, bytes, { start, end }, holes);
  }

  /** As {@link givePart}, for guest bytes of which some may be lost. */
  async #giveAround(
    { guestOffset, offset }: Part,
    bytes: Uint8Array<ArrayBuffer>,
    { start, end }: Run,
    holes: readonly Hole[],
  ): Promise<void> {
    let at = start;
    const giveTo = async (until: number): Promise<void> => {
      if (until > at) await this.#give(at, bytes.subarray(at - guestOffset, until - guestOffset));
      at = until;
    };
    for (const hole of holes) {
      const from = Math.max(at, guestOffset + hole.offset - offset);
      const to = Math.min(end, guestOffset + hole.offset - offset + hole.length);
      if (from >= to) continue;
      await giveTo(from);
      await this.#lose(from, to - from, 'read-failed', hole.reason);
      at = to;
    }
    await giveTo(end);
  }

  /** The job without the clusters that lack some of their bytes: those are lost. */
  async #intact(job: Job, holes: readonly Hole[]): Promise<Job> {
    if (holes.length === 0) return job;
    const pieces: Part[] = [];
    for (const part of job.pieces) {
      const hole = holes.find((one) => overlap(one, part));
      if (hole === undefined) pieces.push(part);
      else await this.#lose(part.extent.offset, part.extent.length, 'read-failed', hole.reason);
    }
    return { ...job, pieces };
  }

  async #unpack(job: Job, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    if (job.pieces.length === 0) return;
    const { extent: one } = firstOf(job.pieces);
    const codec = packingOf(one);
    const clusterSize = unpackedLength(one);
    const clusters = job.pieces.map((part) => ({
      start: part.offset - job.offset,
      length: part.length,
    }));
    const { data, results } = await this.#options.pool.unpack({
      codec,
      packed,
      clusters,
      clusterSize,
    });
    for (const [index, part] of job.pieces.entries()) {
      const { extent } = part;
      if (results[index] !== 'ok') {
        const reason = results[index] === 'short' ? 'compressed-short' : 'compressed-corrupt';
        if (this.#options.lost === undefined) throw unreadable(extent, reason);
        await this.#lose(extent.offset, extent.length, reason);
        continue;
      }
      const at = index * clusterSize + (extent.offset - extent.clusterOffset);
      await this.#give(extent.offset, data.subarray(at, at + extent.length));
    }
  }

  /** Only where losses are taken. */
  async #lose(offset: number, length: number, reason: Loss['reason'], message = ''): Promise<void> {
    await this.#options.lost?.({ offset, length, cause: 'content', reason, message });
  }

  async #give(guestOffset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    // Sinks that write synchronously spare the turn of the event loop.
    const pending = this.#sink(guestOffset, bytes);
    if (pending !== undefined) await pending;
    this.#options.onBytes?.(bytes.length);
  }
}

function overlap(a: Piece, b: Piece): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

function firstOf<T>(list: readonly T[]): T {
  const [first] = list;
  if (first === undefined) throw new ImageError('internal', { reason: 'a request without pieces' });
  return first;
}

function unreadable(extent: ChainExtent, reason: UnreadableReason): ImageError {
  return new ImageError('unreadable-cluster', {
    guestOffset: extent.offset,
    hostOffset: extent.hostOffset,
    length: extent.length,
    reason: extent.reason ?? reason,
  });
}

/** Why nobody knows the content of a run. */
function missing({ kind, disk, reason }: ChainExtent): UnreadableReason {
  if (reason !== undefined) return reason;
  return (kind === 'data' ? disk.contentMissing : undefined) ?? 'backing-missing';
}

/** How a compressed cluster is packed. */
function packingOf({ packing, disk }: ChainExtent): Packing {
  return packing ?? disk.codec ?? 'zlib';
}

/** Bytes that a compressed cluster unpacks to. */
function unpackedLength(extent: ChainExtent): number {
  return extent.unpackedLength ?? extent.disk.clusterSize;
}

/** Parts of one file that are encrypted or packed in one way, or not at all. */
interface Group {
  readonly storage: Storage;
  readonly disk: Disk;
  /** Of packed parts: all are packed in one way and unpack to one length. */
  readonly packing: Packing | undefined;
  readonly unpackedLength: number;
  readonly parts: Part[];
}

/** Cuts a batch of extents into reads, short runs in the order of each file. */
function* plan(extents: readonly ChainExtent[]): Generator<Job> {
  const data: Group[] = [];
  const packed: Group[] = [];
  for (const extent of extents) {
    if (extent.unknown) throw unreadable(extent, missing(extent));
    if (extent.kind === 'invalid') throw unreadable(extent, 'data-unaligned');
    if (extent.kind === 'compressed') addPacked(partsOf(packed, extent), extent);
    else if (extent.kind === 'data' && extent.length >= readSize(extent.storage))
      yield* cutData(extent);
    else if (extent.kind === 'data') partsOf(data, extent).push(dataPart(extent));
  }
  for (const { storage, disk, parts } of data) {
    for (const request of coalesce(sortParts(parts), readSize(storage))) {
      yield { ...request, storage, compressed: false, cipher: disk.cipher };
    }
  }
  for (const { storage, unpackedLength: length, parts } of packed) {
    const most = Math.max(1, Math.floor(BATCH_BYTES / length));
    for (const request of coalesce(sortParts(parts), BATCH_BYTES, PACKED_GAP)) {
      for (const piece of split(request, most)) yield { ...piece, storage, compressed: true };
    }
  }
}

/** Bytes of one read of data. */
function readSize(storage: Storage): number {
  return storage.recycle === undefined ? DATA_READ : STREAMED_READ;
}

/** Chains are short and their runs come in stretches: the group wanted is mostly the last one. */
function partsOf(groups: Group[], extent: ChainExtent): Part[] {
  const { storage, disk, kind } = extent;
  const isPacked = kind === 'compressed';
  const packing = isPacked ? packingOf(extent) : undefined;
  const length = isPacked ? unpackedLength(extent) : 0;
  const found = groups.findLast(
    (group) =>
      group.disk === disk &&
      group.storage === storage &&
      group.packing === packing &&
      group.unpackedLength === length,
  );
  if (found !== undefined) return found.parts;
  const parts: Part[] = [];
  groups.push({ storage, disk, packing, unpackedLength: length, parts });
  return parts;
}

/** A long run needs no neighbours: one read after the other, made when its turn comes. */
function* cutData(extent: ChainExtent): Generator<Job> {
  const { storage, disk } = extent;
  const whole = dataPart(extent);
  const most = readSize(storage);
  for (let done = 0; done < whole.length; done += most) {
    const offset = whole.offset + done;
    const length = Math.min(most, whole.length - done);
    const pieces = [{ offset, length, guestOffset: whole.guestOffset + done, extent }];
    yield { offset, length, pieces, storage, compressed: false, cipher: disk.cipher };
  }
}

/** Data as it is read: where it is encrypted, from the beginning to the end of whole sectors. */
function dataPart(extent: ChainExtent): Part {
  const { hostOffset, length, offset } = extent;
  if (extent.disk.cipher === undefined) {
    return { offset: hostOffset, length, guestOffset: offset, extent };
  }
  const guestOffset = alignDown(offset, SECTOR);
  return {
    offset: hostOffset - (offset - guestOffset),
    length: alignUp(offset + length, SECTOR) - guestOffset,
    guestOffset,
    extent,
  };
}

function addPacked(parts: Part[], extent: ChainExtent): void {
  const { hostOffset: offset, hostLength: length, offset: guestOffset } = extent;
  parts.push({ offset, length, guestOffset, extent });
}

/** Sorting costs more than a look whether it is needed: most images are in order. */
function sortParts(parts: Part[]): Part[] {
  for (let i = 1; i < parts.length; i++) {
    const previous = parts[i - 1];
    const current = parts[i];
    if (previous !== undefined && current !== undefined && previous.offset > current.offset) {
      return parts.sort((a, b) => a.offset - b.offset);
    }
  }
  return parts;
}

/** Cuts a request so that none has more than `most` pieces. */
function* split(request: Request<Part>, most: number): Generator<Request<Part>> {
  for (let first = 0; first < request.pieces.length; first += most) {
    const pieces = request.pieces.slice(first, first + most);
    const { offset } = firstOf(pieces);
    const end = pieces.reduce((far, piece) => Math.max(far, piece.offset + piece.length), offset);
    yield { offset, length: end - offset, pieces };
  }
}
