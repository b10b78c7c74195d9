/** gzip, RFC 1952: one member after the other, and whatever may follow the last one. */
import { crc32 } from '../binary/crc32.ts';
import { isImageError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { DecodeFault } from './container.ts';
import type { Decoder } from './decoder.ts';
import { DeflateDecoder, NativeDeflateDecoder } from './deflate-decoder.ts';
import { RangeReader } from './range-reader.ts';

const TRAILER = 8;
/** The longest name, comment or hash of a header that is waited for, bytes. */
const LONGEST_TEXT = 64 * 1024;

const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;

/** «Member header and trailer», 2.3.1. */
interface MemberHeader {
  /** FNAME, '' where there is none. */
  readonly name: string;
}

async function readHeader(input: RangeReader): Promise<MemberHeader> {
  const [id1, id2, method, flags = 0] = await input.take(10);
  if (id1 !== 0x1f || id2 !== 0x8b || method !== 8 || (flags & 0xe0) !== 0) {
    throw new DecodeFault('damaged', 'no member of gzip');
  }
  if ((flags & FEXTRA) !== 0) {
    const [low = 0, high = 0] = await input.take(2);
    await input.take(low + high * 256);
  }
  const name = (flags & FNAME) === 0 ? '' : latin1(await takeText(input));
  if ((flags & FCOMMENT) !== 0) await takeText(input);
  if ((flags & FHCRC) !== 0) await input.take(2);
  return { name };
}

/** Bytes up to a zero. */
async function takeText(input: RangeReader): Promise<Uint8Array> {
  for (let wanted = 256; ; wanted *= 2) {
    const isAll = !(await input.has(wanted));
    const end = input.bytes.indexOf(0, input.at);
    if (end >= 0) {
      const text = await input.take(end - input.at);
      await input.take(1);
      return text;
    }
    if (isAll) throw new DecodeFault('cut-off');
    if (wanted > LONGEST_TEXT) throw new DecodeFault('damaged', 'a name without end');
  }
}

function latin1(bytes: Uint8Array): string {
  // What programs write there is mostly UTF-8, whatever the specification says.
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  }
}

/** The name that the first member has for its content; '' for none. @throws DecodeFault */
export async function gzipName(storage: Storage): Promise<string> {
  return (await readHeader(new RangeReader(storage, 0))).name;
}

/** The content of all members. */
export class GzipDecoder implements Decoder {
  readonly #storage: Storage;
  readonly #input: RangeReader;
  #state: 'header' | 'body' | 'end' = 'header';
  #isFirst = true;
  #native: NativeDeflateDecoder | undefined;
  #body: DeflateDecoder | undefined;
  /** Bytes of the member that were given out, and what they come to. */
  #given = 0;
  #crc = 0;
  /** Bytes of the member to be left out: the platform has unpacked them already. */
  #skipping = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.#input = new RangeReader(storage, 0);
  }

  get position(): number {
    return this.#native?.position ?? this.#input.position;
  }

  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#state !== 'end') {
      if (this.#state === 'header') await this.#begin();
      else {
        const bytes = await this.#bodyBytes();
        if (bytes !== undefined) return bytes;
      }
    }
    return undefined;
  }

  close(): void {
    this.#state = 'end';
    this.#native?.close();
    this.#native = undefined;
    this.#body?.close();
  }

  async #begin(): Promise<void> {
    if (!this.#isFirst && !(await this.#hasMember())) {
      this.#state = 'end';
      return;
    }
    await readHeader(this.#input);
    this.#given = 0;
    this.#crc = 0;
    this.#skipping = 0;
    this.#state = 'body';
    const start = this.#input.position;
    const end = this.#storage.size - TRAILER;
    // Most files have one member: the platform takes it. Where there are more, they may be many.
    if (this.#isFirst && end > start) {
      this.#native = await NativeDeflateDecoder.open(this.#storage, start, end);
    }
    if (this.#native === undefined) this.#body = new DeflateDecoder(this.#input);
    this.#isFirst = false;
  }

  /** Whether another member follows. Padding and anything else are passed over, as gzip does it. */
  async #hasMember(): Promise<boolean> {
    const input = this.#input;
    if (!(await input.has(2))) return false;
    return input.bytes[input.at] === 0x1f && input.bytes[input.at + 1] === 0x8b;
  }

  async #bodyBytes(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = this.#native === undefined ? await this.#ownBytes() : await this.#nativeBytes();
    if (bytes === undefined) return undefined;
    this.#crc = crc32(bytes, this.#crc);
    this.#given += bytes.length;
    return bytes;
  }

  /** What the platform unpacks. Where it refuses, our own decoder says what is the matter. */
  async #nativeBytes(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const bytes = await this.#native?.next();
      if (bytes !== undefined) return bytes;
      this.#input.skip(this.#storage.size - TRAILER - this.#input.position);
      this.#native = undefined;
      await this.#finishMember();
    } catch (error) {
      if (isImageError(error) || error instanceof DecodeFault) throw error;
      this.#native?.close();
      this.#native = undefined;
      this.#skipping = this.#given;
      this.#body = new DeflateDecoder(this.#input);
    }
    return undefined;
  }

  async #ownBytes(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await this.#body?.next();
    if (bytes === undefined) {
      await this.#finishMember();
      return undefined;
    }
    if (this.#skipping === 0) return bytes;
    const known = Math.min(this.#skipping, bytes.length);
    this.#skipping -= known;
    return bytes.subarray(known);
  }

  async #finishMember(): Promise<void> {
    const trailer = await this.#input.take(TRAILER);
    const view = new DataView(trailer.buffer, trailer.byteOffset, TRAILER);
    if (view.getUint32(0, true) !== this.#crc) throw new DecodeFault('checksum');
    if (view.getUint32(4, true) !== this.#given % 2 ** 32) throw new DecodeFault('checksum');
    this.#state = 'header';
  }
}
