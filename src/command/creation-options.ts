/** The list behind `-o`: name=value, separated by commas; a comma in a value is doubled. */
import { CommandFailure, notSupported } from './context.ts';
import type { TargetFormat } from './creation/target-format.ts';
import { parseSize } from './sizes.ts';

/** What a raw file can be created with. */
export interface RawOptions {
  /** Every byte gets its place on the medium at once. */
  preallocate: boolean;
}

/** `-o` may be given several times. @throws CommandFailure for a list that cannot be one */
export function joinOptionLists(before: string | undefined, list: string): string {
  // A comma at the end would swallow what follows it.
  if (list === '' || list.startsWith(',') || /(?:^|[^,])(?:,,)*,$/.test(list)) {
    throw new CommandFailure(`Invalid option list: ${list}`);
  }
  return before === undefined ? list : `${before},${list}`;
}

/** The items of a list; a literal comma is written twice. */
export function splitOptions(list: string): string[] {
  return list.split(/(?<!,)(?:,,)*,(?!,)/).map((item) => item.replaceAll(',,', ','));
}

/** Whether one of the options asks for the list of options. */
export function wantsHelp(list: string): boolean {
  return splitOptions(list).some((item) => item === 'help' || item === '?');
}

/** What `-o help` prints for raw; with a file name also what the file itself takes. */
export function optionsHelp(target: string | undefined): string {
  if (target === undefined) {
    return `Supported raw options:
  size=<size>            - Taken from the source

With the name of a target, its options are listed too.
`;
  }
  return `Supported options:
  preallocation=<str>    - off, or full or falloc: no holes in the target
  size=<size>            - Taken from the source
`;
}

/**
 * Reads the options for a raw target.
 * @throws CommandFailure for options that do not exist, bad values and what is not supported
 */
export function rawOptions(list: string | undefined, target: string): RawOptions {
  const result: RawOptions = { preallocate: false };
  if (list === undefined) return result;
  for (const item of splitOptions(list)) {
    const [name = '', value] = splitOnce(item);
    if (name === 'preallocation') result.preallocate = preallocation(value ?? 'on', target);
    else if (name === 'size') checkSize(name, value);
    else if (name === 'nocow') refuseUnlessOff(name, value);
    else if (name === 'extent_size_hint') {
      checkSize(name, value);
      if (value !== '0') throw notSupported('The option extent_size_hint');
    } else throw new CommandFailure(`Invalid parameter '${name}'`);
  }
  return result;
}

function splitOnce(item: string): [string, string | undefined] {
  const equals = item.indexOf('=');
  return equals < 0 ? [item, undefined] : [item.slice(0, equals), item.slice(equals + 1)];
}

function preallocation(value: string, target: string): boolean {
  if (value === 'off') return false;
  if (value === 'full' || value === 'falloc') return true;
  const error = `error while converting raw: invalid parameter value: ${value}`;
  throw new CommandFailure(`${target}: ${error}`);
}

function checkSize(name: string, value: string | undefined): void {
  if (parseSize(value ?? '').kind !== 'invalid') return;
  throw new CommandFailure(
    `Parameter '${name}' expects a non-negative number below 2^64\n` +
      'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n' +
      'and exabytes, respectively.',
  );
}

function refuseUnlessOff(name: string, value: string | undefined): void {
  if (value === 'off') return;
  if (value !== 'on') throw new CommandFailure(`Parameter '${name}' expects 'on' or 'off'`);
  throw notSupported(`The option ${name}`);
}

const QCOW2_HELP = `  backing_file=<str>     - What the new image is based on
  backing_fmt=<str>      - The format of that file
  cluster_size=<size>    - Bytes of a cluster, 512 to 2M
  compat=<str>           - Version of the format: v2 [0.10] or v3 [1.1]
  compression_type=<str> - zlib or zstd
  data_file=<str>        - Another file, which gets the content of the disk
  data_file_raw=<bool (on/off)> - Whether that file is a raw disk by itself
  encrypt.cipher-alg=<str>  - aes-128, aes-192 or aes-256
  encrypt.cipher-mode=<str> - xts, cbc, ecb or ctr
  encrypt.format=<str>   - luks, or aes, which is too weak to keep a secret
  encrypt.hash-alg=<str> - What keys are derived with
  encrypt.iter-time=<num> - How long unlocking takes, milliseconds
  encrypt.ivgen-alg=<str> - plain64, plain or essiv
  encrypt.ivgen-hash-alg=<str> - The digest of essiv
  encrypt.key-secret=<str> - The passphrase, by the id of a secret
  encryption=<bool (on/off)> - The same as encrypt.format=aes
  extended_l2=<bool (on/off)> - Parts of clusters have places of their own
  lazy_refcounts=<bool (on/off)> - Refcounts may be behind while the image is in use
  preallocation=<str>    - off, metadata, falloc or full
  refcount_bits=<num>    - Width of a refcount, 1 to 64
  size=<size>            - Bytes of the disk
`;

/** What `create -o help` prints; with a file name also what the file itself takes. */
export function createHelp(format: 'qcow2' | 'raw' | TargetFormat, hasName: boolean): string {
  const more = hasName ? '' : '\nWith the name of a file, its options are listed too.\n';
  const name = typeof format === 'string' ? format : format.name;
  const head = hasName ? 'Supported options:\n' : `Supported ${name} options:\n`;
  if (typeof format !== 'string') return `${head}${format.help}${more}`;
  if (format === 'qcow2') return `${head}${QCOW2_HELP}${more}`;
  const room = '  preallocation=<str>    - off, or full or falloc: no holes in the file\n';
  return `${head}${hasName ? room : ''}  size=<size>            - Bytes of the disk\n${more}`;
}

/** What `amend -o help` prints. */
export function amendHelp(): string {
  return `Amend options for 'qcow2':
  backing_file=<str>     - What the image is based on: as it is
  backing_fmt=<str>      - The format of that file: as it is
  compat=<str>           - Version of the format: v2 [0.10] or v3 [1.1]
  data_file=<str>        - Another name for the external data file
  data_file_raw=<bool (on/off)> - Whether that file is a raw disk by itself
  encrypt.iter-time=<num> - How long unlocking takes, milliseconds
  encrypt.keyslot=<num>  - Which key slot, 0 to 7
  encrypt.new-secret=<str> - The passphrase to be added, by the id of a secret
  encrypt.old-secret=<str> - The passphrase to be erased, by the id of a secret
  encrypt.state=<str>    - active or inactive
  lazy_refcounts=<bool (on/off)> - Refcounts may be behind while the image is in use
  refcount_bits=<num>    - Width of a refcount, 1 to 64
  size=<size>            - Bytes of the disk
`;
}

/** The same for a LUKS volume. */
export function amendVolumeHelp(): string {
  return `Amend options for 'luks':
  iter-time=<num>        - How long unlocking takes, milliseconds
  keyslot=<num>          - Which key slot, 0 to 7
  new-secret=<str>       - The passphrase to be added, by the id of a secret
  old-secret=<str>       - The passphrase to be erased, by the id of a secret
  state=<str>            - active or inactive
`;
}
