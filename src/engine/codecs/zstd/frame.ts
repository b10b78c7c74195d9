/**
 * Zstandard (RFC 8878) for whole clusters. Accepted is what QEMU accepts: several frames, skippable
 * frames, checksums (verified), windows up to 2^27, anything behind the end of the cluster. One
 * frame must not hold more than what is left of the cluster.
 */
import type { DecompressResult } from '../inflate.ts';
import { BLOCK_LIMIT, ZstdError } from './bits.ts';
import { decodeBlock, FrameState, Tables } from './block.ts';
import { xxhash64Low } from './xxhash64.ts';

export const MAGIC = 0xfd2fb528;
/** Sixteen magic numbers begin frames that are to be skipped. */
export const SKIPPABLE = 0x184d2a50;
/** QEMU's (libzstd's) limit of what a frame may look back, bytes. */
const MAX_WINDOW = 2 ** 27 + 1;

/** The input ended within a frame. */
export class EndOfInput extends Error {}

/**
 * Unpacks one cluster.
 * @param packed the compressed bytes, padded to whole sectors with anything
 * @param target exactly one cluster; undefined content unless the result is `ok`
 */
export function unzstdCluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  try {
    let at = 0;
    let out = 0;
    while (out < target.length) {
      const frame = readFrame(packed, at, target, out);
      at = frame.end;
      out = frame.out;
    }
    return 'ok';
  } catch (error) {
    if (error instanceof EndOfInput) return 'short';
    if (error instanceof ZstdError) return 'corrupt';
    throw error;
  }
}

/** Clusters are unpacked one after the other: these are for all of them. */
let kept: Tables | undefined;

interface FrameEnd {
  end: number;
  out: number;
}

function number(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) throw new EndOfInput();
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] as number);
  return value;
}

function readFrame(bytes: Uint8Array, start: number, target: Uint8Array, out: number): FrameEnd {
  const magic = number(bytes, start, 4);
  if (magic - (magic % 16) === SKIPPABLE) {
    const end = start + 8 + number(bytes, start + 4, 4);
    if (end > bytes.length) throw new EndOfInput();
    return { end, out };
  }
  // Sector padding behind too little data looks like this as well: the cluster came out short.
  if (magic === 0) throw new EndOfInput();
  if (magic !== MAGIC) throw new ZstdError('not a frame');
  const header = readHeader(bytes, start + 4);
  kept ??= new Tables();
  kept.clear();
  const state = new FrameState(target, out, header.windowSize, kept);
  let at = header.end;
  for (let last = false; !last;) {
    const head = number(bytes, at, 3);
    last = (head & 1) === 1;
    at = readBlock(state, bytes, at + 3, (head >>> 1) & 3, head >>> 3);
  }
  const size = state.at - out;
  if (header.contentSize !== undefined && header.contentSize !== size) {
    throw new ZstdError('content has another size than the frame says');
  }
  if (header.hasChecksum) {
    if (number(bytes, at, 4) !== xxhash64Low(target.subarray(out, state.at))) {
      throw new ZstdError('wrong checksum');
    }
    at += 4;
  }
  return { end: at, out: state.at };
}

export interface FrameHeader {
  /** How far back matches may reach, bytes. */
  windowSize: number;
  /** Bytes of content, where the frame says it. */
  contentSize: number | undefined;
  hasChecksum: boolean;
  /** The byte behind the header. */
  end: number;
}

/**
 * 3.1.1.1, «Frame_Header», behind the magic number.
 * @throws ZstdError, and EndOfInput where bytes are missing
 */
export function readHeader(bytes: Uint8Array, start: number): FrameHeader {
  const descriptor = number(bytes, start, 1);
  const single = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw new ZstdError('reserved bit set');
  let at = start + 1;
  let windowSize = 0;
  if (!single) {
    const window = number(bytes, at++, 1);
    const base = 2 ** (10 + (window >>> 3));
    windowSize = base + (base / 8) * (window & 7);
  }
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  if (number(bytes, at, dictionaryBytes) !== 0) throw new ZstdError('needs a dictionary');
  at += dictionaryBytes;
  const flag = descriptor >>> 6;
  const sizeBytes = flag === 0 ? (single ? 1 : 0) : 2 ** flag;
  const size = number(bytes, at, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  at += sizeBytes;
  if (single) windowSize = size;
  if (windowSize > MAX_WINDOW) throw new ZstdError('window too large');
  return {
    windowSize,
    contentSize: sizeBytes === 0 ? undefined : size,
    hasChecksum: (descriptor & 4) !== 0,
    end: at,
  };
}

/** 3.1.1.2, «Blocks». Returns the byte behind the block. */
function readBlock(
  state: FrameState,
  bytes: Uint8Array,
  at: number,
  type: number,
  size: number,
): number {
  const { output } = state;
  const stored = type === 1 ? 1 : size;
  if (at + stored > bytes.length) throw new EndOfInput();
  if (type === 3 || size > BLOCK_LIMIT) throw new ZstdError('no such block');
  if (type === 2) {
    decodeBlock(state, bytes, at, at + size);
    return at + size;
  }
  if (state.at + size > output.length) throw new ZstdError('more than a cluster');
  if (type === 0) output.set(bytes.subarray(at, at + size), state.at);
  else output.fill(bytes[at] as number, state.at, state.at + size);
  state.at += size;
  return at + stored;
}
