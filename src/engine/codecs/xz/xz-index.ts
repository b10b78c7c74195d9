import { crc32 } from '../../binary/crc32.ts';
import { StreamFault } from '../stream-decoder.ts';

/** Section 1.2: numbers of 7 bits a byte, the lowest first, at most nine bytes. */
const MOST_BYTES = 9;

/** Takes such a number. @throws StreamFault corrupt: it does not end, or is not exact as a number */
export function readNumber(from: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let i = 0; i < MOST_BYTES; i++) {
    const byte = from.bytes[from.at++];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) {
      if ((byte === 0 && i > 0) || !Number.isSafeInteger(value)) break;
      return value;
    }
  }
  throw new StreamFault('corrupt', 'number');
}

function writeNumber(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) + 0x80);
  bytes.push(left);
  return bytes;
}

/**
 * The index at the end of a stream, which has to tell of the blocks that were there: compared by
 * its checksum over the records, so that no block has to be remembered.
 */
export class XzIndex {
  #blocks = 0;
  /** The checksum of the records that there should be. */
  #records = 0;
  /** The checksum of those that are there, and of everything. */
  #found = 0;
  #all = 0;
  /** Numbers that are still to come; undefined before the first one. */
  #left: number | undefined;
  #number: number[] = [];

  /** Notes a block. Sizes in bytes. */
  add(unpadded: number, unpacked: number): void {
    this.#blocks++;
    const record = [...writeNumber(unpadded), ...writeNumber(unpacked)];
    this.#records = crc32(Uint8Array.from(record), this.#records);
  }

  /** Takes the byte that says that this is the index. */
  begin(): void {
    this.pad(0);
  }

  /** Takes one byte; whether it was the last of the records. @throws StreamFault corrupt */
  take(byte: number): boolean {
    this.#number.push(byte);
    this.#all = crc32(Uint8Array.of(byte), this.#all);
    if (this.#left !== undefined) this.#found = crc32(Uint8Array.of(byte), this.#found);
    if (byte >= 0x80 && this.#number.length < MOST_BYTES) return false;
    const value = readNumber({ bytes: Uint8Array.from(this.#number), at: 0 });
    this.#number = [];
    if (this.#left === undefined) {
      if (value !== this.#blocks) throw new StreamFault('corrupt', 'index');
      this.#left = value * 2;
    } else {
      this.#left--;
    }
    if (this.#left > 0) return false;
    if (this.#found !== this.#records) throw new StreamFault('corrupt', 'index');
    return true;
  }

  /** Takes a byte that fills it up; false where that is no zero. */
  pad(byte: number): boolean {
    this.#all = crc32(Uint8Array.of(byte), this.#all);
    return byte === 0;
  }

  /** Of all that was taken. */
  get checksum(): number {
    return this.#all;
  }
}
