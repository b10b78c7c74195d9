/**
 * Making a LUKS1 header and filling its key slots. «LUKS On-Disk Format Specification», version 1,
 * 4.1 and 4.2. Where everything lies, and how much work a key derivation is, is QEMU's choice.
 */
import { alignUp, divideRoundUp, SECTOR } from '../binary/units.ts';
import { splitStripes } from '../codecs/crypto/anti-forensic.ts';
import {
  deriveKey,
  digestBytes,
  measureRounds,
  type DigestName,
} from '../codecs/crypto/digests.ts';
import { randomBytes } from '../codecs/crypto/random.ts';
import type { CipherMode, SectorCipher } from '../codecs/crypto/sector-cipher.ts';
import type { VectorKind } from '../codecs/crypto/vectors.ts';
import { ImageError } from '../errors.ts';
import { luksCipher, refuseUnusual } from './luks.ts';
import { parseLuksHeader, type LuksHeader } from './luks-header.ts';
import {
  CIPHER_AT,
  DIGEST_AT,
  DIGEST_BYTES,
  HASH_AT,
  HEADER,
  LUKS_HEADER_BYTES,
  MAGIC,
  MATERIAL_SECTORS,
  MODE_AT,
  SALT_AT,
  SALT_BYTES,
  SLOT,
  SLOT_AT,
  SLOT_DISABLED,
  SLOT_ENABLED,
  SLOT_SALT_AT,
  SLOT_SIZE,
  SLOTS,
  STRIPES,
  UUID_AT,
} from './luks-layout.ts';

/** How a disk is to be encrypted: always with AES. */
export interface LuksOptions {
  mode: CipherMode;
  vectors: VectorKind;
  /** Makes the key of `essiv`; the others have no use for it, but the header may name it. */
  vectorHash: DigestName | undefined;
  hash: DigestName;
  /** Of the master key: 16, 24 or 32, twice that for XTS. */
  keyBytes: number;
  /** How long unlocking is to take on this machine, milliseconds. */
  iterTime: number;
}

/** The usual time, milliseconds. */
export const LUKS_ITER_TIME = 2000;
/** However fast unlocking is to be: no fewer rounds. */
const LEAST_ITERATIONS = 1000;
const MOST_ITERATIONS = 2 ** 32 - 1;
/** The digest of the master key takes this part of the time of a key slot. */
const DIGEST_SHARE = 8;

