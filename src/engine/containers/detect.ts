/** Which container a file is, by its content. */
import type { ContainerKind } from './container.ts';

const SIGNATURES: readonly (readonly [ContainerKind, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 8]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['zip', [0x50, 0x4b, 3, 4]],
];

/** Offsets in a header of tar, bytes: POSIX 1003.1, pax, «ustar Interchange Format». */
const TAR_BLOCK = 512;
const TAR_MAGIC = 257;
const TAR_CHECKSUM = 148;

/**
 * What kind of container a file is.
 * @param first its first bytes: 512, or as many as there are
 * @param size its length, bytes
 */
export function detectContainer(first: Uint8Array, size: number): ContainerKind | undefined {
  for (const [kind, signature] of SIGNATURES) {
    if (signature.every((byte, index) => first[index] === byte)) return kind;
  }
  if (isBzip2(first)) return 'bzip2';
  if (isSkippableZstd(first)) return 'zstd';
  return size >= TAR_BLOCK && isTarHeader(first) ? 'tar' : undefined;
}

/** «BZh», a level from 1 to 9, and the beginning of a block, or the end of a stream without any. */
function isBzip2(first: Uint8Array): boolean {
  const [b, z, h, level = 0, ...rest] = first.subarray(0, 10);
  if (b !== 0x42 || z !== 0x5a || h !== 0x68 || level < 0x31 || level > 0x39) return false;
  const blocks = [
    [0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
    [0x17, 0x72, 0x45, 0x38, 0x50, 0x90],
  ];
  return blocks.some((block) => block.every((byte, index) => rest[index] === byte));
}

/** A skippable frame (of pzstd, for one) with a frame of content behind it. */
function isSkippableZstd(first: Uint8Array): boolean {
  if (first.length < 12 || ((first[0] ?? 0) & 0xf0) !== 0x50) return false;
  if (first[1] !== 0x2a || first[2] !== 0x4d || first[3] !== 0x18) return false;
  const view = new DataView(first.buffer, first.byteOffset, first.length);
  const next = 8 + view.getUint32(4, true);
  return next + 4 <= first.length && view.getUint32(next, true) === 0xfd2fb528;
}

/** Whether 512 bytes are a header of tar: ustar's magic and a checksum that is right. */
export function isTarHeader(block: Uint8Array): boolean {
  const magic = [0x75, 0x73, 0x74, 0x61, 0x72];
  if (block.length < TAR_BLOCK) return false;
  if (!magic.every((byte, index) => block[TAR_MAGIC + index] === byte)) return false;
  return hasTarChecksum(block);
}

/** The sum of all bytes, its own field counted as spaces. Some old programs took signed bytes. */
export function hasTarChecksum(block: Uint8Array): boolean {
  let sum = 0;
  let signed = 0;
  for (let i = 0; i < TAR_BLOCK; i++) {
    const isOwn = i >= TAR_CHECKSUM && i < TAR_CHECKSUM + 8;
    const byte = isOwn ? 0x20 : (block[i] as number);
    sum += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const text = String.fromCharCode(...block.subarray(TAR_CHECKSUM, TAR_CHECKSUM + 8));
  const digits = /^[\s\0]*([0-7]+)/.exec(text)?.[1];
  if (digits === undefined) return false;
  const noted = Number.parseInt(digits, 8);
  return noted === sum || noted === signed;
}
