/**
 * Makes VHDs for tests after Microsoft's «Virtual Hard Disk Image Format Specification» (version 1.0,
 * October 2006), without a line of the engine: differencing disks, small blocks, two sizes and
 * whatever else QEMU does not make.
 */

export const SECTOR = 512;

export interface VhdSpec {
  /** «Current Size», bytes. */
  size: number;
  /** Default: what makes as many sectors as `size` has, in one cylinder of one head. */
  geometry?: readonly [cylinders: number, heads: number, sectors: number];
  /** Four letters. */
  creator?: string;
  /** 2: fixed, 3: dynamic, 4: differencing. */
  type?: 2 | 3 | 4;
  blockSize?: number;
  /** Blocks by index; in the file they go in this order. */
  blocks?: ReadonlyMap<number, VhdBlock>;
  /** First byte of the UUID; each of the others is one more. */
  uuid?: number;
  parentUuid?: number;
  /** «Time Stamp» of the disk, and of the parent: seconds since 2000. */
  time?: number;
  parentTime?: number;
  /** «Parent Unicode Name». */
  parentName?: string;
  locators?: readonly VhdLocator[];
  /** Of a fixed disk: all of its bytes. */
  content?: Uint8Array;
}

export interface VhdBlock {
  readonly bytes: Uint8Array;
  /** Sectors that are in the file; default: all. */
  readonly sectors?: readonly number[];
}

export interface VhdLocator {
  /** Four letters. */
  readonly platform: string;
  readonly bytes: Uint8Array;
}

/** Where things are in a file that {@link buildVhd} makes. Bytes. */
export interface BuiltVhd {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly tableAt: number;
  /** Where the blocks begin, behind their bitmaps too. */
  readonly end: number;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

export function utf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), littleEndian);
  return bytes;
}

/** «Checksum»: one's complement of the sum of all bytes without those of the field itself. */
export function fixChecksum(bytes: Uint8Array, start: number, length: number, field: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(start + field, 0);
  let sum = 0;
  for (let i = start; i < start + length; i++) sum += bytes[i] ?? 0;
  view.setUint32(start + field, ~sum >>> 0);
}

/** The checksum of a footer that begins there, after it was changed. */
export function fixFooter(bytes: Uint8Array, start: number): void {
  fixChecksum(bytes, start, SECTOR, 64);
}

/** The text of a UUID whose bytes count up from `first`. */
export function uuidText(first: number): string {
  const hex = Array.from({ length: 16 }, (_, i) => (first + i).toString(16).padStart(2, '0'));
  const group = (from: number, to: number) => hex.slice(from, to).join('');
  return [group(0, 4), group(4, 6), group(6, 8), group(8, 10), group(10, 16)].join('-');
}

function footerOf(spec: VhdSpec): Uint8Array {
  const { size, creator = 'win ', type = 3, uuid = 1, time = 1000 } = spec;
  const [cylinders, heads, sectors] = spec.geometry ?? [Math.floor(size / SECTOR), 1, 1];
  const bytes = new Uint8Array(SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii('conectix'));
  view.setUint32(8, 2);
  view.setUint32(12, 0x00010000);
  view.setBigUint64(16, type === 2 ? 2n ** 64n - 1n : 512n);
  view.setUint32(24, time);
  bytes.set(ascii(creator), 28);
  view.setUint32(32, 0x00060001);
  bytes.set(ascii('Wi2k'), 36);
  view.setBigUint64(40, BigInt(size));
  view.setBigUint64(48, BigInt(size));
  view.setUint16(56, cylinders);
  view.setUint8(58, heads);
  view.setUint8(59, sectors);
  view.setUint32(60, type);
  for (let i = 0; i < 16; i++) bytes[68 + i] = uuid + i;
  fixFooter(bytes, 0);
  return bytes;
}

export function buildVhd(spec: VhdSpec): BuiltVhd {
  const footer = footerOf(spec);
  const { content } = spec;
  if (content !== undefined) {
    const bytes = new Uint8Array(content.length + SECTOR);
    bytes.set(content);
    bytes.set(footer, content.length);
    return { bytes, tableAt: -1, end: content.length };
  }
  const { size, blockSize = 2 ** 21, blocks = new Map<number, VhdBlock>() } = spec;
  const { locators = [] } = spec;
  const entries = Math.ceil(size / blockSize);
  const bitmapBytes = Math.ceil(blockSize / SECTOR / 8 / SECTOR) * SECTOR;
  const tableAt = SECTOR + 1024;
  const namesAt = tableAt + Math.ceil((entries * 4) / SECTOR) * SECTOR;
  const blocksAt = namesAt + locators.length * SECTOR;
  const end = blocksAt + blocks.size * (bitmapBytes + blockSize);
  const bytes = new Uint8Array(end + SECTOR);
  const view = new DataView(bytes.buffer);
  bytes.set(footer);
  bytes.set(footer, end);
  putHeader(bytes, spec, { entries, tableAt, namesAt });
  bytes.fill(0xff, tableAt, namesAt);
  let at = blocksAt;
  for (const [index, block] of blocks) {
    view.setUint32(tableAt + index * 4, at / SECTOR);
    const all = Array.from({ length: blockSize / SECTOR }, (_, sector) => sector);
    for (const sector of block.sectors ?? all) bytes[at + (sector >> 3)]! |= 0x80 >> (sector & 7);
    bytes.set(block.bytes, at + bitmapBytes);
    at += bitmapBytes + blockSize;
  }
  return { bytes, tableAt, end };
}

function putHeader(
  bytes: Uint8Array<ArrayBuffer>,
  spec: VhdSpec,
  { entries, tableAt, namesAt }: { entries: number; tableAt: number; namesAt: number },
): void {
  const { blockSize = 2 ** 21, parentUuid = 0, parentTime = 0, parentName = '' } = spec;
  const view = new DataView(bytes.buffer);
  const start = SECTOR;
  bytes.set(ascii('cxsparse'), start);
  view.setBigUint64(start + 8, 2n ** 64n - 1n);
  view.setBigUint64(start + 16, BigInt(tableAt));
  view.setUint32(start + 24, 0x00010000);
  view.setUint32(start + 28, entries);
  view.setUint32(start + 32, blockSize);
  if (parentUuid > 0) for (let i = 0; i < 16; i++) bytes[start + 40 + i] = parentUuid + i;
  view.setUint32(start + 56, parentTime);
  bytes.set(utf16(parentName, false), start + 64);
  for (const [index, { platform, bytes: name }] of (spec.locators ?? []).entries()) {
    const at = start + 576 + index * 24;
    bytes.set(ascii(platform), at);
    view.setUint32(at + 4, 1);
    view.setUint32(at + 8, name.length);
    view.setBigUint64(at + 16, BigInt(namesAt + index * SECTOR));
    bytes.set(name, namesAt + index * SECTOR);
  }
  fixChecksum(bytes, start, 1024, 36);
}
