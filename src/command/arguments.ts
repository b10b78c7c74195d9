/**
 * Options as the C library's getopt_long reads them, because scripts rely on its ways: operands
 * and options may be mixed, long options may be abbreviated, short ones bundled.
 */

/** One option that a command has. */
export interface OptionSpec<Id extends string> {
  readonly id: Id;
  /** One letter, without the dash. */
  readonly short?: string;
  /** Without the dashes. */
  readonly long?: string;
  /** Whether it takes an argument. */
  readonly argument?: boolean;
}

/** An option as it was given; `value` is '' for options without an argument. */
export interface GivenOption<Id extends string> {
  readonly id: Id;
  readonly value: string;
}

export interface ParsedArguments<Id extends string> {
  /** In the order given, up to the first that is wrong. */
  readonly options: readonly GivenOption<Id>[];
  readonly operands: readonly string[];
  /** What is wrong, in qemu-img's words; the options before it count all the same. */
  readonly problem: string | undefined;
}

/**
 * Reads a command's arguments.
 * @param argv the program's or command's own name first, as messages may show it
 * @param permute whether options may stand behind operands; else the first operand ends them
 */
export function parseArguments<Id extends string>(
  argv: readonly string[],
  specs: readonly OptionSpec<Id>[],
  permute = true,
): ParsedArguments<Id> {
  const scanner = new Scanner(argv, permute);
  const options: GivenOption<Id>[] = [];
  let problem: string | undefined;
  while (problem === undefined) {
    const word = scanner.nextWord();
    if (word === undefined) break;
    const step = word.startsWith('--')
      ? readLong(scanner, word, specs)
      : readShort(scanner, word, specs);
    options.push(...step.options);
    if (step.fault !== undefined) {
      problem = `${step.fault} option '${scanner.previous}'`;
      if (step.fault === 'missing argument') {
        problem = `missing argument for option '${scanner.previous}'`;
      }
    }
  }
  return { options, operands: scanner.operands(), problem };
}

interface Step<Id extends string> {
  options: GivenOption<Id>[];
  fault?: 'unrecognized' | 'missing argument';
}

/** Walks over the words and moves options before operands, as the C library does. */
class Scanner {
  readonly #argv: string[];
  readonly #permute: boolean;
  /** The next word to look at. */
  #next = 1;
  /** Operands that were passed over lie in argv[#from, #to). */
  #from = 1;
  #to = 1;

  constructor(argv: readonly string[], permute: boolean) {
    this.#argv = [...argv];
    this.#permute = permute;
  }

  /** The next word that holds options, without going past it; undefined at the end of them. */
  nextWord(): string | undefined {
    this.#gather();
    if (this.#permute) {
      while (this.#next < this.#argv.length && !isOption(this.#argv[this.#next])) this.#next++;
      this.#to = this.#next;
    }
    const word = this.#argv[this.#next];
    if (word === '--') {
      this.#next++;
      this.#gather();
      if (this.#from === this.#to) this.#from = this.#next;
      this.#to = this.#argv.length;
      this.#next = this.#from;
      return undefined;
    }
    if (word === undefined) {
      this.#next = this.#from;
      return undefined;
    }
    return isOption(word) ? word : undefined;
  }

  /** The word under the scanner is done with. */
  advance(): void {
    this.#next++;
  }

  /** Takes the next word as an argument, whatever it looks like. */
  takeArgument(): string | undefined {
    const word = this.#argv[this.#next];
    if (word !== undefined) this.#next++;
    return word;
  }

  /** The last word that was passed: what qemu-img names in its messages. */
  get previous(): string {
    return this.#argv[this.#next - 1] ?? '';
  }

  operands(): string[] {
    return this.#argv.slice(this.#next);
  }

  /** Moves the operands passed so far behind the options that came after them. */
  #gather(): void {
    if (this.#from !== this.#to && this.#to !== this.#next) {
      const operands = this.#argv.slice(this.#from, this.#to);
      const options = this.#argv.slice(this.#to, this.#next);
      this.#argv.splice(this.#from, this.#next - this.#from, ...options, ...operands);
      this.#from += options.length;
      this.#to = this.#next;
    } else if (this.#to !== this.#next) {
      this.#from = this.#next;
      this.#to = this.#next;
    }
  }
}

function isOption(word: string | undefined): boolean {
  return word !== undefined && word.length > 1 && word.startsWith('-');
}

function readLong<Id extends string>(
  scanner: Scanner,
  word: string,
  specs: readonly OptionSpec<Id>[],
): Step<Id> {
  const equals = word.indexOf('=');
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
  const spec = findLong(name, specs);
  scanner.advance();
  if (spec === undefined) return { options: [], fault: 'unrecognized' };
  if (spec.argument !== true) {
    if (equals >= 0) return { options: [], fault: 'unrecognized' };
    return { options: [{ id: spec.id, value: '' }] };
  }
  const value = equals >= 0 ? word.slice(equals + 1) : scanner.takeArgument();
  if (value === undefined) return { options: [], fault: 'missing argument' };
  return { options: [{ id: spec.id, value }] };
}

/** The option of that name, or the only one that begins so. */
function findLong<Id extends string>(
  name: string,
  specs: readonly OptionSpec<Id>[],
): OptionSpec<Id> | undefined {
  const exact = specs.find((spec) => spec.long === name);
  if (exact !== undefined) return exact;
  const candidates = specs.filter((spec) => spec.long?.startsWith(name) === true);
  return candidates.length === 1 ? candidates[0] : undefined;
}

/** A word of short options: `-U`, `-Uq`, `-fraw`, `-f raw`. */
function readShort<Id extends string>(
  scanner: Scanner,
  word: string,
  specs: readonly OptionSpec<Id>[],
): Step<Id> {
  const options: GivenOption<Id>[] = [];
  for (let at = 1; at < word.length; at++) {
    const isLast = at === word.length - 1;
    const letter = word.charAt(at);
    const spec = specs.find((candidate) => candidate.short === letter);
    if (isLast || spec?.argument === true) scanner.advance();
    if (spec === undefined) return { options, fault: 'unrecognized' };
    if (spec.argument !== true) {
      options.push({ id: spec.id, value: '' });
      continue;
    }
    const value = isLast ? scanner.takeArgument() : word.slice(at + 1);
    if (value === undefined) return { options, fault: 'missing argument' };
    options.push({ id: spec.id, value });
    break;
  }
  return { options };
}
