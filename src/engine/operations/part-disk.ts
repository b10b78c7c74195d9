/** A part of a disk as a disk of its own. */
import type { Cipher } from '../codecs/cipher.ts';
import type { Disk, Extent, FormatName } from '../formats/format.ts';
import type { Storage } from '../storage/storage.ts';

/** Only looks at the disk: whoever opened that closes it. */
export class PartDisk implements Disk {
  readonly size: number;
  readonly backing: Disk | undefined;
  readonly cipher: Cipher | undefined;
  readonly #disk: Disk;
  readonly #start: number;

  /**
   * @param start where the part begins, bytes, a multiple of 512
   * @param length of the part, bytes; as far as the disk goes
   */
  constructor(disk: Disk, start: number, length: number) {
    this.#disk = disk;
    this.#start = start;
    this.size = Math.max(0, Math.min(length, disk.size - start));
    this.backing = disk.backing && new PartDisk(disk.backing, start, length);
    this.cipher = disk.cipher && shifted(disk.cipher, start);
  }

  get format(): FormatName {
    return this.#disk.format;
  }

  get storage(): Storage {
    return this.#disk.storage;
  }

  get clusterSize(): number {
    return this.#disk.clusterSize;
  }

  get backingMissing(): boolean {
    return this.#disk.backingMissing;
  }

  get contentMissing(): Disk['contentMissing'] {
    return this.#disk.contentMissing;
  }

  get codec(): Disk['codec'] {
    return this.#disk.codec;
  }

  async map(offset: number, length: number, most?: number): Promise<Extent[]> {
    const within = Math.min(length, this.size - offset);
    const extents = await this.#disk.map(this.#start + offset, within, most);
    for (const extent of extents) {
      extent.offset -= this.#start;
      // Where a packed cluster begins may lie before the part.
      extent.clusterOffset -= this.#start;
    }
    return extents;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function shifted(cipher: Cipher, start: number): Cipher {
  const { countsBy } = cipher;
  const shift = countsBy === 'guest' ? start : 0;
  return {
    countsBy,
    decrypt: (bytes, offset) => cipher.decrypt(bytes, offset + shift),
    encrypt: (bytes, offset) => cipher.encrypt(bytes, offset + shift),
  };
}
