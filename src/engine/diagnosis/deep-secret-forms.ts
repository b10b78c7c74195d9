/**
 * What secrets look like: a text that they begin with, and what has to follow. Names and constants
 * alone stand in many programs, so each form asks for the secret itself. Published examples do not
 * count.
 */
import type { SecretKind } from './facts.ts';

/** One form. */
interface Form {
  readonly kind: SecretKind;
  /** What it begins with; bytes of Latin letters. */
  readonly starts: readonly string[];
  /** All of it, from where it begins; a group is what has to look random. */
  readonly whole: RegExp;
  /** Bytes that have to be at hand for that. */
  readonly length: number;
  /** What stands in front of it, up to {@link BEFORE} bytes. */
  readonly before?: RegExp;
  /** Different letters that the group has at least. */
  readonly variety?: number;
}

/** Bytes in front of a secret, and from its beginning on, that decide whether it is one. */
export const BEFORE = 40;
export const BEHIND = 1024;

const WORD_BEFORE = /[A-Za-z0-9+_]$/;

const FORMS: readonly Form[] = [
  {
    kind: 'private-key',
    starts: ['-----BEGIN '],
    // Lines of the headers that old keys have may come first; then lines of base64.
    whole:
      /^-----BEGIN (?:(?:(?:RSA|EC|DSA|OPENSSH|ENCRYPTED) )?PRIVATE KEY|PGP PRIVATE KEY BLOCK)-----[ \t]*\r?\n(?:(?:[A-Za-z-]{1,40}: [^\r\n]{0,200})?\r?\n){0,6}[ \t]{0,40}([A-Za-z0-9+/=]{60,76})\r?\n[ \t]{0,40}(?:[A-Za-z0-9+/=]{4,76}\r?\n|-----END )/,
    length: 1024,
    variety: 16,
  },
  {
    kind: 'password-hash',
    starts: [':$6$', ':$5$', ':$1$', ':$y$', ':$gy$', ':$2a$', ':$2b$', ':$2y$'],
    // crypt(5) says how long each is; behind it, shadow(5) has the day of its last change.
    whole:
      /^:\$(?:6\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{86}|5\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{43}|1\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}|g?y\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}|2[aby]\$\d\d\$[./A-Za-z0-9]{53}):\d{0,6}:/,
    length: 192,
    before: /(?:^|[\n\0])[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/,
  },
  {
    kind: 'cloud-credentials',
    starts: ['AKIA', 'ASIA'],
    whole: /^(A[KS]IA[A-Z2-7]{16})(?![A-Za-z0-9+/=_-])/,
    length: 32,
    variety: 10,
  },
  {
    kind: 'cloud-credentials',
    starts: ['aws_secret_access_key', 'AWS_SECRET_ACCESS_KEY'],
    whole: /^\w{21}["']?[ \t]{0,4}[=:][ \t]{0,4}["']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])/,
    length: 96,
    variety: 12,
  },
  {
    kind: 'cloud-credentials',
    starts: ['"private_key_id"'],
    whole:
      /^"private_key_id"\s{0,8}:\s{0,8}"([0-9a-f]{40})"[^]{0,64}"private_key"\s{0,8}:\s{0,8}"-----BEGIN PRIVATE KEY-----\\n[A-Za-z0-9+/=]{40}/,
    length: 512,
    variety: 8,
  },
  {
    kind: 'token',
    starts: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'],
    whole: /^gh[pousr]_([A-Za-z0-9]{36})(?![A-Za-z0-9_])/,
    length: 48,
    variety: 12,
  },
  {
    kind: 'token',
    starts: ['github_pat_'],
    whole: /^github_pat_([A-Za-z0-9]{22}_[A-Za-z0-9]{59})(?![A-Za-z0-9_])/,
    length: 104,
    variety: 16,
  },
  {
    kind: 'token',
    starts: ['glpat-'],
    whole: /^glpat-([A-Za-z0-9_-]{20})(?![A-Za-z0-9_])/,
    length: 40,
    variety: 10,
  },
  {
    kind: 'token',
    starts: ['xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-'],
    whole: /^xox[abprs]-\d{8,16}-([0-9A-Za-z-]{16,})/,
    length: 128,
    variety: 10,
  },
];

/** What a form stands in front of. */
const FORM_OF = new Map(
  FORMS.flatMap((form) => form.starts.map((start) => [start, form] as const)),
);

/** The texts that secrets begin with. */
export const SECRET_STARTS: readonly Uint8Array[] = [...FORM_OF.keys()].map((start) =>
  Uint8Array.from(start, (letter) => letter.charCodeAt(0)),
);

/**
 * Whether a secret begins at `at`, where one of {@link SECRET_STARTS} of this length was found.
 * @returns its kind and its length, bytes
 */
