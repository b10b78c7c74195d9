/** Files of a zip: stored ones are read where they lie, the others unpacked. */
import { crc32 } from '../binary/crc32.ts';
import { isImageError } from '../errors.ts';
import { SliceStorage } from '../storage/slice.ts';
import type { Storage } from '../storage/storage.ts';
import { bzip2Decoder } from './bzip2.ts';
import {
  baseName,
  DecodeFault,
  DISK_PROBE,
  type ContainerProblem,
  type Scratch,
  type Whose,
} from './container.ts';
import { DecodedStorage } from './decoded-storage.ts';
import type { Decoder } from './decoder.ts';
import { DeflateDecoder, NativeDeflateDecoder } from './deflate-decoder.ts';
import { RangeReader } from './range-reader.ts';
import { xzDecoder } from './xz.ts';
import { readZip, zipContentAt, type ZipFile } from './zip-directory.ts';
import { ZstdDecoder } from './zstd.ts';

/** A file that is no folder, and why it cannot be opened. */
export interface ListedZipFile extends ZipFile {
  readonly refusal: ContainerProblem | undefined;
}

const STORED = 0;
const METHODS: Readonly<Record<number, (storage: Storage, start: number, end: number) => Decoder>> =
  {
    8: (storage, start, end) => new ZipDeflateDecoder(storage, start, end),
    12: bzip2Decoder,
    93: (storage, start, end) => new ZstdDecoder(storage, start, end),
    95: xzDecoder,
  };

/** The files of a zip. @throws DecodeFault */
export async function readZipFiles(storage: Storage): Promise<ListedZipFile[]> {
  const files = await readZip(storage);
  return files
    .filter((file) => !file.isFolder)
    .map((file) => ({ ...file, refusal: refusalOf(file) }));
}

function refusalOf({ encrypted, method }: ZipFile): ContainerProblem | undefined {
  if (encrypted) return 'encrypted';
  return method === STORED || METHODS[method] !== undefined ? undefined : 'method';
}

/** The first bytes of a file. @throws DecodeFault */
export async function peekZipFile(
  storage: Storage,
  file: ListedZipFile,
): Promise<Uint8Array<ArrayBuffer>> {
  if (file.refusal !== undefined) throw new DecodeFault(file.refusal);
  const start = await zipContentAt(storage, file);
  const first = new Uint8Array(Math.min(DISK_PROBE, file.size));
  const make = METHODS[file.method];
  if (make === undefined) {
    const got = await new SliceStorage(storage, start, file.packed).read(0, first);
    return first.subarray(0, got);
  }
  const decoder = make(storage, start, start + file.packed);
  let at = 0;
  try {
    while (at < first.length) {
      const bytes = await decoder.next();
      if (bytes === undefined) break;
      const piece = bytes.subarray(0, first.length - at);
      first.set(piece, at);
      at += piece.length;
    }
  } finally {
    decoder.close();
  }
  return first.subarray(0, at);
}

/** The content of a file. @throws DecodeFault */
export async function openZipFile(
  storage: Storage,
  file: ListedZipFile,
  whose: Whose,
  scratch: Scratch,
): Promise<Storage> {
  const start = await zipContentAt(storage, file);
  const { size, packed, method } = file;
  const name = baseName(file.name);
  const make = METHODS[method];
  if (make === undefined) {
    if (size !== packed) throw new DecodeFault('size');
    return new SliceStorage(storage, start, size, name);
  }
  const end = start + packed;
  const open = (): Decoder => new CheckedDecoder(make(storage, start, end), file);
  const source = { whose, name, packed: end };
  return DecodedStorage.open(source, [{ offset: 0, length: size, open }], scratch);
}

/** Compares what comes out with the checksum of the directory. */
class CheckedDecoder implements Decoder {
  readonly #decoder: Decoder;
  readonly #file: ZipFile;
  #crc = 0;

  constructor(decoder: Decoder, file: ZipFile) {
    this.#decoder = decoder;
    this.#file = file;
  }

  get position(): number {
    return this.#decoder.position;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#decoder.next();
    if (bytes !== undefined) this.#crc = crc32(bytes, this.#crc);
    else if (this.#crc !== this.#file.crc) throw new DecodeFault('checksum');
    return bytes;
  }

  close(): void {
    this.#decoder.close();
  }
}

/** A deflate stream that should fill a range: by the platform, and where it refuses, by our own. */
class ZipDeflateDecoder implements Decoder {
  readonly #storage: Storage;
  readonly #start: number;
  readonly #end: number;
  #native: NativeDeflateDecoder | undefined | 'unknown' = 'unknown';
  #own: DeflateDecoder | undefined;
  #input: RangeReader | undefined;
  #given = 0;
  #skipping = 0;

  constructor(storage: Storage, start: number, end: number) {
    this.#storage = storage;
    this.#start = start;
    this.#end = end;
  }

  get position(): number {
    if (typeof this.#native === 'object') return this.#native.position;
    return this.#input?.position ?? this.#start;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#native === 'unknown') {
      this.#native = await NativeDeflateDecoder.open(this.#storage, this.#start, this.#end);
    }
    if (this.#native !== undefined) {
      try {
        const bytes = await this.#native.next();
        this.#given += bytes?.length ?? 0;
        return bytes;
      } catch (error) {
        if (isImageError(error)) throw error;
        this.#native.close();
        this.#native = undefined;
        this.#skipping = this.#given;
      }
    }
    return this.#ownBytes();
  }

  close(): void {
    if (typeof this.#native === 'object') this.#native.close();
    this.#own?.close();
  }

  async #ownBytes(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    this.#input ??= new RangeReader(this.#storage, this.#start, this.#end);
    this.#own ??= new DeflateDecoder(this.#input);
    for (;;) {
      const bytes = await this.#own.next();
      if (bytes === undefined || this.#skipping === 0) return bytes;
      const known = Math.min(this.#skipping, bytes.length);
      this.#skipping -= known;
      if (known < bytes.length) return bytes.subarray(known);
    }
  }
}
