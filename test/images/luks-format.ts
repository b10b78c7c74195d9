/**
 * LUKS headers of our own making, by Node's OpenSSL and after the specification («LUKS On-Disk
 * Format Specification», version 1). The real program takes two seconds for one, whatever it is
 * asked for; these are made at once, with any number of rounds, in any slot, of any mode.
 */
import {
  createCipheriv,
  createHash,
  createHmac,
  pbkdf2Sync,
  randomBytes,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { patch } from '../golden/make-images.ts';

export interface LuksFormat {
  /** Bits of one AES key. */
  bits: 128 | 192 | 256;
  mode: 'xts' | 'cbc' | 'ecb' | 'ctr';
  /** `plain`, `plain64` or `essiv:hash`. */
  vectors: string;
  hash: string;
  /** By number of the slot. */
  slots: Readonly<Record<number, { passphrase: string; iterations: number }>>;
  masterIterations: number;
}

const STRIPES = 4000;
const SECTOR = 512;
const ENABLED = 0x00ac71f3;
const DISABLED = 0x0000dead;

/** Bytes of the header with all its key material. */
export const LUKS_BYTES = 4040 * SECTOR;
const FIRST_MATERIAL = 8;
/** Sectors from one slot's material to the next: enough for the longest key. */
const MATERIAL = 504;

/** A header with all its key material, 2 MB. */
export function luksHeader(format: LuksFormat, masterKey: Buffer): Buffer {
  const bytes = Buffer.alloc(LUKS_BYTES);
  const { hash, masterIterations } = format;
  const salt = randomBytes(32);
  bytes.write('LUKS\xba\xbe\0\x01', 'latin1');
  bytes.write('aes', 8);
  bytes.write(`${format.mode}-${format.vectors}`, 40);
  bytes.write(hash, 72);
  bytes.writeUInt32BE(LUKS_BYTES / SECTOR, 104);
  bytes.writeUInt32BE(masterKey.length, 108);
  derive(hash, masterKey, salt, masterIterations, 20).copy(bytes, 112);
  salt.copy(bytes, 132);
  bytes.writeUInt32BE(masterIterations, 164);
  bytes.write('00000000-1111-4222-8333-444444444444', 168);
  for (let index = 0; index < 8; index++) {
    const slot = format.slots[index];
    const place = 208 + index * 48;
    const sector = FIRST_MATERIAL + index * MATERIAL;
    bytes.writeUInt32BE(slot === undefined ? DISABLED : ENABLED, place);
    bytes.writeUInt32BE(sector, place + 40);
    bytes.writeUInt32BE(STRIPES, place + 44);
    if (slot === undefined) continue;
    const slotSalt = randomBytes(32);
    const password = Buffer.from(slot.passphrase);
    const key = derive(hash, password, slotSalt, slot.iterations, masterKey.length);
    bytes.writeUInt32BE(slot.iterations, place + 4);
    slotSalt.copy(bytes, place + 8);
    encryptSectors(format, key, split(hash, masterKey), 0).copy(bytes, sector * SECTOR);
  }
  return bytes;
}

/** A master key for that format. */
export function makeMasterKey({ bits, mode }: LuksFormat): Buffer {
  return randomBytes((bits / 8) * (mode === 'xts' ? 2 : 1));
}

/** Gives an encrypted image in which nothing is written yet another header. */
export function formatLuks(path: string, format: LuksFormat): void {
  const at = headerOffset(readFileSync(path));
  patch(path, at, luksHeader(format, makeMasterKey(format)));
}

/** Where the LUKS header of an image is, bytes. */
export function headerOffset(image: Buffer): number {
  return image.indexOf('LUKS\xba\xbe', 'latin1');
}

/** PBKDF2; by hand for what OpenSSL does not take there. */
function derive(hash: string, password: Buffer, salt: Buffer, iterations: number, length: number) {
  if (hash !== 'ripemd160' && hash !== 'md5') {
    return pbkdf2Sync(password, salt, iterations, length, hash);
  }
  const blocks: Buffer[] = [];
  for (let block = 1; Buffer.concat(blocks).length < length; block++) {
    let last = Buffer.concat([salt, bigEndian(block)]);
    const sum = Buffer.alloc(createHash(hash).digest().length);
    for (let round = 0; round < iterations; round++) {
      last = createHmac(hash, password).update(last).digest();
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) ^ (last[i] ?? 0);
    }
    blocks.push(sum);
  }
  return Buffer.concat(blocks).subarray(0, length);
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** «AFsplit»: the last stripe makes the sum right. */
function split(hash: string, key: Buffer): Buffer {
  const stripes = randomBytes(key.length * STRIPES);
  let sum: Buffer = Buffer.alloc(key.length);
  for (let index = 0; index < STRIPES - 1; index++) {
    const stripe = stripes.subarray(index * key.length, (index + 1) * key.length);
    sum = diffuse(hash, xor(sum, stripe));
  }
  xor(sum, key).copy(stripes, (STRIPES - 1) * key.length);
  return stripes;
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));
}

function diffuse(hash: string, bytes: Buffer): Buffer {
  const size = createHash(hash).digest().length;
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    const numbered = Buffer.concat([bigEndian(at / size), piece]);
    pieces.push(createHash(hash).update(numbered).digest().subarray(0, piece.length));
  }
  return Buffer.concat(pieces);
}

/** Encrypts bytes, the first of which belong to that sector. */
export function encryptSectors(
  { bits, mode, vectors }: LuksFormat,
  key: Buffer,
  clear: Buffer,
  firstSector: number,
): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < clear.length; at += SECTOR) {
    const iv = mode === 'ecb' ? null : vectorOf(vectors, key, firstSector + at / SECTOR);
    const cipher = createCipheriv(`aes-${bits}-${mode}`, key, iv).setAutoPadding(false);
    pieces.push(cipher.update(clear.subarray(at, at + SECTOR)), cipher.final());
  }
  return Buffer.concat(pieces);
}

function vectorOf(vectors: string, key: Buffer, sector: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(sector % 2 ** 32);
  if (vectors !== 'plain') iv.writeUInt32LE(Math.floor(sector / 2 ** 32), 4);
  const [, hash] = vectors.split(':');
  if (hash === undefined) return iv;
  const salt = createHash(hash).update(key).digest();
  return createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null).update(iv);
}
