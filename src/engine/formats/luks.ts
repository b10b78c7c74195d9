/**
 * Opening LUKS1: from a passphrase to the master key. The passphrase opens one of eight key slots;
 * each keeps the same master key. «LUKS On-Disk Format Specification», version 1, 2 and 4.2.
 */
import { alignUp, SECTOR } from '../binary/units.ts';
import { mergeStripes } from '../codecs/crypto/anti-forensic.ts';
import { deriveKey, digest, digestBytes, roundsPerSecond } from '../codecs/crypto/digests.ts';
import { makeSectorCipher, type SectorCipher } from '../codecs/crypto/sector-cipher.ts';
import { makeVectors } from '../codecs/crypto/vectors.ts';
import { ImageError } from '../errors.ts';
import {
  LUKS_HEADER_BYTES,
  luksFault,
  parseLuksHeader,
  type LuksAlgorithm,
  type LuksHeader,
} from './luks-header.ts';

/** Reads from the start of the LUKS header, exactly `length` bytes. @throws where it may not */
export type LuksReader = (offset: number, length: number) => Promise<Uint8Array<ArrayBuffer>>;

/**
 * No header is tried that would take longer: it was made to do harm. The slowest that anyone makes
 * take some seconds.
 */
const MAX_SECONDS = 120;
/** A slot of QEMU or cryptsetup takes 256 kB at most. */
const MAX_KEY_BYTES = 64;

/** @throws ImageError invalid-header and those of reading */
export async function readLuksHeader(read: LuksReader): Promise<LuksHeader> {
  return parseLuksHeader(await read(0, LUKS_HEADER_BYTES));
}

/** Rounds of PBKDF2 for a key of so many bytes: each digest's worth of it takes all iterations. */
function roundsOf({ hash }: LuksHeader, iterations: number, bytes: number): number {
  return iterations * Math.ceil(bytes / digestBytes(hash));
}

/** Rounds of key derivation that one passphrase takes if it opens no slot, or only the last. */
function totalRounds(header: LuksHeader): number {
  const { info, keyBytes, digest: expected } = header;
  let sum = 0;
  for (const { active, iterations } of info.slots) {
    if (!active) continue;
    sum += roundsOf(header, iterations, keyBytes);
    sum += roundsOf(header, info.iterations, expected.length);
  }
  return sum;
}

/** How many seconds one passphrase may take, roughly, if it opens no slot, or only the last. */
export function luksSeconds(header: LuksHeader): number {
  return totalRounds(header) / roundsPerSecond(header.hash);
}

/**
 * Tries a passphrase on all key slots that are in use.
 * @returns the cipher of the payload, or undefined where the passphrase opens none of the slots.
 * Which sectors count from where is up to the caller
 * @throws ImageError unsupported-feature (another cipher than AES), too-large (the header demands
 * more rounds of key derivation than anyone would), and those of reading
 */
export async function unlockLuks(
  header: LuksHeader,
  read: LuksReader,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<SectorCipher | undefined> {
  const key = await findMasterKey(header, read, passphrase);
  if (key === undefined) return undefined;
  try {
    return await luksCipher(header.algorithm, key);
  } finally {
    key.fill(0);
  }
}

/**
 * The same, for the master key itself: whoever gets it overwrites it with zeros.
 * @throws ImageError as {@link unlockLuks}
 */
export async function findMasterKey(
  header: LuksHeader,
  read: LuksReader,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for (const index of header.info.slots.keys()) {
    const key = await tryLuksSlot(header, index, read, passphrase);
    if (key !== undefined) return key;
  }
  return undefined;
}

/**
 * Tries a passphrase on one key slot.
 * @returns the master key, which the caller overwrites with zeros; undefined where the slot is not
 * in use or the passphrase does not open it
 * @throws ImageError as {@link unlockLuks}
 */
export async function tryLuksSlot(
  header: LuksHeader,
  index: number,
  read: LuksReader,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  refuseUnusual(header);
  return header.info.slots[index]?.active === true
    ? openSlot(header, index, read, passphrase)
    : undefined;
}

/**
 * Refuses what is not opened here, and so is not to be made either.
 * @throws ImageError unsupported-feature, too-large
 */
export function refuseUnusual(header: LuksHeader): void {
  const { algorithm, keyBytes, hash } = header;
  if (algorithm.cipher !== 'aes' || keyBytes > MAX_KEY_BYTES) {
    throw new ImageError('unsupported-feature', { feature: `LUKS cipher ${algorithm.cipher}` });
  }
  const rounds = totalRounds(header);
  const limit = MAX_SECONDS * roundsPerSecond(hash);
  if (rounds <= limit) return;
  const what = 'Number of rounds of LUKS key derivation';
  throw new ImageError('too-large', { what, value: String(rounds), limit });
}

/** The master key, or undefined where the passphrase does not open this slot. */
async function openSlot(
  header: LuksHeader,
  index: number,
  read: LuksReader,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { info, hash, keyBytes } = header;
  const slot = info.slots[index];
  const salt = header.slotSalts[index];
  if (slot === undefined || salt === undefined) return undefined;
  const length = keyBytes * slot.stripes;
  const stored = await read(slot.keyOffset, length);
  const { iterations } = slot;
  const slotKey = await deriveKey(passphrase, { hash, salt, iterations }, keyBytes);
  if (header.algorithm.mode === 'xts' && keyBytes % 2 !== 0) {
    luksFault('key bytes', keyBytes, '', 'XTS cipher key length should be a multiple of 2');
  }
  const cipher = await luksCipher(header.algorithm, slotKey);
  slotKey.fill(0);
  // The last sector may be cut short: what is behind does not change what is before.
  const padded = new Uint8Array(alignUp(length, SECTOR));
  padded.set(stored);
  const material = await cipher.decrypt(padded, 0);
  const key = mergeStripes(material, keyBytes, slot.stripes, hash);
  material.fill(0);
  if (await isMasterKey(header, key)) return key;
  key.fill(0);
  return undefined;
}

async function isMasterKey(
  { hash, salt, info, digest: expected }: LuksHeader,
  key: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { iterations } = info;
  const found = await deriveKey(key, { hash, salt, iterations }, expected.length);
  return found.every((byte, at) => byte === expected[at]);
}

/** The cipher of a key: the master key for the content, another for the material of its slot. */
export async function luksCipher(
  { mode, vectors, vectorHash }: LuksAlgorithm,
  key: Uint8Array<ArrayBuffer>,
): Promise<SectorCipher> {
  const vectorKey = vectorHash === undefined ? key : digest(vectorHash, key);
  return makeSectorCipher(mode, key, makeVectors(vectors, vectorKey));
}
