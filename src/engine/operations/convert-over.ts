/**
 * Copying disks to where something is already: into a new qcow2 image that has another one below
 * it, and into an image that exists. Zeros are written there, not left out.
 */
import { packingIn, type WritablePacking } from '../codecs/packing.ts';
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { alignUp, SECTOR } from '../binary/units.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { createQcow2 } from '../formats/qcow2/edit/create.ts';
import type { Qcow2Writer } from '../formats/qcow2/edit/writer.ts';
import { ZeroWriter } from '../formats/qcow2/edit/zeros.ts';
import type { Storage } from '../storage/storage.ts';
import { mapChain } from './chain.ts';
import { DEFAULT_SPARSE, type ConvertReport } from './convert.ts';
import { COPY_BYTES, writtenParts } from './convert-chunks.ts';
import { copyBitmaps, type ConvertQcow2Options } from './convert-qcow2.ts';
import { statusChunks, type StatusChunk } from './convert-status.ts';
import { pipeline, readWindow, windows } from './convert-windows.ts';
import { readDisk } from './read.ts';
import { Lanes } from './transfer.ts';
import { yieldToEvents } from './yield.ts';
import { isZero } from './zeros.ts';

export interface ConvertOverOptions extends ConvertQcow2Options {
  /** What the source takes from its own backing image is left to what is below the target. */
  overBacking?: boolean | undefined;
  /** The target is known to read as zeros wherever nothing is written. */
  targetIsZero?: boolean | undefined;
}

/** Where guest bytes go; offsets are those of the target, whole sectors, bytes. */
export interface ConvertTarget {
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  zero(offset: number, length: number): Promise<void>;
  /** A whole cluster, at the end of the disk what is left of it. */
  writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void>;
}

interface GuestTarget extends ConvertTarget {
  readonly clusterSize: number;
  readonly codec: WritablePacking;
}

/**
 * Makes a qcow2 image in `target` (an empty file) with the guest content of `source` and `backing`
 * below it. The clusters are laid out as qemu-img lays them out.
 * @throws ImageError as convertToQcow2 does
 */
export async function convertOverBacking(
  source: Disk,
  target: Storage,
  backing: Disk,
  options: ConvertQcow2Options,
): Promise<ConvertReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  try {
    const writer = await createQcow2(target, source.size, options.image);
    const place = new NewImage(writer, backing, { ...options, pool });
    const settings = { ...options, pool, overBacking: true };
    const copy = new CopyInto(place, source.size, settings, backing.size);
    await copy.add(source, 0);
    await copyBitmaps(writer, options.bitmapsOf, source.size);
    await place.end(options.compress === true);
    return { size: source.size, copied: copy.copied };
  } finally {
    own?.close();
  }
}

/**
 * Writes the guest content of the sources over what is there, one behind the other, from the
 * beginning.
 * @throws ImageError unreadable-cluster, cancelled and those of reading and writing
 */
export async function convertInto(
  sources: readonly Disk[],
  target: ConvertTarget,
  options: ConvertOverOptions & { clusterSize: number; codec: WritablePacking },
): Promise<ConvertReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  const size = sources.reduce((sum, disk) => sum + disk.size, 0);
  const { clusterSize, codec } = options;
  const place: GuestTarget = {
    ...{ clusterSize, codec },
    write: (offset, bytes) => target.write(offset, bytes),
    zero: (offset, length) => target.zero(offset, length),
    writePacked: (offset, packed) => target.writePacked(offset, packed),
  };
  try {
    const copy = new CopyInto(place, size, { ...options, pool }, undefined);
    let start = 0;
    for (const source of sources) {
      options.onSource?.(source, start);
      await copy.add(source, start);
      start += source.size;
    }
    return { size, copied: copy.copied };
  } finally {
    own?.close();
  }
}

/** Writes under way at once. */
const WRITES_AT_ONCE = 4;

/** A new image with another one below it. */
class NewImage implements GuestTarget {
  readonly clusterSize: number;
  readonly codec: WritablePacking;
  readonly #writer: Qcow2Writer;
  readonly #lanes = new Lanes(WRITES_AT_ONCE);
  readonly #zeros: ZeroWriter;

