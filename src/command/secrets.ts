/**
 * Passphrases for the command line: `--object secret,…`. They are kept for as long as the command
 * runs, handed out as bytes, and never part of a message.
 */
import { isImageError, readPadded } from '../engine/index.ts';
import type { ErrorDetails } from '../engine/errors.ts';
import { NOT_REGULAR, type CommandHost } from './host.ts';
import { isSwitch, OptionFault, parseObjectText, type OptionValue } from './option-text.ts';

/** What the real program can make besides. */
const OTHER_TYPES = [
  ...['authz-list', 'authz-list-file', 'authz-simple', 'main-loop', 'pr-manager-helper'],
  ...['secret_keyring', 'thread-context', 'throttle-group', 'tls-cipher-suites', 'tls-creds-anon'],
  ...['tls-creds-psk', 'tls-creds-x509'],
];
const FORMATS = ['raw', 'base64'];
const PROPERTIES = ['qom-type', 'id', 'loaded', 'format', 'keyid', 'iv', 'data', 'file'];

const TYPES_HELP = 'List of user creatable objects:\n  secret\n';
const SECRET_HELP = `secret options:
  data=<string>
  file=<string>
  format=<QCryptoSecretFormat>
  iv=<string>
  keyid=<string>
`;

/** A file that holds a passphrase is small. */
const LONGEST_FILE = 1024 * 1024;
const KEY_BYTES = 32;
const BLOCK_BYTES = 16;

/** A secret as it was described; text, because it comes from a command line. */
interface Described {
  readonly id: string;
  readonly data: string | undefined;
  readonly file: string | undefined;
  readonly base64: boolean;
  readonly keyId: string | undefined;
  readonly iv: string | undefined;
}

/** The secrets of one command. */
export class Secrets {
  readonly #host: CommandHost;
  readonly #described = new Map<string, Described>();
  readonly #known = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(host: CommandHost) {
    this.#host = host;
  }

  /**
   * Takes one description.
   * @returns help to be printed instead of doing anything, where it is asked for
   * @throws OptionFault
   */
  describe(text: string): string | undefined {
    const { values, help } = parseObjectText(text, 'data', PROPERTIES);
    const type = stringOf(values, 'qom-type');
    if (help) return type === 'secret' ? SECRET_HELP : TYPES_HELP;
    const secret = readDescription(values, type);
    if (this.#described.has(secret.id)) {
      const problem = `attempt to add duplicate property '${secret.id}'`;
      throw new OptionFault(`${problem} to object (type 'container')`);
    }
    if (secret.file !== undefined && secret.data !== undefined) {
      throw new OptionFault("'file' and 'data' are mutually exclusive");
    }
    if (secret.file === undefined && secret.data === undefined) {
      throw new OptionFault("Either 'file' or 'data' must be provided");
    }
    this.#described.set(secret.id, secret);
    return undefined;
  }

  /** Reads and decodes what was described so far. @throws OptionFault */
  async load(): Promise<void> {
    for (const [id, secret] of this.#described) {
      if (!this.#known.has(id)) this.#known.set(id, await this.#bytesOf(secret));
    }
  }

  /** Takes a passphrase that nobody has to describe. The bytes are kept until {@link forget}. */
  hold(id: string, bytes: Uint8Array<ArrayBuffer>): void {
    this.#known.set(id, bytes);
  }

  /** Overwrites all that is known. */
  forget(): void {
    for (const bytes of this.#known.values()) bytes.fill(0);
    this.#known.clear();
  }

  /** The bytes of a passphrase, which belong to the caller. @throws OptionFault */
  passphrase(id: string): Uint8Array<ArrayBuffer> {
    const bytes = this.#lookUp(id);
    if (!isText(bytes)) throw new OptionFault(`Data from secret ${id} is not valid UTF-8`);
    return bytes.slice();
  }

  #lookUp(id: string): Uint8Array<ArrayBuffer> {
    const bytes = this.#known.get(id);
    if (bytes === undefined) throw new OptionFault(`No secret with id '${id}'`);
    return bytes;
  }

  async #bytesOf(secret: Described): Promise<Uint8Array<ArrayBuffer>> {
    const { data, file = '', base64, keyId, iv } = secret;
    const given = data === undefined ? await this.#read(file) : new TextEncoder().encode(data);
    // Only what is encrypted needs the key at once.
    const key = keyId === undefined ? undefined : this.#lookUp(keyId);
    if (key === undefined) return base64 ? decodeBase64(given) : given;
    return decrypt(key, iv, () => (base64 ? decodeBase64(given) : given));
  }

  async #read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    try {
      if (this.#host.contents !== undefined) return await this.#host.contents(name);
      const storage = await this.#host.open(name);
      try {
        return await readPadded(storage, 0, Math.min(storage.size, LONGEST_FILE));
      } finally {
        await storage.close();
      }
    } catch (error) {
      if (!isImageError(error, 'open-failed')) throw error;
      throw new OptionFault(`Unable to read ${name}: ${openProblem(name, error.details)}`);
    }
  }
}

