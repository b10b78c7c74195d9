/**
 * How a change of a file is written down: one layout for journals, undo files and patches.
 *
 *     header      512 bytes
 *     records     one a run of bytes that changes, at most 1 MiB each
 *     end         32 bytes; only what has one is complete
 *
 * All numbers are big-endian. A record is its head, one CRC-32C for each piece of the bytes that are
 * expected in the file, the bytes that replace them, and the CRC-32C of all of the record. Pieces
 * end at multiples of 512 in the file: a piece is what a medium writes whole or not at all, so that
 * a file in the middle of a change has in each piece either the old bytes or the new ones. Bytes
 * behind the end of a file count as zeros.
 *
 * - A journal is a change on its way into the file that it lies beside. With an end it has to be
 *   finished; without one nothing of it is in the file yet.
 * - An undo file is a change back: what it expects is the new content, what it brings is the old.
 * - A patch is a change to be made elsewhere.
 */
import { crc32c } from '../binary/crc32c.ts';
import { struct, u16, u32, u64 } from '../binary/struct.ts';
import { ImageError, type PatchProblem } from '../errors.ts';

export const PATCH_VERSION = 1;
export const HEADER_BYTES = 512;
export const RECORD_HEAD_BYTES = 24;
export const END_BYTES = 32;
/** Largest number of file bytes in one record. */
export const RECORD_LIMIT = 1024 * 1024;
/** What media write whole or not at all, bytes. */
export const PIECE = 512;

/** «QWBPATCH». */
const MAGIC_HIGH = 0x51574250;
const MAGIC_LOW = 0x41544348;
/** «RUN.» and «END.» */
export const RUN_TAG = 0x52554e2e;
export const END_TAG = 0x454e442e;
/** Flag of a record: the new bytes are zeros and not stored. */
export const ZEROS = 1;

const KINDS = ['journal', 'undo', 'patch'] as const;
export type PatchKind = (typeof KINDS)[number];

/** What a change is about. Bytes. */
export interface PatchHeader {
  readonly kind: PatchKind;
  /** What the file was called: for people; nothing depends on it. */
  readonly name: string;
  /** Who is at it, in words of the host: tells a dead process from one that still works. */
  readonly owner: string;
  /** Of the file before the change. */
  readonly oldSize: number;
  /**
   * Of the file when the records begin to be put in: more than `oldSize` where content of new
   * clusters was written into the file before.
   */
  readonly startSize: number;
  /** Of the file after the change. */
  readonly newSize: number;
}

const HEADER = struct({
  magicHigh: u32(0, 'QWBP'),
  magicLow: u32(4, 'ATCH'),
  version: u32(8, 'Version of this layout'),
  kind: u32(12, '0 a journal, 1 an undo file, 2 a patch'),
  oldSize: u64(16, 'Size of the file before'),
  startSize: u64(24, 'Size of the file when the records begin to be put in'),
  newSize: u64(32, 'Size of the file afterwards'),
  nameLength: u16(40, 'Bytes of the name'),
  ownerLength: u16(42, 'Bytes of the owner, behind the name'),
});
const TEXT = 64;
const NAME_LIMIT = 255;
const OWNER_LIMIT = 180;
const HEADER_SUM = HEADER_BYTES - 4;

export const RECORD_HEAD = struct({
  tag: u32(0, 'RUN.'),
  flags: u32(4, 'Bit 0: the new bytes are zeros and not stored'),
  offset: u64(8, 'Where in the file'),
  length: u32(16, 'Bytes in the file'),
  stored: u32(20, 'Bytes of the record behind the checksums: the length, or 0'),
});

export const END = struct({
  tag: u32(0, 'END.'),
  unused: u32(4, 'Zero'),
  records: u64(8, 'Number of records'),
  length: u64(16, 'Bytes before the end'),
  sum: u32(24, 'CRC-32C of the checksums of the header and of all records'),
  ownSum: u32(28, 'CRC-32C of the 28 bytes before'),
});

export type EndValues = ReturnType<typeof END.read>;

