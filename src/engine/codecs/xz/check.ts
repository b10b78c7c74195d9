/** The checksums that xz blocks may have over what they unpack to. */
import { crc32 } from '../../binary/crc32.ts';
import { Crc64 } from '../../binary/crc64.ts';
import { Sha256 } from '../sha256.ts';

export interface XzCheck {
  update(bytes: Uint8Array<ArrayBuffer>): void;
  /** As it is in the file; undefined for a kind that we do not know. */
  digest(): Uint8Array | undefined;
}

/** Section 2.1.1.2: bytes of each kind, whether we know it or not. */
const SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

export function checkSize(kind: number): number {
  return SIZES[kind] ?? 0;
}

class Crc32Check implements XzCheck {
  #value = 0;

  update(bytes: Uint8Array): void {
    this.#value = crc32(bytes, this.#value);
  }

  digest(): Uint8Array {
    const digest = new Uint8Array(4);
    new DataView(digest.buffer).setUint32(0, this.#value, true);
    return digest;
  }
}

/** None, or one that cannot be verified. */
class NoCheck implements XzCheck {
  update(): void {
    // Nothing to be done.
  }

  digest(): undefined {
    return undefined;
  }
}

/** @param kind as the stream header has it: 1 CRC32, 4 CRC64, 10 SHA-256 */
export function makeCheck(kind: number): XzCheck {
  if (kind === 1) return new Crc32Check();
  if (kind === 4) return new Crc64();
  return kind === 10 ? new Sha256() : new NoCheck();
}
