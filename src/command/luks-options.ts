/** The creation options of an image that is encrypted with LUKS. */
import { LUKS_ITER_TIME, luksOverhead, type LuksOptions } from '../engine/index.ts';
import { notSupported, type Context } from './context.ts';
import type { CreationValues } from './creation-values.ts';
import { OptionFault } from './option-text.ts';

type CipherMode = LuksOptions['mode'];
type VectorKind = LuksOptions['vectors'];
type DigestName = LuksOptions['hash'];

const CIPHERS = [
  ...['aes-128', 'aes-192', 'aes-256', 'des', '3des', 'cast5-128'],
  ...['serpent-128', 'serpent-192', 'serpent-256', 'twofish-128', 'twofish-192', 'twofish-256'],
];
const MODES = ['ecb', 'cbc', 'xts', 'ctr'] as const;
const GENERATORS = ['plain', 'plain64', 'essiv'] as const;
/** Bytes of a digest. */
const HASHES = {
  ...{ md5: 16, sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64, ripemd160: 20 },
} as const satisfies Record<DigestName, number>;
const HASH_NAMES = Object.keys(HASHES) as DigestName[];
/** The families that there are ESSIV ciphers of. */
const FAMILIES: Readonly<Record<string, string>> = {
  ...{ aes: 'AES', serpent: 'Serpent', twofish: 'Twofish' },
};

/** What the options say of the encryption, valid each for itself. */
export interface LuksChoice {
  cipher: string;
  mode: CipherMode;
  generator: VectorKind;
  /** As given, whether the generator has a use for it or not. */
  generatorHash: DigestName | undefined;
  hash: DigestName;
  /** Milliseconds. */
  iterTime: number;
  /** The id of the passphrase. */
  secret: string | undefined;
}

/**
 * Reads the options.
 * @param prefix of their names
 * @throws OptionFault
 */
export function readLuksChoice(values: CreationValues, prefix: '' | 'encrypt.'): LuksChoice {
  const choose = <Value extends string>(name: string, known: readonly Value[]) => {
    const text = values.text(prefix + name);
    if (text === undefined) return undefined;
    const value = known.find((one) => one === text);
    if (value !== undefined) return value;
    throw new OptionFault(`Parameter '${name}' does not accept value '${text}'`);
  };
  const choice = {
    cipher: choose('cipher-alg', CIPHERS) ?? 'aes-256',
    mode: choose('cipher-mode', MODES) ?? 'xts',
    generator: choose('ivgen-alg', GENERATORS) ?? 'plain64',
    generatorHash: choose('ivgen-hash-alg', HASH_NAMES),
    hash: choose('hash-alg', HASH_NAMES) ?? 'sha256',
    secret: values.text(`${prefix}key-secret`),
  };
  const iterTime = values.number(`${prefix}iter-time`);
  if (iterTime !== undefined && iterTime >= 2n ** 63n) {
    throw new OptionFault("Parameter 'iter-time' expects integer");
  }
  return { ...choice, iterTime: iterTime === undefined ? LUKS_ITER_TIME : Number(iterTime) };
}

/**
 * Bytes of the LUKS header that the options ask for. Everything is validated that the real program
 * validates, in its order, although only the length of the key counts.
 * @param prefix of the names of the options
 * @throws OptionFault
 */
export async function luksOverheadOf(
  context: Context,
  values: CreationValues,
  prefix: '' | 'encrypt.',
): Promise<number> {
  const choice = readLuksChoice(values, prefix);
  (await takePassphrase(context, choice.secret, prefix)).fill(0);
  return luksOverhead(keyBytesOf(choice));
}

/** The passphrase of a new image, which belongs to the caller. @throws OptionFault */
export async function takePassphrase(
  { secrets }: Context,
  secret: string | undefined,
  prefix: '' | 'encrypt.',
): Promise<Uint8Array<ArrayBuffer>> {
  if (secret === undefined) {
    throw new OptionFault(`Parameter '${prefix}key-secret' is required for cipher`);
  }
  await secrets.load();
  return secrets.passphrase(secret);
}

/**
 * How the content is to be encrypted, as the engine takes it.
 * @throws OptionFault for ciphers that do not go together, CommandFailure for those not known here
 */
export function luksOptionsOf(choice: LuksChoice): LuksOptions {
  const { cipher, mode, generator, hash, iterTime } = choice;
  const keyBytes = keyBytesOf(choice);
  if (!cipher.startsWith('aes-')) throw notSupported(`The cipher ${cipher}`);
  const usual = generator === 'essiv' ? 'sha256' : undefined;
  const vectorHash = choice.generatorHash ?? usual;
  return { mode, vectors: generator, vectorHash, hash, keyBytes, iterTime };
}

/** Bytes of the key. @throws OptionFault for ciphers that do not go together */
function keyBytesOf({ cipher, mode, generator, generatorHash }: LuksChoice): number {
  const [family = '', bits] = cipher.split('-');
  if (bits === undefined) throw new OptionFault(`Algorithm '${cipher}' not supported`);
  if (generator === 'essiv') checkEssiv(cipher, family, generatorHash ?? 'sha256');
  if (mode === 'xts' && FAMILIES[family] === undefined) {
    throw new OptionFault(`Unsupported cipher mode ${mode}`);
  }
  if (mode !== 'xts' && bits === '192') {
    // The real program does not survive this: key slots would end within a sector.
    throw new OptionFault(`Keys of 192 bits are not possible with the cipher mode ${mode}`);
  }
  // XTS has two keys.
  return (Number(bits) / 8) * (mode === 'xts' ? 2 : 1);
}

/** The digest is the key of the cipher that makes the initial vectors. */
function checkEssiv(cipher: string, family: string, hash: DigestName): void {
  const size = HASHES[hash];
  const name = FAMILIES[family];
  if (name === undefined && size !== 16) {
    throw new OptionFault(`Cipher ${cipher} not supported with essiv`);
  }
  if (name !== undefined && ![16, 24, 32].includes(Number(size))) {
    throw new OptionFault(`No ${name} cipher with key size ${size} available`);
  }
}
