/** The directory of a zip: APPNOTE 6.3.10 of PKWARE, 4.3 and 4.5. */
import { readPadded, type Storage } from '../storage/storage.ts';
import { DecodeFault, MOST_ENTRIES } from './container.ts';

const END_SIGNATURE = 0x06054b50;
const END_SIZE = 22;
const LONGEST_COMMENT = 65_535;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR_SIGNATURE = 0x07064b50;
const LOCATOR_SIZE = 20;
const FILE_SIGNATURE = 0x02014b50;
const FILE_SIZE = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_SIZE = 30;
/** Bytes of a directory at most: each file takes about 100. */
const LARGEST_DIRECTORY = 64 * 1024 * 1024;

const ENCRYPTED = 0x0001;
const STRONGLY = 0x0040;
const MASKED = 0x2000;
const UTF8 = 0x0800;

/** A file in a zip. Bytes. */
export interface ZipFile {
  readonly name: string;
  readonly size: number;
  readonly packed: number;
  readonly crc: number;
  /** 0 stored, 8 deflate, 12 bzip2, 93 zstd, 95 xz; 99 what is encrypted by AES. */
  readonly method: number;
  readonly encrypted: boolean;
  /** Of its local header. */
  readonly header: number;
  readonly isFolder: boolean;
}

/** Where the directory lies. Bytes. */
interface Directory {
  readonly offset: number;
  readonly size: number;
  readonly entries: number;
  /** What every offset is to be raised by: bytes that were put before the whole. */
  readonly shift: number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A 64-bit number. @throws DecodeFault damaged, beyond 2^53 */
function long(view: DataView, at: number): number {
  const value = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  if (!Number.isSafeInteger(value)) throw new DecodeFault('damaged', 'a number too large');
  return value;
}

/** All files of a zip. @throws DecodeFault */
export async function readZip(storage: Storage): Promise<ZipFile[]> {
  const { offset, size, entries, shift } = await findDirectory(storage);
  if (entries > MOST_ENTRIES) throw new DecodeFault('too-many');
  if (size > LARGEST_DIRECTORY) throw new DecodeFault('too-many');
  if (offset < 0 || offset + size > storage.size) throw new DecodeFault('cut-off');
  const bytes = await readPadded(storage, offset, size);
  const files: ZipFile[] = [];
  let at = 0;
  for (let i = 0; i < entries; i++) {
    const { file, end } = parseFile(bytes, at, shift);
    files.push(file);
    at = end;
  }
  return files;
}

/** 4.3.16: the end of the directory, behind which a comment may follow. */
async function findDirectory(storage: Storage): Promise<Directory> {
  const length = Math.min(storage.size, END_SIZE + LONGEST_COMMENT);
  const start = storage.size - length;
  const tail = await readPadded(storage, start, length);
  const view = viewOf(tail);
  for (let at = length - END_SIZE; at >= 0; at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    if (at + END_SIZE + view.getUint16(at + 20, true) > length) continue;
    return directoryAt(storage, view, at, start + at);
  }
  // It is what is written last.
  throw new DecodeFault('cut-off', 'no end of a directory');
}

async function directoryAt(
  storage: Storage,
  view: DataView,
  at: number,
  place: number,
): Promise<Directory> {
  const [disk, diskOfDirectory] = [view.getUint16(at + 4, true), view.getUint16(at + 6, true)];
  const entries = view.getUint16(at + 10, true);
  const size = view.getUint32(at + 12, true);
  const offset = view.getUint32(at + 16, true);
  const isLong = entries === 0xffff || size === 0xffffffff || offset === 0xffffffff;
  const found = isLong ? await longDirectory(storage, place) : undefined;
  if (found !== undefined) return found;
  if (disk !== 0 || diskOfDirectory !== 0) throw new DecodeFault('method', 'a part of several');
  const shift = place - size - offset;
  if (shift < 0) throw new DecodeFault('damaged', 'a directory that ends too late');
  return { offset: offset + shift, size, entries, shift };
}

/** 4.3.14 and 4.3.15: the same in 64 bits. Undefined where there is none. */
async function longDirectory(storage: Storage, place: number): Promise<Directory | undefined> {
  if (place < LOCATOR_SIZE) return undefined;
  const locator = viewOf(await readPadded(storage, place - LOCATOR_SIZE, LOCATOR_SIZE));
  if (locator.getUint32(0, true) !== LOCATOR_SIGNATURE) return undefined;
  if (locator.getUint32(16, true) > 1) throw new DecodeFault('method', 'a part of several');
  const noted = long(locator, 8);
  // Whatever was put before the whole: the record then lies just before its locator.
  for (const at of [noted, place - LOCATOR_SIZE - 56]) {
    if (at < 0 || at + 56 > place) continue;
    const end = viewOf(await readPadded(storage, at, 56));
    if (end.getUint32(0, true) !== END64_SIGNATURE) continue;
    const [entries, size, offset] = [long(end, 32), long(end, 40), long(end, 48)];
    const shift = at - noted;
    return { offset: offset + shift, size, entries, shift };
  }
  throw new DecodeFault('damaged', 'no long end of a directory');
}

/** 4.3.12, «Central directory structure». */
function parseFile(bytes: Uint8Array, at: number, shift: number): { file: ZipFile; end: number } {
  if (at + FILE_SIZE > bytes.length) throw new DecodeFault('damaged', 'a directory cut short');
  const view = viewOf(bytes.subarray(at));
  if (view.getUint32(0, true) !== FILE_SIGNATURE) throw new DecodeFault('damaged', 'no file');
  const flags = view.getUint16(8, true);
  const method = view.getUint16(10, true);
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) =>
    view.getUint16(place, true),
  ) as [number, number, number];
  const extraAt = FILE_SIZE + nameLength;
  const end = at + extraAt + extraLength + commentLength;
  if (end > bytes.length) throw new DecodeFault('damaged', 'a directory cut short');
  const name = decodeName(bytes.subarray(at + FILE_SIZE, at + extraAt), (flags & UTF8) !== 0);
  const short = [24, 20, 42].map((place) => view.getUint32(place, true));
  const extra = bytes.subarray(at + extraAt, at + extraAt + extraLength);
  const [size = 0, packed = 0, header = 0] = widen(short, extra);
  const file = {
    ...{ name, size, packed, method, header: header + shift },
    crc: view.getUint32(16, true),
    encrypted: (flags & (ENCRYPTED | STRONGLY | MASKED)) !== 0 || method === 99,
    isFolder: name.endsWith('/'),
  };
  return { file, end };
}

