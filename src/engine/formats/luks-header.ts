/**
 * The LUKS1 header: what encrypts a disk and how its keys are kept. Nothing is decrypted here.
 * Specification: «LUKS On-Disk Format Specification», version 1, figures 1 and 2. The order of the
 * tests and their words are QEMU's, so that a header with several faults gets the same verdict.
 */
import { divideRoundUp, alignUp, SECTOR } from '../binary/units.ts';
import { digestBytes, isDigestName, type DigestName } from '../codecs/crypto/digests.ts';
import type { CipherMode } from '../codecs/crypto/sector-cipher.ts';
import type { VectorKind } from '../codecs/crypto/vectors.ts';
import { ImageError } from '../errors.ts';
import {
  CIPHER_AT,
  DIGEST_AT,
  DIGEST_BYTES,
  HASH_AT,
  HEADER,
  MAGIC,
  MATERIAL_SECTORS,
  MODE_AT,
  NAME_BYTES,
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
  UUID_BYTES,
} from './luks-layout.ts';

export { LUKS_HEADER_BYTES } from './luks-layout.ts';

export interface LuksSlot {
  active: boolean;
  iterations: number;
  /** Bytes from the start of the header. */
  keyOffset: number;
  stripes: number;
}

/** What can be said of the encryption. Plain data; names as the header has them. */
export interface LuksInfo {
  /** For example `aes`. */
  cipherName: string;
  /** For example `xts-plain64` or `cbc-essiv:sha256`: mode, generator of vectors, its hash. */
  cipherMode: string;
  hash: string;
  uuid: string;
  /** Bits of the master key; XTS uses one half for each of its two keys. */
  keyBits: number;
  /** Bytes from the start of the header. */
  payloadOffset: number;
  iterations: number;
  slots: LuksSlot[];
}

/** How sectors are encrypted. */
export interface LuksAlgorithm {
  /** Ciphers with keys of a valid length; only `aes` can be decrypted. */
  readonly cipher: string;
  readonly mode: CipherMode;
  readonly vectors: VectorKind;
  /** What makes the key for the vectors; only `essiv` has it. */
  readonly vectorHash: DigestName | undefined;
}

/** A valid header. */
export interface LuksHeader {
  readonly info: LuksInfo;
  readonly algorithm: LuksAlgorithm;
  readonly keyBytes: number;
  /** What derives keys and merges stripes. */
  readonly hash: DigestName;
  /** By which the right master key is known: 20 bytes, derived with `salt`. */
  readonly digest: Uint8Array;
  readonly salt: Uint8Array<ArrayBuffer>;
  /** One for each key slot. */
  readonly slotSalts: readonly Uint8Array<ArrayBuffer>[];
}

/**
 * Parses and validates the header.
 * @param bytes at least {@link LUKS_HEADER_BYTES}
 * @throws ImageError invalid-header (luks-version, luks-header)
 */
