/**
 * What publishers say of the digests of their files: SHA256SUMS and the like, or a digest copied
 * from a page. Pure: text in, values out.
 */
import { HASH_NAMES, type HashName } from '../codecs/hash.ts';

/** One digest that a list holds. */
export interface ListedChecksum {
  /** As the list has it; undefined for a digest that stands alone. */
  name: string | undefined;
  /** One that can be computed, or the name of another, such as MD5. */
  algorithm: HashName | (string & {});
  /** Lower-case hexadecimal. */
  digest: string;
}

export interface ChecksumList {
  entries: ListedChecksum[];
  /** Sizes that comments of the list tell, bytes, by the name of the file. */
  sizes: Map<string, number>;
}

/** What a list says of one file. */
export type Expectation =
  /** There is no digest in the list. */
  | { kind: 'none' }
  /** Those that there are for the file (or for any) cannot be computed. */
  | { kind: 'unsupported'; algorithms: string[] }
  | {
      kind: 'listed';
      /** The file's name in the list; undefined where the digest stands alone. */
      name: string | undefined;
      algorithm: HashName;
      /** More than one only where the list contradicts itself: any of them will do. */
      digests: string[];
      /** Bytes, where the list tells. */
      size: number | undefined;
    }
  /** The list has digests, but of other files. */
  | { kind: 'not-listed'; algorithm: HashName; names: string[] };

/** How a digest stands to a list. */
export type ChecksumVerdict =
  | { kind: 'match'; name: string | undefined }
  /** The file is not listed under its own name; it is the one that is listed as `name`. */
  | { kind: 'other-name'; name: string }
  /** `other`: the name under which the digest that the file has is listed. */
  | { kind: 'mismatch'; expected: string[]; other: string | undefined }
  | { kind: 'not-listed'; names: string[] };

/** Digits of a digest, and what it is then taken for. */
const BY_LENGTH = new Map<number, string>([
  [32, 'MD5'],
  [40, 'SHA-1'],
  [56, 'SHA-224'],
  [64, 'sha256'],
  [96, 'SHA-384'],
  [128, 'sha512'],
]);
/** Names of those that can be computed, as lists and OpenSSL write them, without dashes. */
const BY_TAG = new Map<string, string>([
  ['SHA256', 'sha256'],
  ['SHA2256', 'sha256'],
  ['SHA512', 'sha512'],
  ['SHA2512', 'sha512'],
]);

/** `SHA256 (name) = digest`, as BSD's tools and sha256sum --tag write it. */
const TAGGED = /^(\\?)([a-z][\w/-]*) ?\((.+)\) ?= ?([0-9a-f]+)$/i;
/** `digest  name` or `digest *name`, as GNU's tools write it; some lists have other gaps. */
const PLAIN = /^(\\?)([0-9a-f]{32,128})(?: [ *]|\s+\*?)(.+)$/i;
/** `digest` alone, perhaps with the algorithm before it. */
const ALONE = /^(?:([a-z][\w-]*)\s*[:=]\s*)?([0-9a-f]{32,128})$/i;
/** Words before a digest that name an algorithm; any other word names nothing. */
const ALGORITHM = /^(sha|md\d|blake|ripemd|rmd|sm3)/i;
/** `# name: 123 bytes`, as Fedora's lists have it. */
const SIZE = /^# (.+): (\d+) bytes$/;
const SIGNATURE = '-----BEGIN PGP SIGNATURE-----';

/**
 * Reads a list. Lines that are none of it (comments, the wrapping of a signature, which is not
 * verified) are passed over; where no line fits, digests are looked for anywhere in the text.
 */
export function parseChecksumList(text: string): ChecksumList {
  const [signed = ''] = text.split(SIGNATURE);
  const entries: ListedChecksum[] = [];
  const sizes = new Map<string, number>();
  for (const raw of signed.split(/[\r\n]+/)) {
    // In a signed text, a dash at the beginning of a line is hidden behind another.
    const line = raw.replace(/^- /, '').trim();
    const [, name, size] = SIZE.exec(line) ?? [];
    if (name !== undefined) sizes.set(name, Number(size));
    const entry = parseLine(line);
    if (entry !== undefined) entries.push(entry);
  }
  if (entries.length === 0) {
    for (const [word] of signed.matchAll(/\b[0-9a-f]{32,128}\b/gi)) {
      const entry = toEntry(undefined, undefined, word);
      if (entry !== undefined) entries.push(entry);
    }
  }
  return { entries, sizes };
}

