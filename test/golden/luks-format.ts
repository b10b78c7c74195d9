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
  type CipherMode,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { patch } from './make-images.ts';

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

/** Replaces the header of an encrypted image in which nothing is written yet. */
export function formatLuks(path: string, format: LuksFormat): void {
  const at = headerOffset(path);
  const masterKey = randomBytes((format.bits / 8) * (format.mode === 'xts' ? 2 : 1));
  const header = Buffer.from(readFileSync(path).subarray(at, at + 592));
  header.fill(0, 8, 104);
  header.write('aes', 8);
  header.write(`${format.mode}-${format.vectors}`, 40);
  header.write(format.hash, 72);
  header.writeUInt32BE(masterKey.length, 108);
  const salt = randomBytes(32);
  const { hash, masterIterations } = format;
  derive(hash, masterKey, salt, masterIterations, 20).copy(header, 112);
  salt.copy(header, 132);
  header.writeUInt32BE(masterIterations, 164);
  for (let index = 0; index < 8; index++) {
    const slot = format.slots[index];
    const place = 208 + index * 48;
    header.writeUInt32BE(slot === undefined ? DISABLED : ENABLED, place);
    if (slot === undefined) continue;
    const slotSalt = randomBytes(32);
    const password = Buffer.from(slot.passphrase);
    const key = derive(hash, password, slotSalt, slot.iterations, masterKey.length);
    header.writeUInt32BE(slot.iterations, place + 4);
    slotSalt.copy(header, place + 8);
    const material = encrypt(format, key, split(hash, masterKey));
    patch(path, at + header.readUInt32BE(place + 40) * SECTOR, material);
  }
  patch(path, at, header);
}

/** Where the LUKS header of an image is, bytes. */
export function headerOffset(path: string): number {
  return readFileSync(path).indexOf('LUKS\xba\xbe', 'latin1');
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

function encrypt({ bits, mode, vectors }: LuksFormat, key: Buffer, clear: Buffer): Buffer {
  const name = `aes-${bits}-${mode satisfies CipherMode | 'xts'}`;
  const pieces: Buffer[] = [];
  for (let at = 0; at < clear.length; at += SECTOR) {
    const iv = mode === 'ecb' ? null : vectorOf(vectors, key, at / SECTOR);
    const cipher = createCipheriv(name, key, iv).setAutoPadding(false);
    pieces.push(cipher.update(clear.subarray(at, at + SECTOR)), cipher.final());
  }
  return Buffer.concat(pieces);
}

function vectorOf(vectors: string, key: Buffer, sector: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(sector);
  const [, hash] = vectors.split(':');
  if (hash === undefined) return iv;
  const salt = createHash(hash).update(key).digest();
  return createCipheriv(`aes-${salt.length * 8}-ecb`, salt, null).update(iv);
}
