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
  /** The same in the C library's words, which one command leaves it to. */
  readonly libraryProblem: string | undefined;
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
  let libraryProblem: string | undefined;
  while (problem === undefined) {
    const word = scanner.nextWord();
    if (word === undefined) break;
    const step = word.startsWith('--')
      ? readLong(scanner, word, specs)
      : readShort(scanner, word, specs);
    options.push(...step.options);
    if (step.fault !== undefined) {
      problem = `${step.fault.kind} option '${scanner.previous}'`;
      if (step.fault.kind === 'missing argument') {
        problem = `missing argument for option '${scanner.previous}'`;
      }
      libraryProblem = `${argv[0] ?? ''}: ${step.fault.text}`;
    }
  }
  return { options, operands: scanner.operands(), problem, libraryProblem };
}

interface Step<Id extends string> {
  options: GivenOption<Id>[];
  fault?: Fault;
}

interface Fault {
  kind: 'unrecognized' | 'missing argument';
  /** In the C library's words. */
  text: string;
}

function unrecognized(text: string): Fault {
  return { kind: 'unrecognized', text };
}

function missingArgument(text: string): Fault {
  return { kind: 'missing argument', text };
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
  const [spec, ...others] = findLong(name, specs);
  scanner.advance();
  if (spec === undefined) {
    return { options: [], fault: unrecognized(`unrecognized option '${word}'`) };
  }
  if (others.length > 0) {
    const possible = [spec, ...others].map(({ long = '' }) => ` '--${long}'`).join('');
    const text = `option '${word}' is ambiguous; possibilities:${possible}`;
    return { options: [], fault: unrecognized(text) };
  }
  const { id, long = '' } = spec;
  if (spec.argument !== true) {
    if (equals < 0) return { options: [{ id, value: '' }] };
    return { options: [], fault: unrecognized(`option '--${long}' doesn't allow an argument`) };
  }
  const value = equals >= 0 ? word.slice(equals + 1) : scanner.takeArgument();
  if (value !== undefined) return { options: [{ id, value }] };
  return { options: [], fault: missingArgument(`option '--${long}' requires an argument`) };
}

/** The option of that name, or those that begin so. */
function findLong<Id extends string>(
  name: string,
  specs: readonly OptionSpec<Id>[],
): readonly OptionSpec<Id>[] {
  const exact = specs.find((spec) => spec.long === name);
  if (exact !== undefined) return [exact];
  return specs.filter((spec) => spec.long?.startsWith(name) === true);
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
    if (spec === undefined) {
      return { options, fault: unrecognized(`invalid option -- '${letter}'`) };
    }
    if (spec.argument !== true) {
      options.push({ id: spec.id, value: '' });
      continue;
    }
    const value = isLast ? scanner.takeArgument() : word.slice(at + 1);
    if (value === undefined) {
      const text = `option requires an argument -- '${letter}'`;
      return { options, fault: missingArgument(text) };
    }
    options.push({ id: spec.id, value });
    break;
  }
  return { options };
}