  constructor(
    writer: Qcow2Writer,
    backing: Disk,
    { pool, packing }: ConvertQcow2Options & { pool: CodecPool },
  ) {
    this.#writer = writer;
    this.clusterSize = writer.clusterSize;
    const isZstd = writer.header.fields.compressionType === 1;
    this.codec = packingIn(packing, isZstd ? 'zstd' : 'zlib');
    writer.below = (offset, length) => readDisk(backing, offset, length, { pool });
    this.#zeros = new ZeroWriter(writer, {
      isZeroBelow: (offset, length) => readsAsZeros(backing, offset, length),
      writeZeros: async (offset, length) => {
        // One request, as QEMU makes it: clusters are taken for all of it at once.
        await this.write(offset, new Uint8Array(length));
      },
    });
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { data } = this.#writer;
    for (const placed of await this.#writer.place(offset, bytes.length)) {
      const at = placed.guestOffset - offset;
      const part = bytes.subarray(at, at + placed.length);
      const encoded = await this.#writer.encode(part, placed);
      await this.#lanes.add(() => data.write(placed.hostOffset, encoded));
    }
  }

  zero(offset: number, length: number): Promise<void> {
    return this.#zeros.zero(offset, length);
  }

  async writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    const { storage } = this.#writer;
    const host = await this.#writer.placePacked(offset, packed.length);
    await this.#lanes.add(() => storage.write(host, packed));
  }

  async end(isPacked: boolean): Promise<void> {
    await this.#lanes.end();
    await this.#writer.flush();
    const { storage } = this.#writer;
    // Whoever reads a packed file in sectors finds whole ones.
    const isCut = isPacked && storage.size % SECTOR !== 0;
    if (isCut) await storage.resize(alignUp(storage.size, SECTOR));
  }
}

/** Whether the tables of a disk and of those below it say that a range is zeros. */
async function readsAsZeros(disk: Disk, offset: number, length: number): Promise<boolean> {
  for await (const batch of mapChain(disk, offset, length)) {
    for (const { kind, unknown } of batch) {
      if (unknown || (kind !== 'zero' && kind !== 'unallocated')) return false;
    }
  }
  return true;
}

type Settings = ConvertOverOptions & { pool: CodecPool };

class CopyInto {
  /** Guest bytes that were read. */
  copied = 0;
  readonly #target: GuestTarget;
  readonly #size: number;
  readonly #options: Settings;
  /** Size of the image below the target, bytes; undefined where it makes no difference. */
  readonly #backingSize: number | undefined;
  #done = 0;

  constructor(
    target: GuestTarget,
    size: number,
    options: Settings,
    backingSize: number | undefined,
  ) {
    this.#target = target;
    this.#size = size;
    this.#options = options;
    this.#backingSize = backingSize;
  }

