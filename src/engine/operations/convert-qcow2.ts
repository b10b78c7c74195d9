/** Copying disks into a new qcow2 file. */
import { packingIn, type PackingStyle } from '../codecs/packing.ts';
import { InlinePool, type CodecPool } from '../codecs/pool.ts';
import { alignUp, SECTOR } from '../binary/units.ts';
import { throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { BitmapDirectory } from '../formats/qcow2/edit/bitmaps.ts';
import { createQcow2, type Qcow2Options } from '../formats/qcow2/edit/create.ts';
import type { Qcow2Writer } from '../formats/qcow2/edit/writer.ts';
import type { Qcow2Image } from '../formats/qcow2/image.ts';
import type { Storage } from '../storage/storage.ts';
import { mapChain, type ChainExtent } from './chain.ts';
import { DEFAULT_SPARSE, type ConvertReport } from './convert.ts';
import { COPY_BYTES, copyChunks, writtenParts, type Chunk } from './convert-chunks.ts';
import { packedWindows, type PackWindow } from './convert-packed.ts';
import { copyScattered, isFew, takesAnyOrder } from './convert-scattered.ts';
import { PackedWrites, pipeline, readWindow, WINDOW, windows } from './convert-windows.ts';
import { stretchesOf, type ReadOrder, type Scattered } from './file-order.ts';
import type { RunOptions } from './operation.ts';
import type { Loss } from './salvage.ts';
import { Lanes, recycle, Transfer } from './transfer.ts';
import { yieldToEvents } from './yield.ts';
import { isZero } from './zeros.ts';

export interface ConvertQcow2Options extends RunOptions {
  /** Properties of the new image. */
  image?: Partial<Qcow2Options> | undefined;
  /** Zero runs of at least this many bytes are left out (a multiple of 512); 0: write all data. */
  sparse?: number | undefined;
  /** Called before a source is read: where it begins in the result, bytes. */
  onSource?: ((source: Disk, start: number) => void) | undefined;
  /** Packs every cluster that gets smaller by it. */
  compress?: boolean | undefined;
  /** What zlib's clusters are to be like; those of qemu-img where it is not given. */
  packing?: PackingStyle | undefined;
  /** The image whose persistent bitmaps are copied, apart from those not saved cleanly. */
  bitmapsOf?: Qcow2Image | undefined;
  /** Takes what cannot be read of a source; zeros stand for it. Without it, that ends the work. */
  lost?: ((source: Disk, loss: Loss) => void) | undefined;
  /**
   * In which order sources are read: `guest` by default, which gives the image the layout that
   * qemu-img would give it. Otherwise clusters of zeros in fragmented stretches leave gaps in it.
   */
  order?: ReadOrder | undefined;
  pool?: CodecPool | undefined;
}

/** Memory that contents lie in, and what it was read from. */
interface Read {
  storage: Storage;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The same with a pool, which is there from here on. */
type Settings = ConvertQcow2Options & { pool: CodecPool };

/** Writes under way at once. */
const WRITES_AT_ONCE = 4;
/** Guest bytes that are packed as one batch. */
const PACK_BATCH = 512 * 1024;

/**
 * Makes a qcow2 image in `target` (an empty file) with the guest content of the sources, one behind
 * the other. The clusters are laid out as qemu-img lays them out.
 * @throws ImageError unreadable-cluster, too-large, cancelled and those of reading and writing; the
 * target is then unfinished
 */
export async function convertToQcow2(
  sources: readonly Disk[],
  target: Storage,
  options: ConvertQcow2Options = {},
): Promise<ConvertReport> {
  const own = options.pool === undefined ? new InlinePool() : undefined;
  const pool = options.pool ?? own ?? new InlinePool();
  const size = sources.reduce((sum, disk) => sum + disk.size, 0);
  try {
    const writer = await createQcow2(target, size, options.image);
    // Clusters that have their places already read as noise: zeros have to be written, too.
    const { preallocation = 'off' } = options.image ?? {};
    const isNoise = writer.cipher !== undefined && preallocation !== 'off';
    const sparse = isNoise ? 0 : options.sparse;
    const copy = new Copy(writer, size, { ...options, pool, sparse });
    if (options.compress === true) await copy.addPacked(sources);
    else await copy.addAll(sources);
    await copy.end();
    return { size, copied: copy.copied };
  } finally {
    own?.close();
  }
}

/**
 * Copies the persistent bitmaps of an image into one that is being made.
 * @param size of its disk, bytes
 */
export async function copyBitmaps(
  writer: Qcow2Writer,
  image: Qcow2Image | undefined,
  size: number,
): Promise<void> {
  if (image === undefined) return;
  const directory = BitmapDirectory.empty(writer, size);
  await directory.copy(image);
  await directory.flush();
}

class Copy {
  /** Guest bytes that were read. */
  copied = 0;
  readonly #writer: Qcow2Writer;
  readonly #size: number;
  readonly #options: Settings;
  readonly #lanes = new Lanes(WRITES_AT_ONCE);
  #done = 0;

  constructor(writer: Qcow2Writer, size: number, options: Settings) {
    this.#writer = writer;
    this.#size = size;
    this.#options = options;
  }

  /** Copies the disks as they are, one behind the other. */
  async addAll(sources: readonly Disk[]): Promise<void> {
    let start = 0;
    for (const source of sources) {
      this.#options.onSource?.(source, start);
      await this.#add(source, start);
      start += source.size;
    }
  }

  /** Copies the disks one behind the other, packed. */
  async addPacked(sources: readonly Disk[]): Promise<void> {
    const { clusterSize } = this.#writer;
    const packed = new PackedWrites(this.#writer.storage, this.#lanes);
    await pipeline(
      packedWindows(sources, Math.max(clusterSize, WINDOW / 2), this.#options.onSource),
      (window) => this.#readAndPack(window),
      async (window, clusters) => {
        throwIfCancelled(this.#options.signal);
        for (const cluster of clusters) await this.#writeCluster(cluster, packed);
        this.copied += window.data;
        this.#report(window.length + window.skipped);
      },
    );
    await packed.end();
  }

  async end(): Promise<void> {
    await this.#lanes.end();
    throwIfCancelled(this.#options.signal);
    await copyBitmaps(this.#writer, this.#options.bitmapsOf, this.#size);
    await this.#writer.flush();
    const { data, header } = this.#writer;
    // As a raw disk it has the disk's size, not that of its clusters.
    if (this.#options.image?.dataFile?.raw === true) await data.resize(header.fields.size);
    // Whoever reads a packed file in sectors finds whole ones, also where nothing was to be packed.
    const { storage } = this.#writer;
    const isCut = this.#options.compress === true && storage.size % SECTOR !== 0;
    if (isCut) await storage.resize(alignUp(storage.size, SECTOR));
  }

  async #add(source: Disk, start: number): Promise<void> {
    const order = this.#order();
    if (order === 'guest') return this.#addBatches(source, start, mapChain(source), 0);
    for await (const stretch of stretchesOf(mapChain(source), order)) {
      if (stretch.kind === 'batch') {
        const from = stretch.batch[0]?.offset ?? 0;
        await this.#addBatches(source, start, [stretch.batch], from);
      } else await this.#addScattered(source, start, stretch);
    }
  }

  /** In which order this image can be written. */
  #order(): ReadOrder {
    const { order = 'guest', sparse, image } = this.#options;
    const isPlaced = (image?.preallocation ?? 'off') !== 'off';
    const hasBelow = (image?.backingName ?? '') !== '';
    return sparse === 0 || isPlaced || hasBelow || !takesAnyOrder(this.#writer) ? 'guest' : order;
  }

  /** @param from where the batches begin on the source's disk, bytes */
  #addBatches(
    source: Disk,
    start: number,
    batches: AsyncIterable<ChainExtent[]> | Iterable<ChainExtent[]>,
    from: number,
  ): Promise<void> {
    const { pool, signal } = this.#options;
    return pipeline(
      windows(copyChunks(source, batches, from)),
      async (window) => {
        const reads: Read[] = [];
        const used = (storage: Storage, bytes: Uint8Array<ArrayBuffer>): void => {
          reads.push({ storage, bytes });
        };
        const lost = this.#losing(source);
        return { reads, contents: await readWindow(window, { pool, signal, lost, used }) };
      },
      async (window, { contents, reads }) => {
        await this.#write(window, contents, start);
        this.#recycle(reads);
      },
    );
  }

  /** The memory of a window serves again when all that was begun until now is written. */
  #recycle(reads: readonly Read[]): void {
    void this.#lanes.settled().then(() => {
      for (const { storage, bytes } of reads) recycle(storage, bytes);
    });
  }

  async #addScattered(source: Disk, start: number, stretch: Scattered): Promise<void> {
    const { offset, length } = stretch;
    if (!isFew(this.#writer, stretch)) {
      return this.#addBatches(source, start, mapChain(source, offset, length), offset);
    }
    const { pool, signal, sparse = DEFAULT_SPARSE } = this.#options;
    const before = this.#done;
    await copyScattered(this.#writer, stretch, {
      ...{ pool, signal, sparse, start, lost: this.#losing(source) },
      onBytes: (bytes) => {
        this.copied += bytes;
        this.#report(bytes);
      },
    });
    this.#done = before;
    this.#report(length);
  }

  #losing(source: Disk): ((loss: Loss) => void) | undefined {
    const { lost } = this.#options;
    return lost && ((loss) => lost(source, loss));
  }

  async #write(
    window: readonly Chunk[],
    contents: readonly Uint8Array<ArrayBuffer>[],
    start: number,
  ): Promise<void> {
    throwIfCancelled(this.#options.signal);
    let index = 0;
    let length = 0;
    for (const chunk of window) {
      length += chunk.length;
      if (chunk.data) {
        const bytes = contents[index++] as Uint8Array<ArrayBuffer>;
        await this.#writeChunk(bytes, start + chunk.offset);
        this.copied += chunk.length;
      } else if (this.#options.sparse === 0) {
        await this.#writeZeros(start + chunk.offset, chunk.length);
      }
    }
    this.#report(length);
    await yieldToEvents(this.#options.signal);
  }

  #report(bytes: number): void {
    this.#done += bytes;
    this.#options.progress?.({ stage: 'copying', done: this.#done, total: this.#size });
  }

  /** Zeros are data when everything is to be written. */
  async #writeZeros(offset: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += COPY_BYTES) {
      throwIfCancelled(this.#options.signal);
      const bytes = new Uint8Array(Math.min(COPY_BYTES, length - done));
      await this.#writeChunk(bytes, offset + done);
    }
  }

  async #writeChunk(bytes: Uint8Array<ArrayBuffer>, offset: number): Promise<void> {
    const { sparse = DEFAULT_SPARSE } = this.#options;
    for (const { start, end } of writtenParts(bytes, offset, sparse)) {
      await this.#writeBytes(bytes.subarray(start, end), offset + start);
    }
  }

  async #writeBytes(bytes: Uint8Array<ArrayBuffer>, offset: number): Promise<void> {
    const { data } = this.#writer;
    for (const placed of await this.#writer.place(offset, bytes.length)) {
      const at = placed.guestOffset - offset;
      const part = bytes.subarray(at, at + placed.length);
      const encoded = await this.#writer.encode(part, placed);
      await this.#lanes.add(() => data.write(placed.hostOffset, encoded));
    }
  }

  /** The clusters of a window that hold something, in guest order. */
  async #readAndPack(window: PackWindow): Promise<PackedCluster[]> {
    const { pool, sparse, image, packing } = this.#options;
    const codec = packingIn(packing, image?.compressionType ?? 'zlib');
    const { clusterSize } = this.#writer;
    const bytes = await readPackWindow(window, clusterSize, this.#options);
    const wanted: number[] = [];
    for (let at = 0; at < window.length; at += clusterSize) {
      const isData = sparse === 0 || !isZero(bytes.subarray(at, at + clusterSize));
      if (isData) wanted.push(at);
    }
    const perBatch = Math.max(1, Math.floor(PACK_BATCH / clusterSize));
    const batches: Promise<PackedCluster[]>[] = [];
    for (let first = 0; first < wanted.length; first += perBatch) {
      const places = wanted.slice(first, first + perBatch);
      const data = new Uint8Array(places.length * clusterSize);
      for (const [index, at] of places.entries()) {
        data.set(bytes.subarray(at, at + clusterSize), index * clusterSize);
      }
      const batch = pool.pack({ codec, data, clusterSize });
      batches.push(
        batch.then(({ packed, lengths }) => {
          let end = 0;
          return places.map((at, index) => {
            const start = end;
            end += lengths[index] as number;
            const plain = bytes.subarray(at, Math.min(at + clusterSize, window.length));
            return { offset: window.offset + at, plain, packed: packed.subarray(start, end) };
          });
        }),
      );
    }
    return (await Promise.all(batches)).flat();
  }

  async #writeCluster(cluster: PackedCluster, writes: PackedWrites): Promise<void> {
    const { offset, packed, plain } = cluster;
    if (packed.length === 0) await this.#writeBytes(plain, offset);
    else await writes.add(await this.#writer.placePacked(offset, packed.length), packed);
  }
}

/** A cluster and what it was packed to: nothing where it does not get smaller. */
interface PackedCluster {
  offset: number;
  plain: Uint8Array<ArrayBuffer>;
  packed: Uint8Array<ArrayBuffer>;
}

/** The bytes of a window, whole clusters: zeros where there is nothing. */
async function readPackWindow(
  window: PackWindow,
  clusterSize: number,
  options: Settings,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(alignUp(window.length, clusterSize));
  const { pool, signal, lost } = options;
  for (const { source, start, extents } of window.parts) {
    const losing =
      lost &&
      ((loss: Loss) => {
        lost(source, loss);
      });
    const transfer = new Transfer(
      (at, part) => {
        bytes.set(part, start + at - window.offset);
      },
      { pool, signal, lost: losing },
    );
    await transfer.add(extents);
    await transfer.end();
  }
  return bytes;
}
