/** The creation options that make a qcow2 image an encrypted one. */
import type { Encryption } from '../engine/index.ts';
import type { Context } from './context.ts';
import { CREATION_TYPES, type CreationValues } from './creation-values.ts';
import { luksOptionsOf, readLuksChoice, takePassphrase, type LuksChoice } from './luks-options.ts';
import { OptionFault } from './option-text.ts';

/** What was asked for: the legacy AES has nothing to choose. */
export type EncryptionChoice =
  { method: 'aes'; secret: string | undefined } | { method: 'luks'; choice: LuksChoice };

const PREFIX = 'encrypt.';
const NAMES = Object.keys(CREATION_TYPES.qcow2).filter((name) => name.startsWith(PREFIX));

/**
 * Whether and how a new image is to be encrypted.
 * @throws OptionFault for what no image can be
 */
export function readEncryption(values: CreationValues): EncryptionChoice | undefined {
  const isOn = values.isOn('encryption');
  const format = values.text('encrypt.format') ?? (isOn ? 'aes' : undefined);
  if (isOn && values.text('encrypt.format') !== undefined) {
    const both = "can't be used at the same time";
    throw new OptionFault(`'encrypt.format' and its alias 'encryption' ${both}`);
  }
  const given = NAMES.filter((name) => values.print(name) !== undefined);
  switch (format) {
    case undefined:
      if (given.length > 0) throw new OptionFault("Parameter 'encrypt.format' is missing");
      return undefined;
    case 'aes':
    case 'qcow':
      for (const name of given) {
        if (name === 'encrypt.format' || name === 'encrypt.key-secret') continue;
        throw new OptionFault(`Parameter '${name}' is unexpected`);
      }
      return { method: 'aes', secret: values.text('encrypt.key-secret') };
    case 'luks':
      return { method: 'luks', choice: readLuksChoice(values, PREFIX) };
    default:
      throw new OptionFault(`Parameter 'format' does not accept value '${format}'`);
  }
}

/**
 * The encryption as the engine takes it, with the passphrase.
 * @throws OptionFault for what does not go together, CommandFailure for ciphers not known here
 */
export async function encryptionOf(
  context: Context,
  encryption: EncryptionChoice | undefined,
): Promise<Encryption | undefined> {
  if (encryption === undefined) return undefined;
  if (encryption.method === 'aes') {
    const passphrase = await takePassphrase(context, encryption.secret, PREFIX);
    return { method: 'aes', passphrase };
  }
  const { choice } = encryption;
  const passphrase = await takePassphrase(context, choice.secret, PREFIX);
  try {
    return { method: 'luks', options: luksOptionsOf(choice), passphrase };
  } catch (error) {
    passphrase.fill(0);
    throw error;
  }
}