/** Bytes and where they belong, counted from the start of the header. */
export interface LuksPiece {
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A new header. What is between the pieces, up to `length`, is zeros. */
export interface NewLuks {
  /** Where the content may begin, bytes. */
  readonly length: number;
  readonly pieces: readonly LuksPiece[];
  /** Of the content. */
  readonly cipher: SectorCipher;
}

/**
 * Makes a header with a new master key, which the passphrase opens through the first of its slots.
 * @param passphrase stays as it is
 * @throws ImageError too-large where unlocking would take longer than is ever waited for here
 */
export async function formatLuks(
  options: LuksOptions,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<NewLuks> {
  const { hash, keyBytes, iterTime } = options;
  const masterKey = randomBytes(keyBytes);
  try {
    const rate = await measureRounds(hash);
    const salt = randomBytes(SALT_BYTES);
    const iterations = iterationsFor(rate, iterTime / DIGEST_SHARE, DIGEST_BYTES, hash);
    const digest = await deriveKey(masterKey, { hash, salt, iterations }, DIGEST_BYTES);
    const bytes = blankHeader(options, { salt, digest, iterations });
    const work = { masterKey, passphrase, iterTime, rate };
    const material = await fillLuksSlot(bytes, 0, work);
    const { algorithm, info } = parseLuksHeader(bytes);
    return {
      length: info.payloadOffset,
      pieces: [{ offset: 0, bytes }, material],
      cipher: await luksCipher(algorithm, masterKey),
    };
  } finally {
    masterKey.fill(0);
  }
}

/** Rounds of a derivation that takes `time` milliseconds at `rate` rounds a second. */
function iterationsFor(rate: number, time: number, bytes: number, hash: DigestName): number {
  const wanted = Math.floor(((rate / Math.ceil(bytes / digestBytes(hash))) * time) / 1000);
  const iterations = Math.max(LEAST_ITERATIONS, wanted);
  if (iterations <= MOST_ITERATIONS) return iterations;
  const what = 'Number of rounds of LUKS key derivation';
  throw new ImageError('too-large', { what, value: String(iterations), limit: MOST_ITERATIONS });
}

interface MasterKeyDigest {
  salt: Uint8Array;
  digest: Uint8Array;
  iterations: number;
}

/** A header with no slot in use. */
function blankHeader(options: LuksOptions, master: MasterKeyDigest): Uint8Array<ArrayBuffer> {
  const { mode, vectors, vectorHash, hash, keyBytes } = options;
  const bytes = new Uint8Array(LUKS_HEADER_BYTES);
  const sectors = alignUp(divideRoundUp(keyBytes * STRIPES, SECTOR), MATERIAL_SECTORS);
  HEADER.write(bytes, {
    version: 1,
    payloadOffset: MATERIAL_SECTORS + SLOTS * sectors,
    keyBytes,
    iterations: master.iterations,
  });
  const texts: readonly (readonly [number, string])[] = [
    [0, MAGIC],
    [CIPHER_AT, 'aes'],
    [MODE_AT, `${mode}-${vectors}${vectorHash === undefined ? '' : `:${vectorHash}`}`],
    [HASH_AT, hash],
    [UUID_AT, crypto.randomUUID()],
  ];
  for (const [at, text] of texts) {
    bytes.set(
      Array.from(text, (letter) => letter.charCodeAt(0)),
      at,
    );
  }
  bytes.set(master.digest, DIGEST_AT);
  bytes.set(master.salt, SALT_AT);
  for (let index = 0; index < SLOTS; index++) {
    const keyOffset = MATERIAL_SECTORS + index * sectors;
    const slot = { state: SLOT_DISABLED, iterations: 0, keyOffset, stripes: STRIPES };
    SLOT.write(bytes, slot, SLOT_AT + index * SLOT_SIZE);
  }
  return bytes;
}

/** What goes into a key slot. */
export interface SlotContent {
  readonly masterKey: Uint8Array<ArrayBuffer>;
  /** Stays as it is. */
  readonly passphrase: Uint8Array<ArrayBuffer>;
  /** How long unlocking is to take, milliseconds. */
  readonly iterTime: number;
  /** As {@link measureRounds} measures it. */
  readonly rate: number;
}

/**
 * Puts the master key into a slot, whatever is in it.
 * @param bytes the header, in which the slot is changed
 * @returns the key material of the slot
 * @throws ImageError too-large as {@link formatLuks}; `bytes` stay as they are then
 */
export async function fillLuksSlot(
  bytes: Uint8Array<ArrayBuffer>,
  index: number,
  { masterKey, passphrase, iterTime, rate }: SlotContent,
): Promise<LuksPiece> {
  const { hash, keyBytes } = parseLuksHeader(bytes);
  const salt = randomBytes(SALT_BYTES);
  const iterations = iterationsFor(rate, iterTime, keyBytes, hash);
  const changed = bytes.slice();
  setSlot(changed, index, { state: SLOT_ENABLED, iterations, salt });
  const header = parseLuksHeader(changed);
  refuseUnusual(header);
  const slotKey = await deriveKey(passphrase, { hash, salt, iterations }, keyBytes);
  const cipher = await luksCipher(header.algorithm, slotKey);
  slotKey.fill(0);
  const stripes = splitStripes(masterKey, STRIPES, hash);
  // What would follow in the last sector does not change what is in it.
  const padded = new Uint8Array(alignUp(stripes.length, SECTOR));
  padded.set(stripes);
  stripes.fill(0);
  const encrypted = await cipher.encrypt(padded, 0);
  padded.fill(0);
  bytes.set(changed);
  const material = encrypted.subarray(0, keyBytes * STRIPES);
  return { offset: materialOffset(header, index), bytes: material };
}

/**
 * Empties a slot: what it held can never be had from it again.
 * @param bytes the header, in which the slot is changed
 * @returns noise to put over the key material
 */
export function emptyLuksSlot(bytes: Uint8Array<ArrayBuffer>, index: number): LuksPiece {
  setSlot(bytes, index, { state: SLOT_DISABLED, iterations: 0, salt: new Uint8Array(SALT_BYTES) });
  const header = parseLuksHeader(bytes);
  const noise = randomBytes(header.keyBytes * STRIPES);
  return { offset: materialOffset(header, index), bytes: noise };
}

interface SlotState {
  state: number;
  iterations: number;
  salt: Uint8Array;
}

/** Where its material is, and how many stripes it has, stays. */
function setSlot(bytes: Uint8Array, index: number, { state, iterations, salt }: SlotState): void {
  const at = SLOT_AT + index * SLOT_SIZE;
  SLOT.write(bytes, { ...SLOT.read(bytes, at), state, iterations }, at);
  bytes.set(salt, at + SLOT_SALT_AT);
}

function materialOffset({ info }: LuksHeader, index: number): number {
  const slot = info.slots[index];
  if (slot === undefined) throw new ImageError('internal', { reason: `no key slot ${index}` });
  return slot.keyOffset;
}
