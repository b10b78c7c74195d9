/** `qemu-img compare`: do two images have the same content. */
import { compareDisks } from '../engine/index.ts';
import type { CompareOutcome } from '../engine/operations/compare-report.ts';
import {
  checkCacheMode,
  COMMON,
  CommandFailure,
  readArguments,
  usageFailure,
  type Context,
} from './context.ts';
import { reportCorruption } from './corruption.ts';
import { openByName } from './images.ts';
import { errorText } from './messages.ts';
import { ProgressLine } from './progress.ts';

const SPECS = [
  COMMON.help,
  COMMON.shortFormat,
  { id: 'second-format', short: 'F', argument: true },
  COMMON.sourceCache,
  COMMON.progress,
  COMMON.quiet,
  { id: 'strict', short: 's' },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const EXIT_DIFFERENT = 1;
const EXIT_OPEN = 2;
const EXIT_MAP = 3;
const EXIT_READ = 4;

export async function compare(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS, undefined, EXIT_OPEN);
  if (given.help) return 0;
  const [first, second] = given.operands;
  if (first === undefined || second === undefined || given.operands.length > 2) {
    throw usageFailure('Expecting two image file names');
  }
  checkCacheMode(given.value('source-cache'), 'source cache', EXIT_OPEN);
  const quiet = given.has('quiet');
  const say = (text: string) => {
    if (!quiet) context.host.stdout(`${text}\n`);
  };
  const line = new ProgressLine(context.host, given.has('progress') && !quiet);
  try {
    return await run(context, {
      names: [first, second],
      formats: [given.value('format'), given.value('second-format')],
      strict: given.has('strict'),
      imageOpts: given.has('image-opts'),
      say,
      line,
    });
  } finally {
    line.end();
  }
}

interface Task {
  names: readonly [string, string];
  formats: readonly [string | undefined, string | undefined];
  strict: boolean;
  imageOpts: boolean;
  say: (text: string) => void;
  line: ProgressLine;
}

async function run(context: Context, task: Task): Promise<number> {
  const [firstName, secondName] = task.names;
  const open = (name: string, format: string | undefined) =>
    openByName(context, {
      ...{ name, format, mode: 'read', exitCode: EXIT_OPEN },
      imageOpts: task.imageOpts,
    });
  const first = await open(firstName, task.formats[0]);
  try {
    const second = await open(secondName, task.formats[1]);
    try {
      task.line.show(0);
      const { outcome, sizeMismatch } = await compareDisks(first.disk, second.disk, {
        signal: context.signal,
        pool: context.host.pool,
        strict: task.strict,
        progress: ({ done, total }) => {
          task.line.show(total === 0 ? 1 : done / total);
        },
      });
      if (sizeMismatch) task.say('Warning: Image size mismatch!');
      if (outcome.kind === 'map-failed' || outcome.kind === 'read-failed') {
        const { disk } = outcome.side === 1 ? first : second;
        await reportCorruption(context, disk, outcome.error);
      }
      return conclude(outcome, task);
    } finally {
      await second.close();
    }
  } finally {
    await first.close();
  }
}

/** Says how it ended and returns the exit code. */
function conclude(outcome: CompareOutcome, { names, say, line }: Task): number {
  switch (outcome.kind) {
    case 'identical':
      line.show(1);
      say('Images are identical.');
      return 0;
    case 'content':
      say(`Content mismatch at offset ${outcome.offset}!`);
      return EXIT_DIFFERENT;
    case 'strict-size':
      say('Strict mode: Image size mismatch!');
      return EXIT_DIFFERENT;
    case 'strict-status':
      say(`Strict mode: Offset ${outcome.offset} block status mismatch!`);
      return EXIT_DIFFERENT;
    case 'map-failed':
      throw new CommandFailure(
        `Sector allocation test failed for ${names[outcome.side - 1] ?? ''}`,
        EXIT_MAP,
        outcome.error,
      );
    case 'read-failed':
      throw new CommandFailure(
        `Error while reading offset ${outcome.offset} of ${names[outcome.side - 1] ?? ''}: ` +
          errorText(outcome.error),
        EXIT_READ,
        outcome.error,
      );
  }
}
