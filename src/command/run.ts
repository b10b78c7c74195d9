/** The command line as a whole: which command, and how it ends. */
import { isImageError } from '../engine/index.ts';
import { parseArguments, type OptionSpec } from './arguments.ts';
import { amend } from './amend.ts';
import { bench } from './bench.ts';
import { bitmap } from './bitmap.ts';
import { check } from './check.ts';
import { accepts } from './accepts.ts';
import { checksum } from './checksum.ts';
import { commit } from './commit.ts';
import { compare } from './compare.ts';
import { CommandFailure, isCancelled, report, usageFailure } from './context.ts';
import type { Command, Context } from './context.ts';
import { convert } from './convert.ts';
import { create } from './create.ts';
import { dd } from './dd.ts';
import { HELP, VERSION } from './help.ts';
import type { CommandHost } from './host.ts';
import { info } from './info.ts';
import { map } from './map.ts';
import { measure } from './measure.ts';
import { errorText } from './messages.ts';
import { rebase } from './rebase.ts';
import { resize } from './resize.ts';
import { Secrets } from './secrets.ts';
import { snapshot } from './snapshot.ts';
import { undo } from './undo.ts';

/** Not in the real program, large, and loaded when they are used: the console is there sooner. */
const OWN: Readonly<Record<'compact' | 'diagnose' | 'guard', Command>> = {
  compact: async (...given) => (await import('./compact.ts')).compact(...given),
  diagnose: async (...given) => (await import('./diagnose.ts')).diagnose(...given),
  guard: async (...given) => (await import('./guard.ts')).guard(...given),
};

const COMMANDS = new Map<string, Command>(
  Object.entries({
    ...OWN,
    ...{
      amend,
      bench,
      bitmap,
      check,
      accepts,
      checksum,
      commit,
      compare,
      convert,
      create,
      dd,
      info,
      map,
      measure,
      rebase,
      resize,
      snapshot,
      undo,
    },
  }),
);

const SPECS: readonly OptionSpec<'help' | 'version' | 'trace'>[] = [
  { id: 'help', short: 'h', long: 'help' },
  { id: 'version', short: 'V', long: 'version' },
  { id: 'trace', short: 'T', long: 'trace', argument: true },
];

/** The exit code of a command that was stopped: what a shell says of SIGINT. */
export const EXIT_CANCELLED = 130;

/**
 * Runs one command line.
 * @param args without the program's name
 * @returns the exit code; nothing is thrown
 */
export async function runCommand(
  args: string[],
  host: CommandHost,
  signal?: AbortSignal,
): Promise<number> {
  const context: Context = { host, signal, secrets: new Secrets(host) };
  try {
    return await dispatch(context, args);
  } catch (error) {
    return explain(context, error);
  }
}

async function dispatch(context: Context, args: readonly string[]): Promise<number> {
  const { host } = context;
  if (args.length === 0) throw usageFailure('Not enough arguments');
  const { options, operands, problem } = parseArguments(['qemu-img', ...args], SPECS, false);
  for (const { id, value } of options) {
    if (id === 'help') return print(host, HELP);
    if (id === 'version') return print(host, VERSION);
    warnOfTrace(context, value);
  }
  if (problem !== undefined) throw usageFailure(problem);
  const [name] = operands;
  if (name === undefined) throw usageFailure('Not enough arguments');
  const command = COMMANDS.get(name);
  if (command !== undefined) return command(context, operands);
  throw usageFailure(`Command not found: ${name}`);
}

function print(host: CommandHost, text: string): number {
  host.stdout(text);
  return 0;
}

/** There are no events here: true of every name. */
function warnOfTrace(context: Context, option: string): void {
  const [pattern = ''] = option.split(',');
  const name = pattern.replace(/^enable=/, '');
  if (name !== '' && !name.includes('=')) {
    report(context, `warning: trace event '${name}' does not exist`);
  }
}

function explain(context: Context, error: unknown): number {
  if (isCancelled(error)) {
    report(context, 'Cancelled');
    return EXIT_CANCELLED;
  }
  if (error instanceof CommandFailure) {
    report(context, error.message);
    return error.exitCode;
  }
  if (isImageError(error)) {
    report(context, errorText(error));
    return 1;
  }
  report(
    context,
    `Internal error: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
  );
  return 1;
}