/** 4.5.3: those numbers that do not fit into 32 bits stand in an extra field, in this order. */
function widen(short: readonly number[], extra: Uint8Array): number[] {
  const view = viewOf(extra);
  for (let at = 0; at + 4 <= extra.length;) {
    const id = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (id !== 1 || at + 4 + length > extra.length) {
      at += 4 + length;
      continue;
    }
    let from = at + 4;
    return short.map((value) => {
      if (value !== 0xffffffff) return value;
      if (from + 8 > at + 4 + length) throw new DecodeFault('damaged', 'a size is missing');
      from += 8;
      return long(view, from - 8);
    });
  }
  return [...short];
}

function decodeName(bytes: Uint8Array, isUtf8: boolean): string {
  if (isUtf8) return new TextDecoder().decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

/** Where the content of a file begins: its local header may have other lengths. 4.3.7. */
export async function zipContentAt(storage: Storage, file: ZipFile): Promise<number> {
  if (file.header < 0 || file.header + LOCAL_SIZE > storage.size) throw new DecodeFault('cut-off');
  const view = viewOf(await readPadded(storage, file.header, LOCAL_SIZE));
  if (view.getUint32(0, true) !== LOCAL_SIGNATURE) throw new DecodeFault('damaged', 'no header');
  const at = file.header + LOCAL_SIZE + view.getUint16(26, true) + view.getUint16(28, true);
  if (at + file.packed > storage.size) throw new DecodeFault('cut-off');
  return at;
}