/** As GLib says it, quotation marks included. */
function openProblem(name: string, { reason }: ErrorDetails['open-failed']): string {
  const isFolder = reason === NOT_REGULAR || reason === 'Is a directory';
  if (isFolder) return `Error reading file “${name}”: Is a directory`;
  return `Failed to open file “${name}”: ${reason}`;
}

type Values = ReadonlyMap<string, OptionValue | object>;

function stringOf(values: Values, name: string): string | undefined {
  const value = values.get(name);
  if (value === undefined || typeof value === 'string') return value;
  throw new OptionFault(`Invalid parameter type for '${name}', expected: string`);
}

/** The order of the tests is the real program's. */
function readDescription(values: Values, type: string | undefined): Described {
  if (type === undefined) throw new OptionFault("Parameter 'qom-type' is missing");
  if (OTHER_TYPES.includes(type)) {
    throw new OptionFault(`--object ${type} is not supported by this version`);
  }
  if (type !== 'secret') {
    throw new OptionFault(`Parameter 'qom-type' does not accept value '${type}'`);
  }
  const id = stringOf(values, 'id');
  if (id === undefined) throw new OptionFault("Parameter 'id' is missing");
  const loaded = values.get('loaded');
  if (
    loaded !== undefined &&
    typeof loaded !== 'boolean' &&
    !(typeof loaded === 'string' && isSwitch(loaded))
  ) {
    throw new OptionFault("Parameter 'loaded' expects 'on' or 'off'");
  }
  const format = stringOf(values, 'format') ?? 'raw';
  if (!FORMATS.includes(format)) {
    throw new OptionFault(`Parameter 'format' does not accept value '${format}'`);
  }
  const secret = {
    id,
    base64: format === 'base64',
    keyId: stringOf(values, 'keyid'),
    iv: stringOf(values, 'iv'),
    data: stringOf(values, 'data'),
    file: stringOf(values, 'file'),
  };
  for (const name of values.keys()) refuseUnknown(name);
  if (!/^[A-Za-z][\w.-]*$/.test(id)) {
    const rule = "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.";
    throw new OptionFault(`Parameter 'id' expects an identifier\n${rule}`);
  }
  if (loaded !== undefined) throw new OptionFault("Property 'secret.loaded' is not writable");
  return secret;
}

function refuseUnknown(name: string): void {
  const [head = ''] = name.split('.');
  if (!PROPERTIES.includes(head)) throw new OptionFault(`Parameter '${head}' is unexpected`);
  if (head !== name) throw new OptionFault(`Parameters '${head}.*' are unexpected`);
}

function isText(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return !bytes.includes(0);
  } catch {
    return false;
  }
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** As GLib decodes it: line breaks are passed over, and so is an unfinished group at the end. */
function decodeBase64(text: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let group: number[] = [];
  let padding = 0;
  for (const code of text) {
    const letter = String.fromCharCode(code);
    if (letter === '\n') continue;
    const digit = letter === '=' ? 0 : DIGITS.indexOf(letter);
    if (digit < 0) throw new OptionFault('Base64 data contains invalid characters');
    if (letter === '=') padding++;
    group.push(digit);
    if (group.length < 4) continue;
    const word = group.reduce((sum, value) => sum * 64 + value, 0);
    bytes.push(...[word >> 16, (word >> 8) & 255, word & 255].slice(0, Math.max(0, 3 - padding)));
    group = [];
    padding = 0;
  }
  return Uint8Array.from(bytes);
}

/** A secret that is itself encrypted: AES-256 in CBC, with another secret as the key. */
async function decrypt(
  key: Uint8Array<ArrayBuffer>,
  ivText: string | undefined,
  data: () => Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  if (key.length !== KEY_BYTES) {
    throw new OptionFault(`Key should be ${KEY_BYTES} bytes in length`);
  }
  if (ivText === undefined) throw new OptionFault('IV is required to decrypt secret');
  const iv = decodeBase64(new TextEncoder().encode(ivText));
  if (iv.length !== BLOCK_BYTES) {
    throw new OptionFault(`IV should be ${BLOCK_BYTES} bytes in length not ${iv.length}`);
  }
  const encrypted = data();
  if (encrypted.length % BLOCK_BYTES !== 0) {
    const problem = `Length ${encrypted.length} must be a multiple of block size ${BLOCK_BYTES}`;
    throw new OptionFault(problem);
  }
  if (encrypted.length === 0) return encrypted;
  const handle = await crypto.subtle.importKey('raw', key, 'AES-CBC', false, ['decrypt']);
  try {
    const clear = await crypto.subtle.decrypt({ name: 'AES-CBC', iv }, handle, encrypted);
    return new Uint8Array(clear);
  } catch {
    throw new OptionFault('Incorrect padding found on decrypted data');
  }
}
