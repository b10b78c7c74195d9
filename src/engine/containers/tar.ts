/** tar: ustar, pax, and GNU's long names and sparse files. Files are read where they lie. */
import { alignUp } from '../binary/units.ts';
import { throwIfCancelled } from '../errors.ts';
import { SliceStorage } from '../storage/slice.ts';
import type { Storage } from '../storage/storage.ts';
import {
  baseName,
  DecodeFault,
  MOST_ENTRIES,
  type ContainerProblem,
  type Watch,
} from './container.ts';
import { RangeReader } from './range-reader.ts';
import { arePieces, SparseStorage } from './sparse-storage.ts';
import {
  BLOCK,
  decimal,
  parsePax,
  parseSparseBlock,
  parseTarHeader,
  type SparsePiece,
  type TarHeader,
} from './tar-header.ts';

/** Bytes of names and pax records at most. */
const LONGEST_EXTENSION = 8 * 1024 * 1024;
/** Pieces of a sparse file at most. */
const MOST_PIECES = 2 ** 18;
/** Headers of anything at most. */
const MOST_HEADERS = 4 * MOST_ENTRIES;

/** A file in a tar. Bytes. */
export interface TarFile {
  readonly name: string;
  /** As it reads, holes included. */
  readonly size: number;
  /** Where its stored bytes lie. */
  readonly offset: number;
  readonly stored: number;
  /** Of a sparse file, what is stored of it. */
  readonly pieces: readonly SparsePiece[] | undefined;
  readonly refusal: ContainerProblem | undefined;
}

/** What extension headers say of the file behind them. */
interface Extensions {
  name: string | undefined;
  pax: Map<string, string>;
  /** GNU's sparse format 0.0 has its pieces as records of the same two keywords. */
  pairs: number[];
}

function none(): Extensions {
  return { name: undefined, pax: new Map(), pairs: [] };
}

/**
 * The files of a tar, in their order.
 * @throws DecodeFault damaged, cut-off, too-many
 */
export async function readTar(storage: Storage, watch: Watch = {}): Promise<TarFile[]> {
  const input = new RangeReader(storage, 0);
  const files: TarFile[] = [];
  let extensions = none();
  for (let headers = 0; ; headers++) {
    throwIfCancelled(watch.signal);
    if (headers > MOST_HEADERS || files.length >= MOST_ENTRIES) throw new DecodeFault('too-many');
    if (!(await input.has(BLOCK))) break;
    const block = await input.take(BLOCK);
    if (block.every((byte) => byte === 0)) break;
    const header = parseTarHeader(block);
    // What follows the last file is often something else: only a first header has to be one.
    if (header === undefined) {
      if (headers === 0) throw new DecodeFault('damaged', 'no header of tar');
      throw new DecodeFault('damaged', 'a header of tar has a wrong checksum');
    }
    const isExtension = await takeExtension(input, header, extensions);
    if (isExtension) continue;
    if ('07S'.includes(header.type)) {
      files.push(await takeFile(input, storage, header, extensions));
    } else if (!'123456'.includes(header.type)) {
      input.skip(alignUp(header.size, BLOCK));
    }
    extensions = none();
  }
  return files;
}

/** Takes what says more of the file behind it. */
async function takeExtension(
  input: RangeReader,
  { type, size }: TarHeader,
  extensions: Extensions,
): Promise<boolean> {
  if (!'LKxgX'.includes(type)) return false;
  if (size > LONGEST_EXTENSION) throw new DecodeFault('damaged', 'a name or record too long');
  const bytes = (await input.take(alignUp(size, BLOCK))).subarray(0, size);
  if (type === 'L') {
    const end = bytes.indexOf(0);
    extensions.name = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  } else if (type === 'x' || type === 'X') {
    for (const [key, value] of parsePax(bytes) ?? fault('pax records')) {
      extensions.pax.set(key, value);
      if (key !== 'GNU.sparse.offset' && key !== 'GNU.sparse.numbytes') continue;
      extensions.pairs.push(decimal(value) ?? fault('pax records'));
      if (extensions.pairs.length > 2 * MOST_PIECES) throw new DecodeFault('too-many');
    }
  }
  return true;
}

