import { StreamFault } from '../stream-decoder.ts';

/** What was unpacked so far. Nothing goes behind the end of its buffer. */
export class Output {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Adds bytes as they are. @throws StreamFault corrupt, short */
  plain(source: Uint8Array, from: number, length: number): void {
    if (from + length > source.length) throw new StreamFault('short', 'literals');
    if (length > this.bytes.length - this.at) throw new StreamFault('corrupt', 'too long');
    const { bytes, at } = this;
    if (length > 32) bytes.set(source.subarray(from, from + length), at);
    else for (let i = 0; i < length; i++) bytes[at + i] = source[from + i] as number;
    this.at += length;
  }

  /** Repeats bytes that are `distance` back. @throws StreamFault corrupt */
  repeat(distance: number, length: number): void {
    const { bytes, at } = this;
    if (distance < 1 || distance > at) throw new StreamFault('corrupt', 'distance');
    if (length > bytes.length - at) throw new StreamFault('corrupt', 'too long');
    const from = at - distance;
    for (let i = 0; i < length; i++) bytes[at + i] = bytes[from + i] as number;
    this.at += length;
  }
}
