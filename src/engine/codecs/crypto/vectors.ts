/** Initial vectors: what makes equal sectors differ once they are encrypted. */
import { SECTOR, TWO_32 } from '../../binary/units.ts';
import { AesBlocks, BLOCK_WORDS } from './aes.ts';

/** How the vector of a sector follows from its number, by the names that LUKS has for it. */
export type VectorKind = 'plain' | 'plain64' | 'essiv';

/** The vectors of `count` sectors from a sector on, four words each. */
export type Vectors = (firstSector: number, count: number) => Int32Array<ArrayBuffer>;

/** The number of the sector at an offset (bytes). */
export function sectorAt(offset: number): number {
  return offset / SECTOR;
}

/** The number itself, little-endian: its lowest 32 bits, or all 64 of them. */
function plain(bits: 32 | 64): Vectors {
  return (firstSector, count) => {
    const words = new Int32Array(count * BLOCK_WORDS);
    for (let index = 0; index < count; index++) {
      const sector = firstSector + index;
      words[index * BLOCK_WORDS] = sector;
      if (bits === 64) words[index * BLOCK_WORDS + 1] = Math.floor(sector / TWO_32);
    }
    return words;
  };
}

/** «Encrypted salt-sector»: the number, encrypted with a key that is made of the key. */
function essiv(salt: Uint8Array): Vectors {
  const numbers = plain(64);
  const aes = new AesBlocks(salt);
  return (firstSector, count) => {
    const words = numbers(firstSector, count);
    aes.encrypt(words);
    return words;
  };
}

/** @param salt the key of `essiv`, 16, 24 or 32 bytes; of no use to the others */
export function makeVectors(kind: VectorKind, salt: Uint8Array): Vectors {
  if (kind === 'essiv') return essiv(salt);
  return plain(kind === 'plain' ? 32 : 64);
}
