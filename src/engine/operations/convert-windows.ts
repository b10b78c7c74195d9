/** What is common to all ways of copying disks into a qcow2 image: reading ahead of the writing. */
import type { Storage } from '../storage/storage.ts';
import type { ChainExtent } from './chain.ts';
import type { Chunk } from './convert-chunks.ts';
import { Transfer, type Lanes, type TransferOptions } from './transfer.ts';

/** Guest bytes that are read together, ahead of what is being written. */
export const WINDOW = 8 * 1024 * 1024;
/** Chunks of zeros between them, at most. */
const WINDOW_CHUNKS = 16 * 1024;
/** Packed clusters are written together, in pieces of about this many bytes. */
const PACKED_WRITE = 1024 * 1024;

/** Packed clusters lie directly behind each other: many are written as one piece. */
export class PackedWrites {
  readonly #storage: Storage;
  readonly #lanes: Lanes;
  #start = 0;
  #length = 0;
  #parts: Uint8Array[] = [];

  constructor(storage: Storage, lanes: Lanes) {
    this.#storage = storage;
    this.#lanes = lanes;
  }

  async add(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset !== this.#start + this.#length || this.#length >= PACKED_WRITE) await this.end();
    if (this.#length === 0) this.#start = offset;
    this.#parts.push(bytes);
    this.#length += bytes.length;
  }

  async end(): Promise<void> {
    if (this.#length === 0) return;
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    const offset = this.#start;
    this.#parts = [];
    this.#length = 0;
    await this.#lanes.add(() => this.#storage.write(offset, whole));
  }
}

/** Prepares the next item while the one before is finished. */
export async function pipeline<Item, Prepared>(
  items: AsyncIterable<Item> | Iterable<Item>,
  prepare: (item: Item) => Promise<Prepared>,
  finish: (item: Item, prepared: Prepared) => Promise<void>,
): Promise<void> {
  let running: Promise<void> = Promise.resolve();
  for await (const item of items) {
    const prepared = prepare(item);
    // Whoever waits for it comes later; until then a failure is nobody's.
    prepared.catch(() => undefined);
    await running;
    running = prepared.then((ready) => finish(item, ready));
    running.catch(() => undefined);
  }
  await running;
}

/** Chunks that are read together. */
export async function* windows<Piece extends Chunk>(
  chunks: AsyncIterable<Piece>,
): AsyncGenerator<Piece[]> {
  let window: Piece[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    window.push(chunk);
    if (chunk.data) bytes += chunk.length;
    if (bytes < WINDOW && window.length < WINDOW_CHUNKS) continue;
    yield window;
    window = [];
    bytes = 0;
  }
  if (window.length > 0) yield window;
}

/**
 * The content of the chunks that hold data, in their order.
 * @param options `used` takes the memory in which some of the contents lie: they are not to be
 * looked at any more when it is recycled
 */
export async function readWindow(
  window: readonly Chunk[],
  options: Pick<TransferOptions, 'pool' | 'signal' | 'lost' | 'used'>,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const chunks = window.filter(({ data }) => data);
  const contents: (Uint8Array<ArrayBuffer> | undefined)[] = chunks.map(() => undefined);
  const transfer = new Transfer((at, bytes) => {
    const index = chunkAt(chunks, at);
    const chunk = chunks[index] as Chunk;
    if (bytes.length === chunk.length && isPlain(chunk)) contents[index] = bytes;
    else (contents[index] ??= new Uint8Array(chunk.length)).set(bytes, at - chunk.offset);
  }, options);
  const extents: ChainExtent[] = [];
  for (const chunk of chunks) for (const extent of chunk.extents) extents.push(extent);
  await transfer.add(extents);
  await transfer.end();
  return contents.map((bytes, index) => bytes ?? new Uint8Array((chunks[index] as Chunk).length));
}

/** Whether a chunk is read as it lies in the file: then it need not be put together. */
function isPlain({ extents }: Chunk): boolean {
  const [only] = extents;
  return only?.kind === 'data' && only.disk.cipher === undefined;
}

/** Index of the chunk that holds a guest offset (bytes); one does. */
function chunkAt(chunks: readonly Chunk[], offset: number): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((chunks[middle] as Chunk).offset <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