export function secretAt(
  bytes: Uint8Array,
  at: number,
  length: number,
): { kind: SecretKind; length: number } | undefined {
  const form = FORM_OF.get(latin(bytes, at, at + length));
  if (form === undefined) return undefined;
  const found = form.whole.exec(latin(bytes, at, at + form.length));
  if (found === null) return undefined;
  const before = latin(bytes, Math.max(0, at - BEFORE), at);
  if (form.before === undefined ? WORD_BEFORE.test(before) : !form.before.test(before)) {
    return undefined;
  }
  const [whole, random = ''] = found;
  if (whole.includes('EXAMPLE')) return undefined;
  if (form.variety !== undefined && new Set(random).size < form.variety) return undefined;
  return { kind: form.kind, length: whole.length };
}

function latin(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  const end = Math.min(to, bytes.length);
  for (let at = from; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

/** Where files begin: nothing smaller is looked at for what only a whole file tells. */
export const BLOCK = 4096;
const MACHINE_ID = 32;
const SECTOR = 512;

/** What a file that begins at `at` is, as far as its first bytes tell. */
export function fileAt(bytes: Uint8Array, at: number): SecretKind | undefined {
  if (isMachineId(bytes, at)) return 'machine-id';
  return isHistory(bytes, at) ? 'shell-history' : undefined;
}

/** machine-id(5): 32 hexadecimal digits and a line end, a random UUID as systemd makes it. */
function isMachineId(bytes: Uint8Array, at: number): boolean {
  if (bytes[at + MACHINE_ID] !== 0x0a || bytes[at + MACHINE_ID + 1] !== 0) return false;
  const end = at + SECTOR;
  if (end > bytes.length) return false;
  for (let i = at + MACHINE_ID + 1; i < end; i++) if (bytes[i] !== 0) return false;
  return /^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$/.test(latin(bytes, at, at + MACHINE_ID));
}

/** What people type, and scripts hardly begin with. */
const TYPED = new Set(
  (
    'ls ll cd pwd exit logout clear history su sudo ssh scp vi vim nano less more cat tail top htop ' +
    'df du free ps ip ifconfig ping man reboot poweroff shutdown passwd apt apt-get yum dnf zypper ' +
    'apk systemctl journalctl service docker kubectl git rm mkdir cp mv chmod chown grep find tar ' +
    'wget curl mount umount lsblk fdisk dmesg hostname hostnamectl uname whoami id date vim.tiny virsh'
  ).split(' '),
);
const PLAINLY_TYPED = new Set([
  'ls',
  'll',
  'cd',
  'exit',
  'clear',
  'history',
  'vi',
  'vim',
  'nano',
  'top',
]);
const HISTORY_BYTES = 1024;
const LEAST_LINES = 6;

/** A history of bash, or of zsh: with times, or lines of which most are what people type. */
function isHistory(bytes: Uint8Array, at: number): boolean {
  const first = bytes[at] as number;
  if (first >= 0x61 && first <= 0x7a) return isTyped(bytes, at);
  if (first !== 0x23 && first !== 0x3a) return false;
  const text = latin(bytes, at, at + HISTORY_BYTES).replace(/\0[^]*$/, '');
  return /^(?:#1\d{9}\n[^\n]+\n){2}/.test(text) || /^(?:: 1\d{9}:\d+;[^\n]*\n){2}/.test(text);
}

/** Over the bytes as they are: there is text at the beginning of many blocks. */
function isTyped(bytes: Uint8Array, at: number): boolean {
  const end = Math.min(bytes.length, at + HISTORY_BYTES);
  // The last line may be cut: only those count that end.
  const ends: number[] = [];
  for (let i = at; i < end && bytes[i] !== 0; i++) if (bytes[i] === LINE_END) ends.push(i);
  if (ends.length < LEAST_LINES) return false;
  const kinds = new Set<string>();
  let others = 0;
  let start = at;
  for (const lineEnd of ends) {
    const word = firstWord(bytes, start, lineEnd);
    start = lineEnd + 1;
    if (!TYPED.has(word)) others += 1;
    else if (PLAINLY_TYPED.has(word)) kinds.add(word);
    if (ends.length - others < ends.length * 0.8) return false;
  }
  return kinds.size >= 2;
}

const LINE_END = 0x0a;
const SPACE = 0x20;
const LONGEST_TYPED = Math.max(...[...TYPED].map((word) => word.length));

/** The word with which a line begins; '' where it is longer than any that is known. */
function firstWord(bytes: Uint8Array, from: number, lineEnd: number): string {
  const most = Math.min(lineEnd, from + LONGEST_TYPED + 1);
  let end = from;
  while (end < most && bytes[end] !== SPACE) end += 1;
  return end - from > LONGEST_TYPED ? '' : latin(bytes, from, end);
}
