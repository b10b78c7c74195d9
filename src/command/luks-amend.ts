/** What `qemu-img amend` changes of an encrypted image: the passphrases in its key slots. */
import {
  changeLuksKeys,
  changeVolumeKeys,
  isImageError,
  LUKS_ITER_TIME,
  LuksVolume,
  Qcow2Image,
  type KeyChange,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { CommandFailure, isCancelled, type Context } from './context.ts';
import type { CreationValues, OptionTypes } from './creation-values.ts';
import type { OpenedImage } from './images.ts';
import { errorText } from './messages.ts';
import { OptionFault } from './option-text.ts';

/** The options of a volume, in the order in which they are listed. */
export const VOLUME_TYPES: OptionTypes = {
  'iter-time': 'number',
  keyslot: 'number',
  'new-secret': 'text',
  'old-secret': 'text',
  state: 'text',
};

/** The same of a qcow2 image. */
export const KEY_SLOT_TYPES: OptionTypes = Object.fromEntries(
  Object.entries(VOLUME_TYPES).map(([name, type]) => [`encrypt.${name}`, type]),
);

const SLOTS = 8;

/**
 * Whether the options ask for a change of key slots.
 * @throws OptionFault where the image has none
 */
export function changesKeySlots(disk: Disk, values: CreationValues): boolean {
  if (!Object.keys(KEY_SLOT_TYPES).some((name) => values.print(name) !== undefined)) return false;
  const method = disk instanceof Qcow2Image ? disk.header.cryptMethod : 0;
  if (method === 0) {
    throw new OptionFault("Can't amend encryption options - encryption not present");
  }
  if (method !== 2) throw new OptionFault('Only LUKS encryption options can be amended');
  return true;
}

/**
 * Changes the key slots of an image that is open for a change, as the options say.
 * @param force even where a passphrase is lost by it, or all of them
 * @throws OptionFault, CommandFailure; the key slots are as they were then
 */
export async function amendKeySlots(
  context: Context,
  { disk, keySecret }: OpenedImage,
  values: CreationValues,
  force: boolean,
): Promise<void> {
  const isVolume = disk instanceof LuksVolume;
  if (!isVolume && !(disk instanceof Qcow2Image)) return;
  const given = new KeyValues(values, isVolume ? '' : 'encrypt.');
  const change = readChange(context, given, keySecret, force);
  try {
    await (isVolume ? changeVolumeKeys(disk, change) : changeLuksKeys(disk, change));
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(errorText(error), 1, error);
  }
}

/** The options by their names without a prefix. */
class KeyValues {
  readonly #values: CreationValues;
  readonly #prefix: string;

  constructor(values: CreationValues, prefix: string) {
    this.#values = values;
    this.#prefix = prefix;
  }

  text(name: string): string | undefined {
    return this.#values.text(this.#prefix + name);
  }

  number(name: string): bigint | undefined {
    return this.#values.number(this.#prefix + name);
  }

  has(name: string): boolean {
    return this.#values.print(this.#prefix + name) !== undefined;
  }
}

/** The order of the tests is the real program's. */
function readChange(
  context: Context,
  values: KeyValues,
  keySecret: string | undefined,
  force: boolean,
): KeyChange {
  const state = values.text('state');
  const number = values.number('keyslot');
  // As a C program cuts it to an int.
  const slot = number === undefined ? undefined : Number(BigInt.asIntN(32, number));
  switch (state) {
    case undefined:
      throw new OptionFault("Parameter 'state' is missing");
    case 'active':
      return readAddition(context, values, { slot, keySecret, force });
    case 'inactive':
      return readErasure(context, values, { slot, force });
    default:
      throw new OptionFault(`Parameter 'state' does not accept value '${state}'`);
  }
}

function readAddition(
  { secrets }: Context,
  values: KeyValues,
  {
    slot,
    keySecret,
    force,
  }: { slot: number | undefined; keySecret: string | undefined; force: boolean },
): KeyChange {
  const added = values.text('new-secret');
  if (added === undefined) {
    throw new OptionFault("'new-secret' is required to activate a keyslot");
  }
  if (values.text('old-secret') !== undefined) {
    throw new OptionFault("'old-secret' must not be given when activating keyslots");
  }
  if (slot !== undefined) checkSlot(slot, slot >>> 0);
  // Without it the image would not be open.
  const current = secrets.passphrase(keySecret ?? '');
  const iterTime = Number(values.number('iter-time') ?? LUKS_ITER_TIME);
  return {
    ...{ kind: 'add', slot, current, iterTime, force },
    added: () => secrets.passphrase(added),
  };
}

function readErasure(
  { secrets }: Context,
  values: KeyValues,
  { slot, force }: { slot: number | undefined; force: boolean },
): KeyChange {
  for (const name of ['new-secret', 'iter-time']) {
    if (!values.has(name)) continue;
    throw new OptionFault(`'${name}' must not be given when erasing keyslots`);
  }
  const old = values.text('old-secret');
  const passphrase = old === undefined ? undefined : secrets.passphrase(old);
  if (slot !== undefined) checkSlot(slot, slot);
  return { kind: 'erase', slot, passphrase, force };
}

/** @param shown the number as the real program prints it */
function checkSlot(slot: number, shown: number): void {
  if (slot >= 0 && slot < SLOTS) return;
  throw new OptionFault(`Invalid keyslot ${shown} specified, must be between 0 and ${SLOTS - 1}`);
}
