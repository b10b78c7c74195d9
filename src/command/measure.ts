/** `qemu-img measure`: how large a new image will be. */
import {
  isImageError,
  measureDisk,
  measureEmpty,
  type MeasureReport,
  type MeasureTarget,
  type SnapshotKey,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { parseArguments } from './arguments.ts';
import {
  COMMON,
  CommandFailure,
  isCancelled,
  outputFormat,
  readArguments,
  sizeOption,
  UsageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { readSnapshot } from './convert-options.ts';
import { joinOptionLists } from './creation-options.ts';
import { reportCorruption } from './corruption.ts';
import { HELP } from './help.ts';
import { openByName } from './images.ts';
import { formatJson } from './json.ts';
import { readTarget } from './measure-target.ts';
import { errorText } from './messages.ts';
import { snapshotOf } from './snapshot-disk.ts';

const SPECS = [
  COMMON.help,
  COMMON.imageOpts,
  COMMON.object,
  COMMON.output,
  { id: 'size', long: 'size', argument: true },
  COMMON.forceShare,
  COMMON.shortFormat,
  { id: 'snapshot', short: 'l', argument: true },
  { id: 'options', short: 'o', argument: true },
  { id: 'output-format', short: 'O', argument: true },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** What is asked for. */
interface Task {
  given: Arguments<Id>;
  /** The disk that is measured for, or the size of an empty one in bytes. */
  source: string | bigint;
  /** Creation options, joined; undefined without `-o`. */
  options: string | undefined;
  snapshot: SnapshotKey | undefined;
  output: 'human' | 'json';
}

export async function measure(context: Context, argv: readonly string[]): Promise<number> {
  const task = readTask(context, argv);
  if (task === undefined) return 0;
  const format = task.given.value('output-format') ?? 'raw';
  const report = await run(context, task, () =>
    readTarget(context, { format, options: task.options, emptySize: sizeOf(task) }),
  );
  context.host.stdout(task.output === 'json' ? toJson(report) : toText(report));
  return 0;
}

function sizeOf({ source }: Task): bigint | undefined {
  return typeof source === 'bigint' ? source : undefined;
}

/** Reads the arguments; undefined: the help was all that was wanted. */
function readTask(context: Context, argv: readonly string[]): Task | undefined {
  let size: bigint | undefined;
  let options: string | undefined;
  let snapshot: SnapshotKey | undefined;
  let output: Task['output'] = 'human';
  const given = readOrHelp(context, argv, (id, value) => {
    if (id === 'size') size = sizeOption(context, value, 'image size');
    else if (id === 'options') options = joinOptionLists(options, value);
    else if (id === 'snapshot') snapshot = readSnapshot(value);
    else if (id === 'output') output = outputFormat(value);
  });
  if (given === undefined) return undefined;
  const [name] = given.operands;
  if (given.operands.length > 1) {
    throw new CommandFailure('At most one filename argument is allowed.');
  }
  const describesFile = given.has('image-opts') || given.has('format') || given.has('snapshot');
  if (name === undefined && describesFile) {
    throw new CommandFailure('--image-opts, -f, and -l require a filename argument.');
  }
  const source = name ?? size;
  if (source === undefined) {
    throw new CommandFailure('Either --size N or one filename must be specified.');
  }
  if (name !== undefined && size !== undefined) {
    throw new CommandFailure('--size N cannot be used together with a filename.');
  }
  return { given, source, options, snapshot, output };
}

/**
 * This command alone leaves it to the C library to say what is wrong with an option, and answers
 * with the help as if that had been asked for.
 */
function readOrHelp(
  context: Context,
  argv: readonly string[],
  look: (id: Id | 'help', value: string) => void,
): Arguments<Id> | undefined {
  try {
    const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
      look(id, value);
    });
    return given.help ? undefined : given;
  } catch (error) {
    const { libraryProblem } = parseArguments(argv, SPECS);
    if (!(error instanceof UsageFailure) || libraryProblem === undefined) throw error;
    context.host.stderr(`${libraryProblem}\n`);
    context.host.stdout(HELP);
    return undefined;
  }
}

/** @param readTarget called when the source is open: what is wrong with that is said before */
async function run(
  context: Context,
  { given, source, snapshot }: Task,
  readTarget: () => Promise<MeasureTarget>,
): Promise<MeasureReport> {
  if (typeof source === 'bigint') return measureEmpty(await readTarget(), source);
  const image = await openByName(context, {
    ...{ name: source, format: given.value('format'), mode: 'read' },
    imageOpts: given.has('image-opts'),
  });
  try {
    const disk = await snapshotOf(image.disk, snapshot);
    const target = await readTarget();
    const { signal } = context;
    return await measureDisk(disk, target, { signal, bitmapsOf: image.disk }).catch(
      (error: unknown) => explain(context, disk, error),
    );
  } finally {
    await image.close();
  }
}

async function explain(context: Context, disk: Disk, error: unknown): Promise<never> {
  if (!isImageError(error) || isCancelled(error)) throw error;
  await reportCorruption(context, disk, error);
  throw new CommandFailure(`Unable to get block status: ${errorText(error)}`);
}

function toJson({ required, fullyAllocated, bitmaps }: MeasureReport): string {
  return `${formatJson({ bitmaps, required, 'fully-allocated': fullyAllocated })}\n`;
}

function toText({ required, fullyAllocated, bitmaps }: MeasureReport): string {
  const lines = [
    `required size: ${String(required)}`,
    `fully allocated size: ${String(fullyAllocated)}`,
  ];
  if (bitmaps !== undefined) lines.push(`bitmaps size: ${String(bitmaps)}`);
  return `${lines.join('\n')}\n`;
}
