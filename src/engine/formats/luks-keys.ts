/**
 * Changing the key slots of a LUKS1 header. The master key, and so the content, stays as it is. What
 * is refused is what QEMU refuses: to overwrite a key without being told to, and to erase the last
 * one, after which nobody could read the disk again.
 */
import { measureRounds } from '../codecs/crypto/digests.ts';
import { ImageError, type KeySlotProblem } from '../errors.ts';
import { findMasterKey, tryLuksSlot, type LuksReader } from './luks.ts';
import { emptyLuksSlot, fillLuksSlot, type LuksPiece } from './luks-format.ts';
import { LUKS_HEADER_BYTES, parseLuksHeader, type LuksHeader } from './luks-header.ts';

/** Where a LUKS header is kept; offsets count from its start, bytes. */
export interface LuksStore {
  /** What the file is called. */
  readonly name: string;
  readonly read: LuksReader;
  readonly write: (offset: number, bytes: Uint8Array) => Promise<void>;
}

/** Passphrases are overwritten with zeros once they have been used. */
type Passphrase = Uint8Array<ArrayBuffer>;

/** One more passphrase. */
export interface KeyAddition {
  /** undefined: the first that is not in use. */
  readonly slot: number | undefined;
  /** One that opens the disk already. */
  readonly current: Passphrase;
  /** Asked for the new one when everything else is in order. */
  readonly added: () => Passphrase;
  /** How long unlocking is to take on this machine, milliseconds. */
  readonly iterTime: number;
  /** Overwrites a slot that is in use. */
  readonly force: boolean;
}

/** Passphrases that are no longer to open the disk: those of a slot, or equal ones in any. */
export interface KeyErasure {
  readonly slot: number | undefined;
  /** Of a given slot, it has to be the one that is in it. */
  readonly passphrase: Passphrase | undefined;
  /** Erases the last one too. */
  readonly force: boolean;
}

/** What is to become of the passphrases of a disk. */
export type KeyChange =
  ({ readonly kind: 'add' } & KeyAddition) | ({ readonly kind: 'erase' } & KeyErasure);

/**
 * Adds a passphrase, or takes some away. The disk that is open does not see it.
 * @returns the slots that changed
 * @throws ImageError key-slot, wrong-passphrase, invalid-header, too-large, unsupported-feature and
 * those of reading; nothing is written then
 */
export async function changeKeys(store: LuksStore, change: KeyChange): Promise<number[]> {
  return change.kind === 'add' ? [await addLuksKey(store, change)] : eraseLuksKeys(store, change);
}

/**
 * Fills a key slot.
 * @returns which
 * @throws ImageError key-slot, wrong-passphrase, too-large, unsupported-feature, and those of reading
 */
export async function addLuksKey(store: LuksStore, change: KeyAddition): Promise<number> {
  const { current, iterTime, force } = change;
  const { bytes, header } = await readHeader(store);
  try {
    const slot = change.slot ?? header.info.slots.findIndex(({ active }) => !active);
    if (slot === -1) refuse('none-free', slot);
    checkSlot(header, slot);
    if (!force && header.info.slots[slot]?.active === true) refuse('in-use', slot);
    const masterKey = await findMasterKey(header, store.read, current);
    if (masterKey === undefined) throw new ImageError('wrong-passphrase', { name: store.name });
    const passphrase = change.added();
    try {
      const rate = await measureRounds(header.hash);
      const content = { masterKey, passphrase, iterTime, rate };
      await writeSlot(store, bytes, await fillLuksSlot(bytes, slot, content));
    } finally {
      masterKey.fill(0);
      passphrase.fill(0);
    }
    return slot;
  } finally {
    current.fill(0);
  }
}

/**
 * Empties key slots.
 * @returns which
 * @throws ImageError key-slot, too-large, unsupported-feature, and those of reading
 */
export async function eraseLuksKeys(store: LuksStore, change: KeyErasure): Promise<number[]> {
  const { bytes, header } = await readHeader(store);
  try {
    const slots =
      change.slot === undefined
        ? await matchingSlots(store, header, change)
        : await givenSlot(store, header, change.slot, change);
    for (const slot of slots) await writeSlot(store, bytes, emptyLuksSlot(bytes, slot));
    return slots;
  } finally {
    change.passphrase?.fill(0);
  }
}

async function givenSlot(
  store: LuksStore,
  header: LuksHeader,
  slot: number,
  { passphrase, force }: KeyErasure,
): Promise<number[]> {
  checkSlot(header, slot);
  if (passphrase !== undefined && !(await opens(store, header, slot, passphrase))) {
    refuse('other-passphrase', slot);
  }
  if (force) return [slot];
  if (header.info.slots[slot]?.active !== true) refuse('not-in-use', slot);
  if (activeSlots(header) === 1) refuse('last', slot);
  return [slot];
}

async function matchingSlots(
  store: LuksStore,
  header: LuksHeader,
  { passphrase, force }: KeyErasure,
): Promise<number[]> {
  if (passphrase === undefined) refuse('none-given', -1);
  const slots: number[] = [];
  for (const slot of header.info.slots.keys()) {
    if (await opens(store, header, slot, passphrase)) slots.push(slot);
  }
  if (slots.length === 0) refuse('none-match', -1);
  if (!force && slots.length === activeSlots(header)) refuse('all-match', -1);
  return slots;
}

async function readHeader(
  store: LuksStore,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; header: LuksHeader }> {
  const bytes = (await store.read(0, LUKS_HEADER_BYTES)).slice();
  return { bytes, header: parseLuksHeader(bytes) };
}

/** The material first: a header never speaks of a key that is not there yet. */
async function writeSlot(store: LuksStore, header: Uint8Array, material: LuksPiece): Promise<void> {
  await store.write(material.offset, material.bytes);
  await store.write(0, header);
}

async function opens(
  store: LuksStore,
  header: LuksHeader,
  slot: number,
  passphrase: Passphrase,
): Promise<boolean> {
  const key = await tryLuksSlot(header, slot, store.read, passphrase);
  key?.fill(0);
  return key !== undefined;
}

function activeSlots({ info }: LuksHeader): number {
  return info.slots.filter(({ active }) => active).length;
}

function checkSlot({ info }: LuksHeader, slot: number): void {
  if (info.slots[slot] === undefined) refuse('no-such-slot', slot);
}

function refuse(problem: KeySlotProblem, slot: number): never {
  throw new ImageError('key-slot', { problem, slot });
}