function parseLine(line: string): ListedChecksum | undefined {
  const tagged = TAGGED.exec(line);
  if (tagged !== null) {
    const [, escaped, tag, name = '', digest = ''] = tagged;
    return toEntry(unescapeName(name, escaped), tag, digest);
  }
  const alone = ALONE.exec(line);
  if (alone !== null) {
    const [, word = '', digest = ''] = alone;
    return toEntry(undefined, ALGORITHM.test(word) ? word : undefined, digest);
  }
  const plain = PLAIN.exec(line);
  if (plain === null) return undefined;
  const [, escaped, digest = '', name = ''] = plain;
  return toEntry(unescapeName(name, escaped), undefined, digest);
}

/** GNU's tools mark a line whose name has a backslash or a line break in it by a backslash. */
function unescapeName(name: string, mark: string | undefined): string {
  if (mark !== '\\') return name;
  return name.replace(/\\([\\nr])/g, (_, letter) =>
    letter === 'n' ? '\n' : letter === 'r' ? '\r' : '\\',
  );
}

/** Undefined for what cannot be a digest: the length says so, or does not go with the name. */
function toEntry(
  name: string | undefined,
  tag: string | undefined,
  digest: string,
): ListedChecksum | undefined {
  const byLength = BY_LENGTH.get(digest.length);
  const byTag = tag === undefined ? byLength : (BY_TAG.get(plainTag(tag)) ?? tag);
  if (byTag === undefined || (isSupported(byTag) && byTag !== byLength)) return undefined;
  return { name, algorithm: byTag, digest: digest.toLowerCase() };
}

function plainTag(tag: string): string {
  return tag.replaceAll('-', '').toUpperCase();
}

function isSupported(algorithm: string): algorithm is HashName {
  return HASH_NAMES.some((name) => name === algorithm);
}

/** What the list says of the file of that name; folders count neither here nor there. */
export function expectationOf(list: ChecksumList, file: string): Expectation {
  const { entries, sizes } = list;
  if (entries.length === 0) return { kind: 'none' };
  const name = baseName(file);
  const own = entries.filter((entry) => entry.name !== undefined && baseName(entry.name) === name);
  const meant = own.length > 0 ? own : entries.filter((entry) => entry.name === undefined);
  const [best] = bestOf(meant);
  if (best !== undefined) {
    const { algorithm } = best;
    const digests = meant.filter((entry) => entry.algorithm === algorithm);
    return {
      kind: 'listed',
      name: best.name,
      algorithm,
      digests: [...new Set(digests.map(({ digest }) => digest))],
      size: sizes.get(name),
    };
  }
  const others = meant.length > 0 ? [] : bestOf(entries);
  const [other] = others;
  if (other === undefined) {
    const algorithms = (meant.length > 0 ? meant : entries).map(({ algorithm }) => algorithm);
    return { kind: 'unsupported', algorithms: [...new Set(algorithms)] };
  }
  const names = others.flatMap((entry) => entry.name ?? []);
  return { kind: 'not-listed', algorithm: other.algorithm, names: [...new Set(names)] };
}

type Supported = ListedChecksum & { algorithm: HashName };

/** The entries of the first algorithm that can be computed and that there are entries of. */
function bestOf(entries: readonly ListedChecksum[]): Supported[] {
  for (const algorithm of HASH_NAMES) {
    const found = entries.filter((entry): entry is Supported => entry.algorithm === algorithm);
    if (found.length > 0) return found;
  }
  return [];
}

/**
 * Compares a digest of a file with what the list says of it. Undefined where the list says nothing
 * in that algorithm.
 */
export function judgeChecksum(
  list: ChecksumList,
  file: string,
  { algorithm, digest }: { algorithm: HashName; digest: string },
): ChecksumVerdict | undefined {
  const expectation = expectationOf(list, file);
  if (expectation.kind === 'none' || expectation.kind === 'unsupported') return undefined;
  if (expectation.algorithm !== algorithm) return undefined;
  const other = list.entries.find(
    (entry) => entry.name !== undefined && entry.algorithm === algorithm && entry.digest === digest,
  )?.name;
  if (expectation.kind === 'not-listed') {
    if (other !== undefined) return { kind: 'other-name', name: other };
    return { kind: 'not-listed', names: expectation.names };
  }
  const { name, digests } = expectation;
  if (digests.includes(digest)) return { kind: 'match', name };
  return { kind: 'mismatch', expected: digests, other };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
