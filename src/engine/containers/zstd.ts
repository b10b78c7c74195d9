/** Zstandard, RFC 8878: frames one behind the other, with what tells where each begins. */
import { ZstdError } from '../codecs/zstd/bits.ts';
import {
  EndOfInput,
  MAGIC,
  readHeader,
  SKIPPABLE,
  type FrameHeader,
} from '../codecs/zstd/frame.ts';
import { RUN_BLOCK, SlidingFrame } from '../codecs/zstd/sliding.ts';
import { throwIfCancelled } from '../errors.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { pacer } from '../yield.ts';
import { DecodeFault, type Watch } from './container.ts';
import type { Decoder } from './decoder.ts';
import type { Part } from './decoded-storage.ts';
import { RangeReader } from './range-reader.ts';

/** Bytes of a frame's header at most, behind its magic number. */
const LONGEST_HEADER = 14;
/** Parts that are smaller than this are put together, bytes. */
const SMALLEST_PART = 4 * 1024 * 1024;
/** Frames at most of which each is remembered (of 2 GiB or more, when each has 64 KiB). */
const MOST_FRAMES = 2 ** 20;
const SEEK_FOOTER = 9;
const SEEK_MAGIC = 0x8f92eab1;
const SEEK_FRAME = 0x184d2a5e;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isSkippable(magic: number): boolean {
  return magic - (magic % 16) === SKIPPABLE;
}

/** The header of the frame that is next; undefined: a frame to be skipped, which it was; 'end'. */
async function nextFrame(input: RangeReader): Promise<FrameHeader | undefined | 'end'> {
  if (!(await input.has(1))) return 'end';
  const magic = viewOf(await input.take(4)).getUint32(0, true);
  if (isSkippable(magic)) {
    input.skip(viewOf(await input.take(4)).getUint32(0, true));
    return undefined;
  }
  if (magic !== MAGIC) throw new DecodeFault('damaged', 'no frame of zstd');
  await input.has(LONGEST_HEADER);
  const bytes = input.bytes.subarray(input.at, input.at + LONGEST_HEADER);
  const header = headerOf(bytes);
  input.at += header.end;
  return header;
}

function headerOf(bytes: Uint8Array): FrameHeader {
  try {
    return readHeader(bytes, 0);
  } catch (error) {
    if (error instanceof EndOfInput) throw new DecodeFault('cut-off');
    if (!(error instanceof ZstdError)) throw error;
    const isWindow = error.message === 'window too large';
    const isDictionary = error.message === 'needs a dictionary';
    throw new DecodeFault(isWindow ? 'memory' : isDictionary ? 'method' : 'damaged', error.message);
  }
}

/** The header of a block: 3.1.1.2. */
async function nextBlock(
  input: RangeReader,
): Promise<{ last: boolean; type: number; size: number }> {
  const [a = 0, b = 0, c = 0] = await input.take(3);
  const head = a + b * 256 + c * 65536;
  return { last: (head & 1) === 1, type: (head >>> 1) & 3, size: head >>> 3 };
}

/** The frames of a range of a storage. */
export class ZstdDecoder implements Decoder {
  readonly #input: RangeReader;
  #header: FrameHeader | undefined;
  #frame: SlidingFrame | undefined;
  #ended = false;

  constructor(storage: Storage, start = 0, end: number = storage.size) {
    this.#input = new RangeReader(storage, start, end);
  }

  get position(): number {
    return this.#input.position;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (!this.#ended) {
      if (this.#frame === undefined) {
        const header = await nextFrame(this.#input);
        if (header === 'end') this.#ended = true;
        else if (header !== undefined) {
          this.#header = header;
          this.#frame = new SlidingFrame(header);
        }
        continue;
      }
      const bytes = await this.#block(this.#frame);
      if (bytes.length > 0) return bytes;
    }
    return undefined;
  }

  close(): void {
    this.#ended = true;
    this.#frame = undefined;
  }

