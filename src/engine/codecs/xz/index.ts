/**
 * xz files (The .xz File Format 1.1.0) with LZMA2, which is what xz and Apple's tools make unless
 * asked for a filter besides.
 */
import { crc32 } from '../../binary/crc32.ts';
import type { DecompressResult } from '../inflate.ts';
import { PackedInput } from '../packed-input.ts';
import { StreamFault, type StreamDecoder } from '../stream-decoder.ts';
import { resultOf } from '../stream-result.ts';
import { checkSize, makeCheck, type XzCheck } from './check.ts';
import { LzmaDecoder } from './lzma.ts';
import { readNumber, XzIndex } from './xz-index.ts';
import { Window } from './window.ts';

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0] as const;
const FOOTER_MAGIC = [0x59, 0x5a] as const;
const STREAM_HEADER = 12;
const LZMA2 = 0x21;
/** Section 5.3.1: dictionaries are 4 KiB at least. */
const LEAST_DICTIONARY = 4096;

/** Packed bytes are asked for by `undefined`, pieces are what was unpacked. */
type Steps<Result> = Generator<Uint8Array | undefined, Result>;

function corrupt(what: string): StreamFault {
  return new StreamFault('corrupt', what);
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

/** Whether the four bytes at `at` are the CRC-32 of those from `start` on. */
function assertCrc32(bytes: Uint8Array, start: number, at: number): void {
  if (crc32(bytes.subarray(start, at)) !== uint32(bytes, at)) throw corrupt('CRC32');
}

interface BlockHeader {
  readonly dictionary: number;
  /** As the header has them; undefined where it leaves that open. */
  readonly packed: number | undefined;
  readonly unpacked: number | undefined;
}

/** Section 3.1. @throws StreamFault corrupt, unsupported */
function parseBlockHeader(header: Uint8Array): BlockHeader {
  const end = header.length - 4;
  assertCrc32(header, 0, end);
  const flags = header[1] as number;
  if ((flags & 0x3c) !== 0) throw new StreamFault('unsupported', 'block flags');
  const fields = { bytes: header.subarray(0, end), at: 2 };
  const packed = (flags & 0x40) === 0 ? undefined : readNumber(fields);
  const unpacked = (flags & 0x80) === 0 ? undefined : readNumber(fields);
  const filter = readNumber(fields);
  if ((flags & 3) !== 0 || filter !== LZMA2) throw new StreamFault('unsupported', 'filter');
  const bits = readNumber(fields) === 1 ? (header[fields.at++] as number) : 255;
  if (bits > 40 || fields.at > end) throw corrupt('dictionary size');
  if (header.subarray(fields.at, end).some((byte) => byte !== 0)) throw corrupt('header padding');
  const size = bits === 40 ? 2 ** 32 - 1 : (2 | (bits & 1)) * 2 ** (Math.floor(bits / 2) + 11);
  return { dictionary: Math.max(size, LEAST_DICTIONARY), packed, unpacked };
}

/** Unpacks an xz file: one stream or several, with padding between them. */
export class XzDecoder implements StreamDecoder {
  readonly #input = new PackedInput();
  readonly #window = new Window();
  readonly #lzma = new LzmaDecoder(this.#window);
  readonly #steps: Steps<void>;
  #last = false;
  /** Bytes that were taken. */
  #taken = 0;

  /** @param single only one stream counts; what follows it is not looked at */
  constructor({ single = false } = {}) {
    this.#steps = this.#file(single);
  }

  *push(packed: Uint8Array, last: boolean): Generator<Uint8Array> {
    this.#input.add(packed);
    this.#last = last;
    for (;;) {
      const { done, value } = this.#steps.next();
      if (done === true || value === undefined) break;
      yield value;
    }
  }

  /** Takes `count` bytes; valid until more are taken. */
  *#take(count: number): Steps<Uint8Array> {
    while (this.#input.length < count) {
      if (this.#last) throw new StreamFault('short', 'end of file');
      yield undefined;
    }
    const bytes = this.#input.bytes.subarray(0, count);
    this.#input.drop(count);
    this.#taken += count;
    return bytes;
  }

  *#takeByte(): Steps<number> {
    const [byte = 0] = yield* this.#take(1);
    return byte;
  }

  *#file(single: boolean): Steps<void> {
    do {
      yield* this.#stream();
    } while (!single && (yield* this.#hasAnother()));
    for (;;) {
      this.#input.drop(this.#input.length);
      yield undefined;
    }
  }

  /** Section 2.2: whether a stream follows, perhaps behind zeros, four at a time. */
  *#hasAnother(): Steps<boolean> {
    for (;;) {
      while (this.#input.length < 4) {
        if (this.#last && this.#input.length === 0) return false;
        if (this.#last) throw corrupt('stream padding');
        yield undefined;
      }
      if (uint32(this.#input.bytes, 0) !== 0) return true;
      this.#input.drop(4);
    }
  }

  /** Section 2.1. */
  *#stream(): Steps<void> {
    const header = yield* this.#take(STREAM_HEADER);
    if (HEADER_MAGIC.some((byte, index) => header[index] !== byte)) throw corrupt('magic');
    assertCrc32(header, 6, 8);
    const check = header[7] as number;
    if (header[6] !== 0 || check > 15) throw new StreamFault('unsupported', 'stream flags');
    const index = new XzIndex();
    for (;;) {
      const size = yield* this.#takeByte();
      if (size === 0) break;
      yield* this.#block(size, check, index);
    }
    const length = yield* this.#index(index);
    const footer = yield* this.#take(STREAM_HEADER);
    if (uint32(footer, 0) !== crc32(footer.subarray(4, 10))) throw corrupt('footer');
    if ((uint32(footer, 4) + 1) * 4 !== length) throw corrupt('backward size');
    const isEnd = FOOTER_MAGIC.every((byte, at) => footer[10 + at] === byte);
    if (footer[8] !== 0 || footer[9] !== check || !isEnd) throw corrupt('footer');
  }

  /** Section 4, from behind its first byte on; it has to tell of the same blocks. Its length. */
  *#index(index: XzIndex): Steps<number> {
    const start = this.#taken - 1;
    index.begin();
    while (!index.take(yield* this.#takeByte()));
    while ((this.#taken - start) % 4 !== 0) {
      if (!index.pad(yield* this.#takeByte())) throw corrupt('index padding');
    }
    if (uint32(yield* this.#take(4), 0) !== index.checksum) throw corrupt('index');
    return this.#taken - start;
  }

  /** Section 3. @param size the byte that it begins with */
  *#block(size: number, kind: number, index: XzIndex): Steps<void> {
    const start = this.#taken - 1;
    const header = new Uint8Array((size + 1) * 4);
    header[0] = size;
    header.set(yield* this.#take(header.length - 1), 1);
    const { dictionary, packed, unpacked } = parseBlockHeader(header);
    const check = makeCheck(kind);
    const dataStart = this.#taken;
    const length = yield* this.#lzma2(dictionary, check);
    const isAsSaid = (packed ?? this.#taken - dataStart) === this.#taken - dataStart;
    if (!isAsSaid || (unpacked ?? length) !== length) throw corrupt('block size');
    const end = this.#taken;
    while ((this.#taken - dataStart) % 4 !== 0) {
      if ((yield* this.#takeByte()) !== 0) throw corrupt('block padding');
    }
    const expected = yield* this.#take(checkSize(kind));
    const found = check.digest();
    if (found?.some((byte, at) => expected[at] !== byte) === true) throw corrupt('check');
    index.add(end - start + checkSize(kind), length);
  }

  /** Section 5.3.1: chunks of LZMA or of bytes as they are. Returns how many bytes they are. */
  *#lzma2(dictionary: number, check: XzCheck): Steps<number> {
    const window = this.#window;
    let total = 0;
    let needsDictionary = true;
    let needsProperties = true;
    for (;;) {
      const control = yield* this.#takeByte();
      if (control === 0) return total;
      if (control === 1 || control >= 0xe0) {
        window.reset(dictionary);
        this.#lzma.resetPosition();
        needsDictionary = false;
        needsProperties = true;
      }
      if (needsDictionary || (control > 2 && control < 0x80)) throw corrupt('chunk');
      if (control >= 0xc0) needsProperties = false;
      const isPacked = control >= 0x80;
      if (isPacked && needsProperties) throw corrupt('chunk');
      const length = isPacked ? yield* this.#packedChunk(control) : yield* this.#plainChunk();
      total += length;
      const piece = window.bytes.subarray(window.at - length, window.at);
      check.update(piece as Uint8Array<ArrayBuffer>);
      yield piece;
    }
  }

  *#plainChunk(): Steps<number> {
    const [high = 0, low = 0] = yield* this.#take(2);
    const length = high * 256 + low + 1;
    const bytes = yield* this.#take(length);
    this.#window.prepare(length);
    this.#window.bytes.set(bytes, this.#window.at);
    this.#window.at += length;
    this.#lzma.skip(length);
    return length;
  }

  *#packedChunk(control: number): Steps<number> {
    const [a = 0, b = 0, c = 0, d = 0] = yield* this.#take(4);
    const length = (control & 31) * 65536 + a * 256 + b + 1;
    if (control >= 0xc0) this.#lzma.setProperties(yield* this.#takeByte());
    if (control >= 0xa0) this.#lzma.resetState();
    this.#lzma.decode(yield* this.#take(c * 256 + d + 1), length);
    return length;
  }
}

function unpackInto(packed: Uint8Array, target: Uint8Array): DecompressResult {
  let at = 0;
  for (const piece of new XzDecoder({ single: true }).push(packed, true)) {
    if (piece.length > target.length - at) return 'corrupt';
    target.set(piece, at);
    at += piece.length;
  }
  return at === target.length ? 'ok' : 'short';
}

/** Unpacks one xz stream, which has to fill `target` and no more. What follows is ignored. */
export function unxzCluster(packed: Uint8Array, target: Uint8Array): DecompressResult {
  return resultOf(() => unpackInto(packed, target));
}
