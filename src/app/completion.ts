import { quote } from './target.ts';

/** What Tab makes of a line. */
export interface Completion {
  line: string;
  cursor: number;
  /** All that would fit, when it is more than one. */
  candidates: string[];
}

const COMMON = ['-f', '--object', '--image-opts'];
const COMMANDS: Record<string, readonly string[]> = {
  accepts: ['--for=', '--output=json', '--output=human', '-U', ...COMMON],
  amend: ['-o', '-p', '-q', '--force', ...COMMON],
  bench: ['-c', '-d', '-s', '-S', '-o', '-w', '-U', ...COMMON],
  bitmap: [
    ...['--add', '--remove', '--clear', '--enable', '--disable', '--merge'],
    ...['-g', '-b', '-F', ...COMMON],
  ],
  check: ['--output=json', '--output=human', '-r', '-q', '-U', '--repair-plan', ...COMMON],
  checksum: ['--file', '--expect=', '--sums=', '--output=json', '-l', '-p', '-U', ...COMMON],
  commit: ['-b', '-d', '-p', '-q', ...COMMON],
  compact: ['--no-snapshots', '--verify', '--no-verify', '-p', '-q', '-U', ...COMMON],
  compare: ['-s', '-q', '-p', '-F', '-U', ...COMMON],
  convert: [
    ...['-O', '-o', '-c', '-p', '-q', '-S', '-U', '-l', '-B', '-F', '-n', '-m', '-W'],
    ...['--salvage', '--verify', '--snapshots', '--bitmaps', '--for=', '--target-is-zero'],
    ...COMMON,
  ],
  create: ['-b', '-F', '-o', '-u', '-q', ...COMMON],
  dd: ['if=', 'of=', 'bs=', 'count=', 'skip=', '-O', '-U', ...COMMON],
  diagnose: [
    ...['--output=json', '--output=human', '--output=markdown', '--deep', '--compare=', '-p', '-q'],
    ...['-U', ...COMMON],
  ],
  guard: ['--keep', '--drop', '--verify', '--output=json', '-q', '-U', ...COMMON],
  info: ['--output=json', '--output=human', '--backing-chain', '-U', ...COMMON],
  map: ['--output=json', '--output=human', '--start-offset=', '--max-length=', '-U', ...COMMON],
  measure: ['--output=json', '--output=human', '--size', '-O', '-o', '-l', '-U', ...COMMON],
  rebase: ['-b', '-F', '-u', '-c', '-p', '-q', ...COMMON],
  resize: ['--shrink', '--preallocation=', '-q', ...COMMON],
  snapshot: ['-l', '-c', '-a', '-d', '-q', '-U', ...COMMON],
  undo: ['-q'],
};
const GLOBAL = [...Object.keys(COMMANDS), '--help', '--version'];
const FORMATS = [
  ...['qcow2', 'raw', 'vmdk', 'vpc', 'vhdx', 'vdi', 'qed', 'qcow', 'parallels', 'luks'],
  ...['dmg', 'cloop', 'bochs'],
];

/** Whether a line may begin with this word: the program, or what follows it. */
export function isCommand(word: string): boolean {
  return word === 'qemu-img' || Object.hasOwn(COMMANDS, word) || word.startsWith('-');
}

/** Completes the word before the cursor: the command, its options, formats and file names. */
export function complete(line: string, cursor: number, names: readonly string[]): Completion {
  const before = line.slice(0, cursor);
  const start = wordStart(before);
  const typed = before.slice(start);
  const earlier = before.slice(0, start).trim().split(/\s+/).filter(Boolean);
  const fitting = candidatesFor(earlier, names).filter((one) => fits(one, typed));
  if (fitting.length === 0) return { line, cursor, candidates: [] };
  const common = fitting.reduce(commonStart);
  const whole = fitting.length === 1 && !common.endsWith('=') ? `${common} ` : common;
  const word = whole.length > typed.length ? whole : typed;
  const rest = line.slice(cursor).replace(whole.endsWith(' ') ? /^\s+/ : /^/, '');
  return {
    line: before.slice(0, start) + word + rest,
    cursor: start + word.length,
    candidates: fitting.length > 1 ? fitting : [],
  };
}

function candidatesFor(earlier: string[], names: readonly string[]): string[] {
  const [program, command] = earlier;
  if (program === undefined) return ['qemu-img'];
  if (command === undefined) return GLOBAL;
  const last = earlier.at(-1) ?? '';
  if (['-f', '-F', '-O'].includes(last)) return FORMATS;
  return [
    ...names.map(quote),
    ...(Object.hasOwn(COMMANDS, command) ? (COMMANDS[command] ?? []) : []),
  ];
}

/** A file name that needs quotes is found without typing them, too. */
function fits(candidate: string, typed: string): boolean {
  return (
    candidate.startsWith(typed) ||
    (typed !== '' && candidate.startsWith("'") && candidate.slice(1).startsWith(typed))
  );
}

/** Where the word before the cursor begins; blanks inside quotes belong to it. */
function wordStart(before: string): number {
  let start = 0;
  let quoted = false;
  for (let index = 0; index < before.length; index++) {
    if (before[index] === "'") quoted = !quoted;
    if (before[index] === ' ' && !quoted) start = index + 1;
  }
  return start;
}

function commonStart(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}
