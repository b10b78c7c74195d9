/**
 * A LUKS1 header as nodes, in a qcow2 image or a volume of its own. «LUKS On-Disk Format
 * Specification», version 1, figures 1 and 2.
 */
import { SECTOR } from '../binary/units.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import {
  CIPHER_AT,
  DIGEST_AT,
  DIGEST_BYTES,
  HASH_AT,
  HEADER,
  LUKS_HEADER_BYTES,
  MAGIC,
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
import {
  bytesValue,
  fieldParts,
  lazy,
  listed,
  meaningOf,
  part,
  textValue,
  type Changes,
  type FieldKeys,
  type Part,
  type Parts,
  type Structures,
  type StructureValue,
} from './structure.ts';

const PHDR = 'partition header layout';
const SLOT_SECTION = 'key slot layout';

const MEANINGS = {
  'luks.header': ['How the disk is encrypted, and how its key is kept', PHDR],
  'luks.magic': ['Marks it as LUKS: “LUKS”, 0xBA and 0xBE', PHDR],
  'luks.cipher_name': ['The cipher', PHDR],
  'luks.cipher_mode': ['How it is used for sectors: mode, and what makes the vectors', PHDR],
  'luks.hash_spec': ['The hash that derives keys from passphrases', PHDR],
  'luks.digest': ['By which the right master key is known', PHDR],
  'luks.salt': ['What makes this digest unlike all others', PHDR],
  'luks.uuid': ['The UUID of the volume', PHDR],
  'luks.slots': ['Eight places for passphrases, each of which opens the disk', PHDR],
  'luks.slot': ['A place for a passphrase', SLOT_SECTION],
  'luks.slot.salt': ['What makes the key of this passphrase unlike all others', SLOT_SECTION],
} as const;

export type LuksStructureKey =
  keyof typeof MEANINGS | FieldKeys<'luks', typeof HEADER> | FieldKeys<'luks.slot', typeof SLOT>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);

/** How many nodes {@link luksParts} has. */
const PARTS = 12;

/** What is in a LUKS header that begins at `at`, bytes; read when somebody looks. */
export function luksParts(storage: Storage, at: number): Parts {
  return lazy(PARTS, async () => {
    const bytes = await readPadded(storage, at, LUKS_HEADER_BYTES);
    const pieces: Part[] = [
      piece('magic', 0, MAGIC.length, bytesValue, bytes, at),
      piece('cipher_name', CIPHER_AT, NAME_BYTES, textValue, bytes, at),
      piece('cipher_mode', MODE_AT, NAME_BYTES, textValue, bytes, at),
      piece('hash_spec', HASH_AT, NAME_BYTES, textValue, bytes, at),
      piece('digest', DIGEST_AT, DIGEST_BYTES, bytesValue, bytes, at),
      piece('salt', SALT_AT, SALT_BYTES, bytesValue, bytes, at),
      piece('uuid', UUID_AT, UUID_BYTES, textValue, bytes, at),
      ...fieldParts(HEADER, bytes, at, { prefix: 'luks', section: PHDR, explain: explainField }),
      slotsPart(bytes, at, storage.size),
    ];
    return pieces.sort((a, b) => a.offset - b.offset);
  });
}

/** The structures of a volume that is nothing but LUKS. */
export function structuresOf(storage: Storage): Promise<Structures> {
  const place = { offset: 0, length: LUKS_HEADER_BYTES };
  const header = part('crypto', told('luks.header'), place, { below: luksParts(storage, 0) });
  return Promise.resolve({ top: listed([header]), idAt: () => Promise.resolve('') });
}

function piece(
  name: 'magic' | 'cipher_name' | 'cipher_mode' | 'hash_spec' | 'digest' | 'salt' | 'uuid',
  offset: number,
  length: number,
  valueOf: (bytes: Uint8Array) => Partial<StructureValue>,
  bytes: Uint8Array,
  at: number,
): Part {
  const value = valueOf(bytes.subarray(offset, offset + length));
  const doubtful = name === 'magic' && !isMagic(bytes);
  return part(name, told(`luks.${name}`), { offset: at + offset, length }, { value, doubtful });
}

function isMagic(bytes: Uint8Array): boolean {
  return [...MAGIC].every((letter, i) => bytes[i] === letter.charCodeAt(0));
}

function explainField(name: string, value: number): Changes | undefined {
  if (name === 'version') return { doubtful: value !== 1 };
  if (name === 'payloadOffset') return { value: { means: `${String(value * SECTOR)} B` } };
  if (name === 'keyBytes') return { value: { means: `${String(value * 8)} bit` } };
  return undefined;
}

function slotsPart(bytes: Uint8Array, at: number, fileSize: number): Part {
  const slots = Array.from({ length: SLOTS }, (_, index) => {
    const from = SLOT_AT + index * SLOT_SIZE;
    return slotPart(index, bytes.subarray(from, from + SLOT_SIZE), at, at + from, fileSize);
  });
  const place = { offset: at + SLOT_AT, length: SLOTS * SLOT_SIZE };
  return part('slots', told('luks.slots'), place, { below: listed(slots) });
}

/**
 * @param base where the LUKS header begins, bytes
 * @param at where the slot does
 */
function slotPart(
  index: number,
  bytes: Uint8Array,
  base: number,
  at: number,
  fileSize: number,
): Part {
  const { state } = SLOT.read(bytes);
  const isUsed = state === SLOT_ENABLED;
  const stateName = isUsed ? 'ENABLED' : state === SLOT_DISABLED ? 'DISABLED' : '';
  const fields = fieldParts(SLOT, bytes, at, {
    ...{ prefix: 'luks.slot', section: SLOT_SECTION },
    explain: (name, value) => {
      if (name === 'state') return { value: { means: stateName }, doubtful: stateName === '' };
      if (name === 'stripes') return { doubtful: isUsed && value !== STRIPES };
      if (name !== 'keyOffset') return undefined;
      const offset = base + value * SECTOR;
      const target = value === 0 ? undefined : { space: 'file' as const, offset };
      const means = `${String(value * SECTOR)} B`;
      return { value: { target, means }, doubtful: isUsed && offset >= fileSize };
    },
  });
  const salt = part(
    'salt',
    told('luks.slot.salt'),
    { offset: at + SLOT_SALT_AT, length: SALT_BYTES },
    { value: bytesValue(bytes.subarray(SLOT_SALT_AT, SLOT_SALT_AT + SALT_BYTES)) },
  );
  const parts = [...fields, salt].sort((a, b) => a.offset - b.offset);
  return part(
    String(index),
    told('luks.slot'),
    { offset: at, length: SLOT_SIZE },
    {
      value: { style: 'enum', text: stateName },
      doubtful: stateName === '',
      below: listed(parts),
    },
  );
}
