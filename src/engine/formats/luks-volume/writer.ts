/** Writing into a LUKS volume: every sector has its place, and zeros are encrypted as well. */
import { SECTOR } from '../../binary/units.ts';
import type { Cipher } from '../../codecs/cipher.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DiskWriter } from '../format.ts';

/** Zeros are encrypted in pieces of so many bytes. */
const ZERO_CHUNK = 1024 * 1024;

export class LuksWriter implements DiskWriter {
  readonly clusterSize = 0;
  readonly packing = undefined;
  readonly noiseAtFirst = true;
  readonly #storage: Storage;
  readonly #payloadOffset: number;
  readonly #cipher: Cipher | undefined;

  /** @param cipher undefined while it is locked: nothing can be written then */
  constructor(storage: Storage, payloadOffset: number, cipher: Cipher | undefined) {
    this.#storage = storage;
    this.#payloadOffset = payloadOffset;
    this.#cipher = cipher;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const hostOffset = this.#payloadOffset + offset;
    if (this.#cipher === undefined) {
      const where = { guestOffset: offset, hostOffset, length: bytes.length };
      throw new ImageError('unreadable-cluster', { ...where, reason: 'locked' });
    }
    await this.#storage.write(hostOffset, await this.#cipher.encrypt(bytes, offset));
  }

  async zero(offset: number, length: number): Promise<void> {
    const zeros = new Uint8Array(Math.min(ZERO_CHUNK, length));
    const end = offset + length;
    for (let at = offset; at < end; at += zeros.length) {
      await this.write(at, zeros.subarray(0, Math.min(zeros.length, end - at)));
    }
  }

  writePacked(): Promise<void> {
    throw new ImageError('internal', { reason: 'LUKS has no compressed clusters' });
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** What is added reads as noise until it is written. Whole sectors. */
  async resize(size: number): Promise<void> {
    if (size % SECTOR !== 0)
      throw new ImageError('resize-refused', { reason: 'sectors', name: '' });
    await this.#storage.resize(this.#payloadOffset + size);
  }
}
