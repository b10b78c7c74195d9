/** xz: its index tells where each block lies and what it unpacks to. .xz file format 1.1. */
import { crc32 } from '../binary/crc32.ts';
import { XzDecoder } from '../codecs/xz/index.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import type { Decoder } from './decoder.ts';
import type { Part } from './decoded-storage.ts';
import { RangeReader } from './range-reader.ts';
import { PushedDecoder } from './pushed-decoder.ts';

const HEADER = 12;
const FOOTER = 12;
/** Bytes of an index at most: a block takes about eight. */
const LARGEST_INDEX = 16 * 1024 * 1024;
const MOST_BLOCKS = 2 ** 20;
const MOST_STREAMS = 4096;
/** Blocks that are smaller than this are put together, bytes. */
const SMALLEST_PART = 4 * 1024 * 1024;

/** One block as the index has it. Bytes. */
interface Block {
  /** Without its padding to a multiple of four. */
  readonly unpadded: number;
  readonly unpacked: number;
}

/** A stream of a file of one or several. */
interface Stream {
  /** Where it begins, and what it begins with. */
  readonly start: number;
  readonly header: Uint8Array<ArrayBuffer>;
  readonly blocks: readonly Block[];
}

/** What is in a range of a storage, all streams of it. */
export function xzDecoder(storage: Storage, start = 0, end: number = storage.size): Decoder {
  return new PushedDecoder(new XzDecoder(), new RangeReader(storage, start, end));
}

/**
 * What can be unpacked apart, and so the size of all. Undefined where the index cannot be used:
 * unpacking from the front then tells what is wrong.
 */
export async function xzParts(storage: Storage): Promise<Part[] | undefined> {
  const streams = await readStreams(storage);
  if (streams === undefined) return undefined;
  const parts: Part[] = [];
  let offset = 0;
  for (const { start, header, blocks } of streams) {
    let at = start + HEADER;
    for (const group of grouped(blocks)) {
      const length = group.reduce((sum, { unpacked }) => sum + unpacked, 0);
      const end = group.reduce((sum, { unpadded }) => sum + padded(unpadded), at);
      const from = at;
      parts.push({ offset, length, open: () => partDecoder(storage, header, group, from, end) });
      offset += length;
      at = end;
    }
  }
  return Number.isSafeInteger(offset) ? parts : undefined;
}

function padded(size: number): number {
  return Math.ceil(size / 4) * 4;
}

function grouped(blocks: readonly Block[]): Block[][] {
  const groups: Block[][] = [];
  let size = Infinity;
  for (const block of blocks) {
    if (size >= SMALLEST_PART) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(block);
    size += block.unpacked;
  }
  return groups;
}

/** Some blocks as a stream of their own: with an index that has them alone. */
function partDecoder(
  storage: Storage,
  header: Uint8Array<ArrayBuffer>,
  blocks: readonly Block[],
  start: number,
  end: number,
): Decoder {
  const index = makeIndex(blocks);
  const behind = new Uint8Array(index.length + FOOTER);
  behind.set(index);
  const footer = new DataView(behind.buffer, index.length, FOOTER);
  footer.setUint32(4, index.length / 4 - 1, true);
  behind.set(header.subarray(6, 8), index.length + 8);
  behind.set([0x59, 0x5a], index.length + 10);
  footer.setUint32(0, crc32(behind.subarray(index.length + 4, index.length + 10)), true);
  const input = new RangeReader(storage, start, end);
  return new PushedDecoder(new XzDecoder(), input, { before: header, behind });
}

/** 4, «Index». */
function makeIndex(blocks: readonly Block[]): Uint8Array {
  const bytes = [0, ...multibyte(blocks.length)];
  for (const { unpadded, unpacked } of blocks) {
    bytes.push(...multibyte(unpadded), ...multibyte(unpacked));
  }
  while (bytes.length % 4 !== 0) bytes.push(0);
  const index = new Uint8Array(bytes.length + 4);
  index.set(bytes);
  const view = new DataView(index.buffer);
  view.setUint32(bytes.length, crc32(index.subarray(0, bytes.length)), true);
  return index;
}

/** 1.2, «Multibyte Integers». */
function multibyte(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 0x80);
  }
}

/** All streams, read from the end; undefined where that does not work. */
async function readStreams(storage: Storage): Promise<Stream[] | undefined> {
  const streams: Stream[] = [];
  let end = storage.size;
  let blocks = 0;
  while (end > 0) {
    end = await withoutPadding(storage, end);
    if (end === 0) break;
    const stream = await readStream(storage, end);
    if (stream === undefined || streams.length >= MOST_STREAMS) return undefined;
    blocks += stream.blocks.length;
    if (blocks > MOST_BLOCKS) return undefined;
    streams.unshift(stream);
    end = stream.start;
  }
  return streams.length === 0 ? undefined : streams;
}

/** 2.2, «Stream Padding»: zeros, four at a time. Little of it is looked through. */
async function withoutPadding(storage: Storage, end: number): Promise<number> {
  const length = Math.min(end, 64 * 1024);
  const bytes = await readPadded(storage, end - length, length);
  let at = length;
  while (at >= 4 && bytes.subarray(at - 4, at).every((byte) => byte === 0)) at -= 4;
  return end - length + at;
}

/** The stream that ends at `end`. */
async function readStream(storage: Storage, end: number): Promise<Stream | undefined> {
  if (end < HEADER + FOOTER + 8) return undefined;
  const footer = await readPadded(storage, end - FOOTER, FOOTER);
  const view = new DataView(footer.buffer, footer.byteOffset, FOOTER);
  if (footer[10] !== 0x59 || footer[11] !== 0x5a) return undefined;
  if (view.getUint32(0, true) !== crc32(footer.subarray(4, 10))) return undefined;
  const indexSize = (view.getUint32(4, true) + 1) * 4;
  const indexStart = end - FOOTER - indexSize;
  if (indexSize > LARGEST_INDEX || indexStart < HEADER) return undefined;
  const blocks = parseIndex(await readPadded(storage, indexStart, indexSize));
  if (blocks === undefined) return undefined;
  const packed = blocks.reduce((sum, { unpadded }) => sum + padded(unpadded), 0);
  const start = indexStart - packed - HEADER;
  if (!(start >= 0)) return undefined;
  const header = await readPadded(storage, start, HEADER);
  const magic = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];
  const flags = footer.subarray(8, 10);
  if (!magic.every((byte, index) => header[index] === byte)) return undefined;
  if (header[6] !== flags[0] || header[7] !== flags[1]) return undefined;
  return { start, header, blocks };
}

function parseIndex(index: Uint8Array): Block[] | undefined {
  const end = index.length - 4;
  const view = new DataView(index.buffer, index.byteOffset, index.length);
  if (index[0] !== 0 || view.getUint32(end, true) !== crc32(index.subarray(0, end)))
    return undefined;
  let at = 1;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; shift < 9 && at < end; shift++) {
      const byte = index[at++] as number;
      value += (byte & 0x7f) * 128 ** shift;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  const count = number();
  if (!(count <= MOST_BLOCKS)) return undefined;
  const blocks: Block[] = [];
  for (let i = 0; i < count; i++) {
    const block = { unpadded: number(), unpacked: number() };
    if (!(block.unpadded >= 5) || !(block.unpacked >= 0)) return undefined;
    blocks.push(block);
  }
  return blocks;
}
