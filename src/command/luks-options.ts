/** The creation options of an encrypted image, as far as they decide how much room its keys take. */
import { luksOverhead } from '../engine/index.ts';
import type { Context } from './context.ts';
import type { CreationValues } from './creation-values.ts';
import { OptionFault } from './option-text.ts';

const CIPHERS = [
  ...['aes-128', 'aes-192', 'aes-256', 'des', '3des', 'cast5-128'],
  ...['serpent-128', 'serpent-192', 'serpent-256', 'twofish-128', 'twofish-192', 'twofish-256'],
];
const MODES = ['ecb', 'cbc', 'xts', 'ctr'];
const GENERATORS = ['plain', 'plain64', 'essiv'];
/** Bytes of a digest. */
const HASHES: Readonly<Record<string, number>> = {
  ...{ md5: 16, sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64, ripemd160: 20 },
};
/** The families that there are ESSIV ciphers of. */
const FAMILIES: Readonly<Record<string, string>> = {
  ...{ aes: 'AES', serpent: 'Serpent', twofish: 'Twofish' },
};

/**
 * Bytes of the LUKS header that the options ask for. Everything is validated that the real program
 * validates, in its order, although only the length of the key counts.
 * @param prefix of the names of the options
 * @throws OptionFault
 */
export async function luksOverheadOf(
  { secrets }: Context,
  values: CreationValues,
  prefix: '' | 'encrypt.',
): Promise<number> {
  const choose = (name: string, known: readonly string[], usual: string): string => {
    const value = values.text(prefix + name);
    if (value === undefined) return usual;
    if (known.includes(value)) return value;
    throw new OptionFault(`Parameter '${name}' does not accept value '${value}'`);
  };
  const cipher = choose('cipher-alg', CIPHERS, 'aes-256');
  const mode = choose('cipher-mode', MODES, 'xts');
  const generator = choose('ivgen-alg', GENERATORS, 'plain64');
  const generatorHash = choose('ivgen-hash-alg', Object.keys(HASHES), 'sha256');
  choose('hash-alg', Object.keys(HASHES), 'sha256');
  if ((values.number(`${prefix}iter-time`) ?? 0n) >= 2n ** 63n) {
    throw new OptionFault("Parameter 'iter-time' expects integer");
  }
  const secret = values.text(`${prefix}key-secret`);
  if (secret === undefined) {
    throw new OptionFault(`Parameter '${prefix}key-secret' is required for cipher`);
  }
  await secrets.load();
  secrets.passphrase(secret);
  return luksOverhead(keyBytes(cipher, mode, generator === 'essiv' ? generatorHash : undefined));
}

/** Bytes of the key. @throws OptionFault for ciphers that do not go together */
function keyBytes(cipher: string, mode: string, essivHash: string | undefined): number {
  const [family = '', bits] = cipher.split('-');
  if (bits === undefined) throw new OptionFault(`Algorithm '${cipher}' not supported`);
  if (essivHash !== undefined) checkEssiv(cipher, family, essivHash);
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
function checkEssiv(cipher: string, family: string, hash: string): void {
  const size = HASHES[hash] ?? 0;
  const name = FAMILIES[family];
  if (name === undefined && size !== 16) {
    throw new OptionFault(`Cipher ${cipher} not supported with essiv`);
  }
  if (name !== undefined && ![16, 24, 32].includes(size)) {
    throw new OptionFault(`No ${name} cipher with key size ${size} available`);
  }
}