  async #block(frame: SlidingFrame): Promise<Uint8Array<ArrayBuffer>> {
    const input = this.#input;
    const { last, type, size } = await nextBlock(input);
    const packed = await input.take(type === RUN_BLOCK ? 1 : Math.min(size, 2 ** 17));
    try {
      const bytes = frame.block(type, packed, size);
      if (last) {
        const hasChecksum = this.#header?.hasChecksum === true;
        const checksum = hasChecksum ? viewOf(await input.take(4)).getUint32(0, true) : undefined;
        frame.finish(checksum);
        this.#frame = undefined;
      }
      return bytes;
    } catch (error) {
      if (!(error instanceof ZstdError)) throw error;
      throw new DecodeFault(
        error.message === 'wrong checksum' ? 'checksum' : 'damaged',
        error.message,
      );
    }
  }
}

/** A frame, or several that are taken as one. Bytes. */
interface Span {
  start: number;
  end: number;
  offset: number;
  length: number;
}

function partsOf(storage: Storage, spans: readonly Span[]): Part[] {
  return spans.map(({ start, end, offset, length }) => {
    return { offset, length, open: () => new ZstdDecoder(storage, start, end) };
  });
}

/** Collects frames; small ones are put together. */
class Spans {
  readonly list: Span[] = [];

  add(end: number, length: number): void {
    const last = this.list.at(-1);
    if (last !== undefined && last.length < SMALLEST_PART) {
      last.end = end;
      last.length += length;
    } else {
      const offset = last === undefined ? 0 : last.offset + last.length;
      this.list.push({ start: last?.end ?? 0, end, offset, length });
    }
    if (!Number.isSafeInteger(this.size)) throw new DecodeFault('damaged', 'too large a size');
    if (this.list.length > MOST_FRAMES) throw new DecodeFault('too-many');
  }

  get size(): number {
    const last = this.list.at(-1);
    return last === undefined ? 0 : last.offset + last.length;
  }
}

/**
 * What can be unpacked apart, and so the size of all. From the table of the seekable format where
 * there is one; else from the headers of all frames and blocks, which means reading the whole file
 * once. Undefined where a frame does not say its size.
 * @throws DecodeFault
 */
export async function zstdParts(storage: Storage, watch: Watch = {}): Promise<Part[] | undefined> {
  const seekable = await readSeekTable(storage);
  if (seekable !== undefined) return partsOf(storage, seekable.list);
  const input = new RangeReader(storage, 0);
  const spans = new Spans();
  const breathe = pacer(watch.signal);
  for (;;) {
    throwIfCancelled(watch.signal);
    const header = await nextFrame(input);
    if (header === 'end') break;
    if (header === undefined) continue;
    if (header.contentSize === undefined) return undefined;
    for (let last = false; !last;) {
      const block = await nextBlock(input);
      ({ last } = block);
      input.skip(block.type === RUN_BLOCK ? 1 : block.size);
      const pause = breathe();
      if (pause === undefined) continue;
      watch.progress?.({ stage: 'unpacking', done: input.position, total: storage.size });
      await pause;
      throwIfCancelled(watch.signal);
    }
    if (header.hasChecksum) input.skip(4);
    if (input.position > storage.size) throw new DecodeFault('cut-off');
    spans.add(input.position, header.contentSize);
  }
  return partsOf(storage, spans.list);
}

/** The seek table at the end (zstd's «contrib/seekable_format»); undefined where there is none. */
async function readSeekTable(storage: Storage): Promise<Spans | undefined> {
  const { size } = storage;
  if (size < SEEK_FOOTER + 8) return undefined;
  const footer = viewOf(await readPadded(storage, size - SEEK_FOOTER, SEEK_FOOTER));
  const descriptor = footer.getUint8(4);
  if (footer.getUint32(5, true) !== SEEK_MAGIC || (descriptor & 0x7c) !== 0) return undefined;
  const frames = footer.getUint32(0, true);
  const entry = (descriptor & 0x80) !== 0 ? 12 : 8;
  const tableSize = frames * entry + SEEK_FOOTER;
  const start = size - tableSize - 8;
  if (frames > MOST_FRAMES || start < 0) return undefined;
  const table = viewOf(await readPadded(storage, start, tableSize + 8));
  if (table.getUint32(0, true) !== SEEK_FRAME || table.getUint32(4, true) !== tableSize) {
    return undefined;
  }
  const spans = new Spans();
  let end = 0;
  for (let i = 0; i < frames; i++) {
    end += table.getUint32(8 + i * entry, true);
    spans.add(end, table.getUint32(12 + i * entry, true));
  }
  // Not the table of this file: what it says is not to be relied on.
  return end === start ? spans : undefined;
}