export function parseLuksHeader(bytes: Uint8Array): LuksHeader {
  const { version, payloadOffset, keyBytes, iterations } = HEADER.read(bytes);
  if (latin1(bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    luksFault('magic', '', 'LUKS', 'Volume is not in LUKS format');
  }
  if (version !== 1) {
    const message = `LUKS version ${version} is not supported`;
    throw new ImageError('invalid-header', {
      ...{ problem: 'luks-version', field: 'LUKS version' },
      ...{ value: String(version), limit: '1', message },
    });
  }
  const cipherName = name(bytes, CIPHER_AT, 'cipher name');
  const cipherMode = name(bytes, MODE_AT, 'cipher mode');
  const hash = name(bytes, HASH_AT, 'hash spec');
  if (payloadOffset < MATERIAL_SECTORS) {
    const message = 'LUKS payload is overlapping with the header';
    luksFault('payload offset', payloadOffset, MATERIAL_SECTORS, message);
  }
  if (iterations === 0) luksFault('iterations', 0, 1, 'LUKS key iteration count is zero');
  const slots = Array.from({ length: SLOTS }, (_, index) =>
    SLOT.read(bytes, SLOT_AT + index * SLOT_SIZE),
  );
  checkSlots(slots, keyBytes, payloadOffset);
  const algorithm = parseAlgorithm(cipherName, cipherMode, keyBytes, hash);
  const info: LuksInfo = {
    ...{ cipherName, cipherMode, hash, iterations },
    uuid: text(bytes.subarray(UUID_AT, UUID_AT + UUID_BYTES)),
    keyBits: keyBytes * 8,
    payloadOffset: payloadOffset * SECTOR,
    slots: slots.map((slot) => ({
      active: slot.state === SLOT_ENABLED,
      iterations: slot.iterations,
      keyOffset: slot.keyOffset * SECTOR,
      stripes: slot.stripes,
    })),
  };
  return {
    ...{ info, keyBytes, algorithm },
    hash: knownHash(hash),
    digest: bytes.slice(DIGEST_AT, DIGEST_AT + DIGEST_BYTES),
    salt: salt(bytes, SALT_AT),
    slotSalts: slots.map((_, index) => salt(bytes, SLOT_AT + index * SLOT_SIZE + SLOT_SALT_AT)),
  };
}

type Slot = ReturnType<typeof SLOT.read>;

/** Slots must not overlap anything, whether they are in use or not. */
function checkSlots(slots: readonly Slot[], keyBytes: number, payloadOffset: number): void {
  const end = ({ keyOffset, stripes }: Slot): number => {
    // As in QEMU, in 32 bits: what lies behind the end is found when it is read.
    const materialBytes = Math.imul(keyBytes, stripes) >>> 0;
    const sectors = alignUp(divideRoundUp(materialBytes, SECTOR), MATERIAL_SECTORS);
    return (keyOffset + sectors) >>> 0;
  };
  for (const [index, slot] of slots.entries()) {
    const { state, stripes, keyOffset, iterations } = slot;
    const which = `Keyslot ${index}`;
    if (stripes !== STRIPES) {
      const message = `${which} is corrupted (stripes ${stripes | 0} != ${STRIPES})`;
      luksFault('stripes', stripes, STRIPES, message);
    }
    if (keyOffset < MATERIAL_SECTORS) {
      const message = `${which} is overlapping with the LUKS header`;
      luksFault('key offset', keyOffset, MATERIAL_SECTORS, message);
    }
    if (state !== SLOT_ENABLED && state !== SLOT_DISABLED) {
      luksFault('state', state, '', `${which} state (active/disable) is corrupted`);
    }
    if (state === SLOT_ENABLED && iterations === 0) {
      luksFault('iterations', 0, 1, `${which} iteration count is zero`);
    }
    if (end(slot) > payloadOffset) {
      const message = `${which} is overlapping with the encrypted payload`;
      luksFault('key offset', keyOffset, payloadOffset, message);
    }
    for (const [second, other] of slots.entries()) {
      if (second <= index) continue;
      if (end(slot) <= other.keyOffset || end(other) <= keyOffset) continue;
      const message = `Keyslots ${index} and ${second} are overlapping in the header`;
      luksFault('key offset', keyOffset, other.keyOffset, message);
    }
  }
}

const MODES: readonly CipherMode[] = ['ecb', 'cbc', 'xts', 'ctr'];
const VECTORS: readonly VectorKind[] = ['plain', 'plain64', 'essiv'];
const AES_KEYS = [16, 24, 32];
/** Ciphers of LUKS by the lengths of their keys, bytes. */
const CIPHER_KEYS: ReadonlyMap<string, readonly number[]> = new Map([
  ['aes', AES_KEYS],
  ['cast5', [16]],
  ['serpent', [16, 24, 32]],
  ['twofish', [16, 24, 32]],
]);

/** `mode-vectors` or `mode-vectors:hash`. */
function parseAlgorithm(
  cipher: string,
  cipherMode: string,
  keyBytes: number,
  hash: string,
): LuksAlgorithm {
  const dash = cipherMode.indexOf('-');
  if (dash < 0) {
    luksFault(
      'cipher mode',
      cipherMode,
      '',
      `Unexpected cipher mode string format '${cipherMode}'`,
    );
  }
  const modeName = cipherMode.slice(0, dash);
  const rest = cipherMode.slice(dash + 1);
  const colon = rest.indexOf(':');
  const vectorHash = colon < 0 ? undefined : knownHash(rest.slice(colon + 1));
  const mode = MODES.find((known) => known === modeName);
  if (mode === undefined)
    luksFault('cipher mode', modeName, '', `Cipher mode '${modeName}' not supported`);
  // An odd length is noticed only when such a key is used.
  const oneKey = mode === 'xts' ? keyBytes >>> 1 : keyBytes;
  if (CIPHER_KEYS.get(cipher)?.includes(oneKey) !== true) {
    const message = `Algorithm '${cipher}' with key size ${oneKey | 0} bytes not supported`;
    luksFault('cipher name', cipher, '', message);
  }
  knownHash(hash);
  const vectorName = colon < 0 ? rest : rest.slice(0, colon);
  const vectors = VECTORS.find((known) => known === vectorName);
  if (vectors === undefined) {
    luksFault('cipher mode', cipherMode, '', `IV generator '${vectorName}' not supported`);
  }
  if (vectors !== 'essiv') return { cipher, mode, vectors, vectorHash: undefined };
  if (vectorHash === undefined) {
    luksFault('cipher mode', cipherMode, '', 'Missing IV generator hash specification');
  }
  const size = digestBytes(vectorHash);
  // The others are unknown here anyway.
  if (cipher === 'aes' && !AES_KEYS.includes(size)) {
    luksFault('cipher mode', cipherMode, '', `No AES cipher with key size ${size} available`);
  }
  return { cipher, mode, vectors, vectorHash };
}

function knownHash(hash: string): DigestName {
  if (isDigestName(hash)) return hash;
  return luksFault('hash spec', hash, '', `Hash algorithm '${hash}' not supported`);
}

/**
 * @param message in the words of qemu-img, which scripts compare
 * @throws ImageError invalid-header, always
 */
export function luksFault(
  field: string,
  value: number | string,
  limit: number | string,
  message: string,
): never {
  throw new ImageError('invalid-header', {
    problem: 'luks-header',
    field: `LUKS ${field}`,
    value: String(value),
    limit: String(limit),
    message,
  });
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Text up to the first zero. */
function text(bytes: Uint8Array): string {
  const whole = latin1(bytes);
  const end = whole.indexOf('\0');
  return end < 0 ? whole : whole.slice(0, end);
}

function name(bytes: Uint8Array, at: number, what: string): string {
  const found = text(bytes.subarray(at, at + NAME_BYTES));
  if (found.length === NAME_BYTES) {
    luksFault(what, found, NAME_BYTES - 1, `LUKS header ${what} is not NUL terminated`);
  }
  return found;
}

function salt(bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(at, at + SALT_BYTES));
}