function fault(what: string): never {
  throw new DecodeFault('damaged', `${what} that cannot be understood`);
}

async function takeFile(
  input: RangeReader,
  storage: Storage,
  header: TarHeader,
  { name, pax, pairs }: Extensions,
): Promise<TarFile> {
  const stored = pax.has('size') ? (decimal(pax.get('size')) ?? fault('a size')) : header.size;
  const called = pax.get('GNU.sparse.name') ?? pax.get('path') ?? name ?? header.name;
  let pieces: SparsePiece[] | undefined;
  let size = stored;
  if (header.sparse !== undefined) {
    pieces = await takePieces(input, header.sparse);
    size = header.sparse.size;
  }
  const start = input.position;
  const sparseSize = pax.get('GNU.sparse.realsize') ?? pax.get('GNU.sparse.size');
  if (sparseSize !== undefined) {
    size = decimal(sparseSize) ?? fault('a size');
    pieces = pax.has('GNU.sparse.major')
      ? await takeMap(input)
      : pairsToPieces(pairs.length > 0 ? pairs : numbers(pax.get('GNU.sparse.map')));
  }
  const offset = input.position;
  const left = stored - (offset - start);
  if (left < 0) fault('a map of a sparse file');
  if (pieces !== undefined && !arePieces(pieces, size, left)) fault('a map of a sparse file');
  input.skip(alignUp(stored, BLOCK) - (offset - start));
  const refusal = offset + left > storage.size ? 'cut-off' : undefined;
  return { name: called, size, offset, stored: left, pieces, refusal };
}

/** The rest of the pieces of GNU's old sparse format. */
async function takePieces(
  input: RangeReader,
  sparse: NonNullable<TarHeader['sparse']>,
): Promise<SparsePiece[]> {
  const pieces = [...sparse.pieces];
  let { goesOn } = sparse;
  while (goesOn) {
    const block = parseSparseBlock(await input.take(BLOCK)) ?? fault('a map of a sparse file');
    pieces.push(...block.pieces);
    if (pieces.length > MOST_PIECES) throw new DecodeFault('too-many');
    ({ goesOn } = block);
  }
  return pieces;
}

/** GNU's sparse format 1.0: numbers in lines before the content, padded to whole blocks. */
async function takeMap(input: RangeReader): Promise<SparsePiece[]> {
  const values: number[] = [];
  let wanted = 1;
  let text = '';
  while (values.length < wanted) {
    text += new TextDecoder('latin1').decode(await input.take(BLOCK));
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > BLOCK) fault('a map of a sparse file');
    for (const line of lines) {
      if (values.length >= wanted) break;
      const value = decimal(line) ?? fault('a map of a sparse file');
      values.push(value);
      if (values.length > 1) continue;
      if (value > MOST_PIECES) throw new DecodeFault('too-many');
      wanted += 2 * value;
    }
  }
  return pairsToPieces(values.slice(1));
}

function numbers(list: string | undefined): number[] {
  if (list === undefined || list === '') return [];
  const texts = list.split(',');
  if (texts.length > 2 * MOST_PIECES) throw new DecodeFault('too-many');
  return texts.map((text) => decimal(text) ?? fault('a map of a sparse file'));
}

function pairsToPieces(pairs: readonly number[]): SparsePiece[] {
  if (pairs.length % 2 !== 0) fault('a map of a sparse file');
  const pieces: SparsePiece[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    pieces.push({ offset: pairs[i] as number, length: pairs[i + 1] as number });
  }
  return pieces;
}

/** The content of a file in a tar. */
export function openTarFile(storage: Storage, file: TarFile): Storage {
  const slice = new SliceStorage(storage, file.offset, file.stored, baseName(file.name));
  return file.pieces === undefined ? slice : new SparseStorage(slice, file.size, file.pieces);
}
