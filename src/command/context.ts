/** What every command works with, and how it ends early. */
import { isImageError } from '../engine/index.ts';
import type { GivenOption, OptionSpec, ParsedArguments } from './arguments.ts';
import { parseArguments } from './arguments.ts';
import { HELP } from './help.ts';
import type { CommandHost } from './host.ts';
import { OptionFault } from './option-text.ts';
import type { Secrets } from './secrets.ts';
import { parseSize } from './sizes.ts';

export interface Context {
  readonly host: CommandHost;
  /** What `--object` has described. */
  readonly secrets: Secrets;
  readonly signal: AbortSignal | undefined;
}

/** A command: its own arguments (its name first) in, the exit code out. */
export type Command = (context: Context, argv: readonly string[]) => Promise<number>;

/** Ends a command: the text goes to stderr behind the program's name. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(text: string, exitCode = 1, cause?: unknown) {
    super(text, { cause });
    this.name = 'CommandFailure';
    this.exitCode = exitCode;
  }
}

/** The arguments make no sense. */
export class UsageFailure extends CommandFailure {}

/** Says so and points to the help, as qemu-img does. */
export function usageFailure(problem: string): UsageFailure {
  return new UsageFailure(`${problem}\nTry 'qemu-img --help' for more information`);
}

/** Something that the real program has and this one has not. */
export function notSupported(what: string, exitCode = 1): CommandFailure {
  return new CommandFailure(`${what} is not supported by this version`, exitCode);
}

/** Prints lines that begin with the program's name. */
export function report(context: Context, text: string): void {
  context.host.stderr(`qemu-img: ${text}\n`);
}

/** The options that all commands have in common, to be taken apart. */
export const COMMON = {
  help: { id: 'help', short: 'h', long: 'help' },
  format: { id: 'format', short: 'f', long: 'format', argument: true },
  shortFormat: { id: 'format', short: 'f', argument: true },
  output: { id: 'output', long: 'output', argument: true },
  object: { id: 'object', long: 'object', argument: true },
  imageOpts: { id: 'image-opts', long: 'image-opts' },
  forceShare: { id: 'force-share', short: 'U', long: 'force-share' },
  quiet: { id: 'quiet', short: 'q' },
  progress: { id: 'progress', short: 'p' },
  sourceCache: { id: 'source-cache', short: 'T', argument: true },
  undo: { id: 'undo', long: 'undo', argument: true },
} as const;

/** The options of a command, read; `help` says that the help was printed and nothing is to do. */
export interface Arguments<Id extends string> {
  readonly help: boolean;
  readonly operands: readonly string[];
  has(id: Id): boolean;
  /** The last value given. */
  value(id: Id): string | undefined;
}

/**
 * Reads a command's arguments. Options are looked at in their order, so that `--help` before a
 * wrong one still helps.
 * @param look called for each option: refuses bad values at once, as the real program does
 * @param objectExitCode the exit code where `--object` makes no sense
 * @throws CommandFailure for what is not an option
 */
export function readArguments<Id extends string>(
  context: Context,
  argv: readonly string[],
  specs: readonly OptionSpec<Id | 'help'>[],
  look: (option: GivenOption<Id | 'help'>) => void = () => undefined,
  objectExitCode = 1,
): Arguments<Id> {
  const parsed: ParsedArguments<Id | 'help'> = parseArguments(argv, specs);
  const values = new Map<string, string>();
  for (const option of parsed.options) {
    if (option.id === 'help') {
      context.host.stdout(HELP);
      return argumentsOf(true, parsed.operands, values);
    }
    if (option.id === COMMON.object.id) {
      const help = describeObject(context, option.value, objectExitCode);
      if (help !== undefined) {
        context.host.stdout(help);
        return argumentsOf(true, parsed.operands, values);
      }
    }
    look(option);
    values.set(option.id, option.value);
  }
  if (parsed.problem !== undefined) throw usageFailure(parsed.problem);
  return argumentsOf(false, parsed.operands, values);
}

/** Takes a secret; returns the help that is asked for instead. */
function describeObject(context: Context, text: string, exitCode: number): string | undefined {
  try {
    return context.secrets.describe(text);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, exitCode, error);
  }
}

function argumentsOf<Id extends string>(
  help: boolean,
  operands: readonly string[],
  values: ReadonlyMap<string, string>,
): Arguments<Id> {
  return {
    help,
    operands,
    has: (id) => values.has(id),
    value: (id) => values.get(id),
  };
}

/** `--output`: human unless it says json. */
export function outputFormat(value: string | undefined): 'human' | 'json' {
  if (value === undefined || value === 'human') return 'human';
  if (value === 'json') return 'json';
  throw new CommandFailure('--output must be used with human or json as argument.');
}

const CACHE_MODES = ['none', 'off', 'writeback', 'writethrough', 'directsync', 'unsafe'];

export function isCacheMode(mode: string): boolean {
  return CACHE_MODES.includes(mode);
}

/** Cache modes are validated; which one it is makes no difference to any result. */
export function checkCacheMode(mode: string | undefined, what: string, exitCode = 1): void {
  if (mode === undefined || isCacheMode(mode)) return;
  throw new CommandFailure(`Invalid ${what} option: ${mode}`, exitCode);
}

/** Reads a size option; `what` names it in messages, `least` and `most` are what it may be. */
export function sizeOption(
  context: Context,
  text: string,
  what: string,
  { least = 0n, most = 2n ** 63n - 1n } = {},
): bigint {
  const size = parseSize(text);
  if (size.kind === 'invalid') {
    throw new CommandFailure(
      `Invalid ${what} specified. You may use k, M, G, T, P or E suffixes for\n` +
        'qemu-img: kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.',
    );
  }
  if (size.kind === 'ok' && size.deprecated) report(context, hexWarning(text));
  if (size.kind === 'out-of-range' || size.value < least || size.value > most) {
    const range = `between ${String(least)} and ${String(most)}`;
    throw new CommandFailure(`Invalid ${what} specified. Must be ${range}.`);
  }
  return size.value;
}

/** What is said of a hexadecimal number with a suffix. */
export function hexWarning(text: string): string {
  return `warning: Using a multiplier suffix on hex numbers is deprecated: ${text}`;
}

/** Whether the work was stopped on request, however deep it was. */
export function isCancelled(error: unknown): boolean {
  return isImageError(error, 'cancelled');
}