  add(source: Disk, start: number): Promise<void> {
    const { pool, signal, lost, compress = false, overBacking = false } = this.#options;
    const packed = compress ? this.#target.clusterSize : 0;
    const chunks = statusChunks(source, { overBacking, backingSize: this.#backingSize, packed });
    const losing = lost && ((loss: Parameters<typeof lost>[1]) => lost(source, loss));
    return pipeline(
      windows(chunks),
      async (window) => {
        const contents = await readWindow(window, { pool, signal, lost: losing });
        return compress ? this.#pack(window, contents, start) : contents.map(plain);
      },
      (window, pieces) => this.#write(window, pieces, start),
    );
  }

  async #write(
    window: readonly StatusChunk[],
    pieces: readonly Piece[],
    start: number,
  ): Promise<void> {
    throwIfCancelled(this.#options.signal);
    const { sparse = DEFAULT_SPARSE, signal } = this.#options;
    let index = 0;
    let length = 0;
    for (const chunk of window) {
      throwIfCancelled(signal);
      length += chunk.length;
      const offset = start + chunk.offset;
      if (chunk.data) {
        await this.#writeData(pieces[index++] as Piece, offset);
        this.copied += chunk.length;
      } else if (chunk.status === 'zero') {
        if (sparse > 0) await this.#zero(offset, chunk.length);
        else await this.#writeZeros(offset, chunk.length);
      }
    }
    this.#done += length;
    this.#options.progress?.({ stage: 'copying', done: this.#done, total: this.#size });
    await yieldToEvents(signal);
  }

  async #writeData({ bytes, packed }: Piece, offset: number): Promise<void> {
    const { sparse = DEFAULT_SPARSE, compress = false } = this.#options;
    if (packed !== undefined) return this.#target.writePacked(offset, packed);
    if (compress) {
      const isLeft = sparse > 0 && isZero(bytes);
      return isLeft ? this.#zero(offset, bytes.length) : this.#target.write(offset, bytes);
    }
    let done = 0;
    for (const { start, end } of writtenParts(bytes, offset, sparse)) {
      if (start > done) await this.#zero(offset + done, start - done);
      await this.#target.write(offset + start, bytes.subarray(start, end));
      done = end;
    }
    if (done < bytes.length) await this.#zero(offset + done, bytes.length - done);
  }

  async #zero(offset: number, length: number): Promise<void> {
    if (this.#options.targetIsZero !== true) await this.#target.zero(offset, length);
  }

  /** Zeros are data when everything is to be written. */
  async #writeZeros(offset: number, length: number): Promise<void> {
    const { clusterSize } = this.#target;
    const most = this.#options.compress === true ? clusterSize : COPY_BYTES;
    for (let done = 0; done < length; done += most) {
      throwIfCancelled(this.#options.signal);
      const bytes = new Uint8Array(Math.min(most, length - done));
      const chunks = [{ offset: offset + done, length: bytes.length }];
      const pieces =
        this.#options.compress === true ? await this.#pack(chunks, [bytes], 0) : [plain(bytes)];
      for (const piece of pieces) await this.#writeData(piece, offset + done);
    }
  }

  /** Packs what is a whole cluster of the target and gets smaller by it. */
  async #pack(
    window: readonly { offset: number; length: number; data?: boolean }[],
    contents: readonly Uint8Array<ArrayBuffer>[],
    start: number,
  ): Promise<Piece[]> {
    const { clusterSize, codec } = this.#target;
    const { pool, sparse = DEFAULT_SPARSE } = this.#options;
    const chunks = window.filter(({ data }) => data !== false);
    const wanted: number[] = [];
    for (const [index, { offset, length }] of chunks.entries()) {
      const isLast = start + offset + length === this.#size;
      const isWhole = (start + offset) % clusterSize === 0 && (length === clusterSize || isLast);
      // qcow2 pads the last cluster before it is packed; the target packs it itself where that is wrong.
      const isPadded = length === clusterSize || codec !== 'zlib-stream';
      const content = contents[index] as Uint8Array<ArrayBuffer>;
      if (isWhole && isPadded && (sparse === 0 || !isZero(content))) wanted.push(index);
    }
    const pieces: Piece[] = contents.map(plain);
    const perBatch = Math.max(1, Math.floor(PACK_BATCH / clusterSize));
    const batches: Promise<void>[] = [];
    for (let first = 0; first < wanted.length; first += perBatch) {
      const part = wanted.slice(first, first + perBatch);
      const data = new Uint8Array(part.length * clusterSize);
      for (const [place, index] of part.entries()) {
        data.set(contents[index] as Uint8Array, place * clusterSize);
      }
      batches.push(
        pool.pack({ codec, data, clusterSize }).then(({ packed, lengths }) => {
          let end = 0;
          for (const [place, index] of part.entries()) {
            const from = end;
            end += lengths[place] as number;
            if (end > from) (pieces[index] as Piece).packed = packed.subarray(from, end);
          }
        }),
      );
    }
    await Promise.all(batches);
    return pieces;
  }
}

/** Guest bytes that are packed as one batch. */
const PACK_BATCH = 512 * 1024;

/** Content of a chunk, and what it was packed to where that is to be written. */
interface Piece {
  readonly bytes: Uint8Array<ArrayBuffer>;
  packed: Uint8Array<ArrayBuffer> | undefined;
}

function plain(bytes: Uint8Array<ArrayBuffer>): Piece {
  return { bytes, packed: undefined };
}