/** The header as bytes. */
export function serializePatchHeader(header: PatchHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const name = utf8(header.name, NAME_LIMIT);
  const owner = utf8(header.owner, OWNER_LIMIT);
  HEADER.write(bytes, {
    ...{ magicHigh: MAGIC_HIGH, magicLow: MAGIC_LOW, version: PATCH_VERSION },
    kind: KINDS.indexOf(header.kind),
    oldSize: header.oldSize,
    startSize: header.startSize,
    newSize: header.newSize,
    nameLength: name.length,
    ownerLength: owner.length,
  });
  bytes.set(name, TEXT);
  bytes.set(owner, TEXT + name.length);
  new DataView(bytes.buffer).setUint32(HEADER_SUM, crc32c(bytes, 0, 0, HEADER_SUM));
  return bytes;
}

/** Whether the bytes begin as one of these files, however few there are. */
export function hasPatchMagic(bytes: Uint8Array): boolean {
  const magic = serializeMagic();
  return bytes.subarray(0, magic.length).every((byte, index) => byte === magic[index]);
}

function serializeMagic(): Uint8Array {
  const magic = new Uint8Array(8);
  new DataView(magic.buffer).setUint32(0, MAGIC_HIGH);
  new DataView(magic.buffer).setUint32(4, MAGIC_LOW);
  return magic;
}

/**
 * The header of `bytes`; undefined when it is not whole.
 * @throws ImageError patch-invalid for a version that is not known here
 */
export function parsePatchHeader(bytes: Uint8Array, file: string): PatchHeader | undefined {
  if (bytes.length < HEADER_BYTES || !hasPatchMagic(bytes)) return undefined;
  if (headerSum(bytes) !== crc32c(bytes, 0, 0, HEADER_SUM)) return undefined;
  const values = HEADER.read(bytes);
  const kind = KINDS[values.kind];
  if (values.version !== PATCH_VERSION || kind === undefined) throw invalid(file, 'version');
  const { oldSize, startSize, newSize, nameLength, ownerLength } = values;
  for (const size of [oldSize, startSize, newSize]) {
    if (!Number.isSafeInteger(size)) throw invalid(file, 'damaged');
  }
  const end = TEXT + Math.min(nameLength, NAME_LIMIT);
  const text = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to));
  return {
    ...{ kind, oldSize, startSize, newSize },
    name: text(TEXT, end),
    owner: text(end, end + Math.min(ownerLength, OWNER_LIMIT)),
  };
}

/** The checksum that a header carries. */
export function headerSum(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(HEADER_SUM);
}

/** The last bytes of a file that is complete. */
export function serializeEnd(
  values: Pick<EndValues, 'records' | 'length' | 'sum'>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(END_BYTES);
  END.write(bytes, { tag: END_TAG, unused: 0, ownSum: 0, ...values });
  new DataView(bytes.buffer).setUint32(28, crc32c(bytes, 0, 0, 28));
  return bytes;
}

/** What the last bytes of a file say; undefined when they are no end. */
export function parseEnd(bytes: Uint8Array): EndValues | undefined {
  if (bytes.length < END_BYTES) return undefined;
  const values = END.read(bytes);
  const isWhole = values.tag === END_TAG && values.ownSum === crc32c(bytes, 0, 0, 28);
  return isWhole ? values : undefined;
}

/** Pieces that a run of the file has a part in. Bytes. */
export function pieceCount(offset: number, length: number): number {
  return Math.floor((offset + length - 1) / PIECE) - Math.floor(offset / PIECE) + 1;
}

/** Bytes from `at` to the end of its piece, at most up to `end`. */
export function pieceEnd(at: number, end: number): number {
  return Math.min(end, (Math.floor(at / PIECE) + 1) * PIECE);
}

/** The error for a file that is not what it has to be. */
export function invalid(name: string, problem: PatchProblem): ImageError<'patch-invalid'> {
  return new ImageError('patch-invalid', { name, problem });
}

function utf8(text: string, limit: number): Uint8Array {
  return new TextEncoder().encode(text).subarray(0, limit);
}
