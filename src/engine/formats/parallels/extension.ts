/**
 * The format extension: a cluster with additions, of which dirty bitmaps are the only ones known.
 * Nothing of them is needed for the content. What is wrong is said in qemu-img's words.
 */
import { uuidText } from '../../binary/guid.ts';
import { bits64le, struct, u32le, u64le } from '../../binary/struct.ts';
import { divideRoundUp, SECTOR } from '../../binary/units.ts';
import { digest } from '../../codecs/crypto/digests.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import type { ParallelsHeader } from './header.ts';

const MAGIC = 0xab234cef23dcea87n;
const END_OF_FEATURES = 0n;
const DIRTY_BITMAP = 0x20385fae252cb34an;
/** The checksum is of everything behind it. */
const CHECKSUM_AT = 8;
const CHECKSUM_END = 24;

const FEATURE = struct({
  magic: bits64le(0, 'What the addition is'),
  flags: bits64le(8, 'Flags'),
  length: u32le(16, 'Bytes of what follows', 'bytes'),
  unused: u32le(20, 'Not used', 'bits'),
});
const BITMAP = struct({
  size: u64le(0, 'Sectors of the disk', 'count'),
  granularity: u32le(24, 'Sectors of a bit'),
  entries: u32le(28, 'Entries of the table that follows'),
});
const BITMAP_ID_AT = 8;

/** Clusters of extensions that are looked at, bytes: usual ones have 1 MiB. */
const MOST_BYTES = 32 * 1024 * 1024;

/** What an extension says of a dirty bitmap. */
export interface DirtyBitmap {
  readonly id: string;
  /** Bytes of a bit. */
  readonly granularity: number;
}

/** The bitmaps, or why there is no telling. */
export type Extension = { readonly bitmaps: readonly DirtyBitmap[] } | { readonly problem: string };

/** @throws ImageError those of reading */
export async function readExtension(storage: Storage, header: ParallelsHeader): Promise<Extension> {
  const { clusterSize, fields } = header;
  if (clusterSize > MOST_BYTES) return { problem: 'Format Extension cluster too large' };
  const cluster = await readPadded(storage, fields.extension * SECTOR, clusterSize);
  const bitmaps: DirtyBitmap[] = [];
  const problem = parse(cluster, header, bitmaps);
  return problem === undefined ? { bitmaps } : { problem };
}

function parse(
  cluster: Uint8Array,
  header: ParallelsHeader,
  bitmaps: DirtyBitmap[],
): string | undefined {
  const view = new DataView(cluster.buffer, cluster.byteOffset, cluster.byteLength);
  const magic = view.getBigUint64(0, true);
  if (magic !== MAGIC) {
    const [found, expected] = [magic, MAGIC].map((value) => `0x${value.toString(16)}`);
    return `Wrong parallels Format Extension magic: ${found}, expected: ${expected}`;
  }
  const sum = digest('md5', cluster.subarray(CHECKSUM_END));
  if (sum.some((byte, index) => cluster[CHECKSUM_AT + index] !== byte)) {
    return 'Wrong checksum in Format Extension header. Format extension is corrupted.';
  }
  for (let at = CHECKSUM_END; ;) {
    const left = cluster.length - at;
    if (left < FEATURE.size) {
      return (
        `Can not read feature header, as remaining bytes (${left}) in Format Extension is less ` +
        `than Feature header size (${FEATURE.size})`
      );
    }
    const { magic: kind, flags, length } = FEATURE.read(cluster, at);
    at += FEATURE.size;
    if (flags !== 0n) return 'Flags for extension feature are unsupported';
    if (length > cluster.length - at) return 'Feature data_size exceedes Format Extension cluster';
    if (kind === END_OF_FEATURES) return undefined;
    if (kind !== DIRTY_BITMAP) return `Unknown feature: 0x${kind.toString(16)}`;
    const problem = parseBitmap(cluster.subarray(at, at + length), header, bitmaps);
    if (problem !== undefined) return problem;
    at = Math.ceil((at + length) / 8) * 8;
  }
}

function parseBitmap(
  data: Uint8Array,
  { size, clusterSize }: ParallelsHeader,
  bitmaps: DirtyBitmap[],
): string | undefined {
  if (data.length < BITMAP.size) {
    return (
      'Too small Bitmap Feature area in Parallels Format Extension: ' +
      `${data.length} bytes, expected at least ${BITMAP.size} bytes`
    );
  }
  const fields = BITMAP.read(data);
  const sectors = size / SECTOR;
  if (fields.size !== sectors) {
    return `Bitmap size (in sectors) ${fields.size} differs from disk size in sectors ${sectors}`;
  }
  if (fields.entries * 8 > data.length - BITMAP.size) {
    return 'Bitmaps feature corrupted: l1 table exceeds extension data_size';
  }
  const granularity = fields.granularity * SECTOR;
  if (!Number.isInteger(Math.log2(granularity)) || granularity > 2 ** 31) {
    return `Bitmap granularity ${granularity} is not supported`;
  }
  const id = uuidText(data, BITMAP_ID_AT);
  if (bitmaps.some((bitmap) => bitmap.id === id)) return `Bitmap already exists: ${id}`;
  // Bitmaps are kept in whole words of 64 bits.
  const bytes = divideRoundUp(divideRoundUp(size, granularity), 64) * 8;
  const expected = divideRoundUp(bytes, clusterSize);
  if (fields.entries !== expected) {
    return (
      `Bitmap table size ${fields.entries} does not correspond to bitmap size and cluster size. ` +
      `Expected ${expected}`
    );
  }
  bitmaps.push({ id, granularity });
  return undefined;
}
