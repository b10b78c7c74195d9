/** The arguments of `qemu-img convert`: read, validated, refused where they cannot be honoured. */
import type { SnapshotKey } from '../engine/index.ts';
import {
  COMMON,
  CommandFailure,
  checkCacheMode,
  notSupported,
  readArguments,
  sizeOption,
  type Arguments,
  type Context,
} from './context.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { targetFormat } from './creation/index.ts';
import type { TargetFormat } from './creation/target-format.ts';
import { parseImageOpts } from './image-opts.ts';
import { OptionFault } from './option-text.ts';
import { joinOptionLists, splitOptions, wantsHelp } from './creation-options.ts';

const SPECS = [
  COMMON.help,
  COMMON.shortFormat,
  { id: 'output-format', short: 'O', argument: true },
  { id: 'backing', short: 'B', argument: true },
  { id: 'backing-format', short: 'F', argument: true },
  { id: 'copy-range', short: 'C' },
  { id: 'compress', short: 'c' },
  { id: 'options', short: 'o', argument: true },
  { id: 'snapshot', short: 'l', argument: true },
  { id: 'sparse', short: 'S', argument: true },
  COMMON.progress,
  { id: 'cache', short: 't', argument: true },
  COMMON.sourceCache,
  COMMON.quiet,
  { id: 'no-create', short: 'n' },
  { id: 'coroutines', short: 'm', argument: true },
  { id: 'out-of-order', short: 'W' },
  COMMON.forceShare,
  { id: 'rate-limit', short: 'r', long: 'rate-limit', argument: true },
  COMMON.object,
  COMMON.imageOpts,
  { id: 'target-image-opts', long: 'target-image-opts' },
  { id: 'salvage', long: 'salvage' },
  { id: 'target-is-zero', long: 'target-is-zero' },
  { id: 'bitmaps', long: 'bitmaps' },
  { id: 'skip-broken-bitmaps', long: 'skip-broken-bitmaps' },
  { id: 'verify', long: 'verify' },
  { id: 'snapshots', long: 'snapshots' },
  { id: 'for', long: 'for', argument: true },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const MAX_SPARSE = 16 * 1024 * 1024;
const MAX_COROUTINES = 16;

/** What is to be done. */
export interface ConvertTask {
  given: Arguments<Id>;
  sources: readonly string[];
  target: string;
  sourceFormat: string | undefined;
  /** Bytes of `-S`; undefined: the usual. */
  sparse: number | undefined;
  /** Creation options, joined; undefined without `-o`. */
  options: string | undefined;
  /** The snapshot of `-l`; undefined: the disk as it is now. */
  snapshot: SnapshotKey | undefined;
  /** What the result is to be. */
  format: string;
  /** Bytes a second that are written at most; 0: as many as there are. */
  rateLimit: number;
}

/** Instead of a task: `-o help` with the format it asks for, or nothing left to do. */
export type ConvertRequest =
  | { kind: 'done' }
  | { kind: 'options-help'; format: TargetName; target: string | undefined }
  | { kind: 'run'; task: ConvertTask };

/** Reads the arguments as far as the real program does before it opens anything. */
export async function readRequest(
  context: Context,
  argv: readonly string[],
): Promise<ConvertRequest> {
  let sparse: number | undefined;
  let options: string | undefined;
  let rateLimit = 0;
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    if (id === 'sparse') sparse = sparseOption(context, value);
    else if (id === 'coroutines') checkCoroutines(value);
    else if (id === 'options') options = joinOptionLists(options, value);
    else if (id === 'rate-limit') rateLimit = Number(sizeOption(context, value, 'rate limit'));
  });
  if (given.help) return { kind: 'done' };
  refuseCombinations(given, options);
  const sources = given.operands.slice(0, -1);
  const target = sources.length > 0 ? given.operands.at(-1) : undefined;
  if (options !== undefined && wantsHelp(options)) {
    const format = await requireTarget(given, 'Unknown file format');
    return { kind: 'options-help', format, target };
  }
  if (target === undefined) throw new CommandFailure('Must specify image file name');
  checkCacheMode(given.value('source-cache'), 'source cache');
  const sourceFormat = given.value('format');
  const snapshot = readSnapshot(given.value('snapshot'));
  // Whether there is such a format is said when the sources are open.
  const format = given.value('output-format') ?? 'raw';
  const more = { sourceFormat, sparse, options, snapshot, rateLimit, format } as const;
  return { kind: 'run', task: { given, sources, target, ...more } };
}

/** `-l`: an id or a name, or `snapshot.id=…,snapshot.name=…`. */
export function readSnapshot(text: string | undefined): SnapshotKey | undefined {
  if (text === undefined) return undefined;
  if (!text.startsWith('snapshot.')) return { word: text };
  const key: { id?: string; name?: string } = {};
  for (const item of splitOptions(text)) {
    const equals = item.indexOf('=');
    const name = equals < 0 ? item : item.slice(0, equals);
    const value = equals < 0 ? 'on' : item.slice(equals + 1);
    if (name === 'snapshot.id') key.id = value;
    else if (name === 'snapshot.name') key.name = value;
    else {
      const problem = `Invalid parameter '${name}'`;
      throw new CommandFailure(`${problem}\nqemu-img: Failed in parsing snapshot param '${text}'`);
    }
  }
  return key;
}

/** Whether the target is an image that is there, or may be one by its content, and not just a file. */
export function isIntoImage({ given, target, format }: ConvertTask): boolean {
  if (!given.has('no-create')) return false;
  if (!given.has('target-image-opts')) return format !== 'raw';
  try {
    const options = parseImageOpts(target, () => undefined);
    return (options.takeText('driver') ?? '') !== 'raw' && !options.has('file');
  } catch (error) {
    if (error instanceof OptionFault) return false;
    throw error;
  }
}

/**
 * What the real program says of the target only after it has opened the sources.
 * @returns the format that a new image is to have
 */
export async function checkTarget(task: ConvertTask): Promise<TargetName> {
  const { given, sources, target } = task;
  if (given.has('snapshot') && sources.length > 1) {
    throw new CommandFailure('No support for concatenating multiple snapshot');
  }
  const isThere = given.has('no-create');
  const unknown = isThere ? `Could not open '${target}': Unknown driver` : 'Unknown file format';
  const format = await requireTarget(given, unknown);
  if (isThere && given.has('backing')) checkBackingOfExisting(given, sources);
  if (format === 'qcow2' || (isIntoImage(task) && format === 'raw')) {
    checkCacheMode(given.value('cache'), 'cache');
    return format;
  }
  const foreign = format === 'raw' ? undefined : format;
  const refuse = `not supported for file format '${foreign?.name ?? 'raw'}'`;
  if (given.has('backing') && !isThere && foreign?.backing !== true) {
    throw new CommandFailure(`Backing file ${refuse}`);
  }
  if (given.has('backing-format') && !isThere && foreign?.backingFormat !== true) {
    throw new CommandFailure(`Backing file format ${refuse}`);
  }
  if (given.has('compress') && foreign?.packs !== true) {
    throw new CommandFailure('Compression not supported for this file format');
  }
  checkCacheMode(given.value('cache'), 'cache');
  return format;
}

/** A format that images can be made in. */
export type TargetName = 'raw' | 'qcow2' | TargetFormat;

/** `-B` with `-n`: what the source has below it is left out; nobody looks at the file itself. */
function checkBackingOfExisting(given: Arguments<Id>, sources: readonly string[]): void {
  if (given.has('target-is-zero')) {
    const text = 'Cannot use --target-is-zero when the destination image has a backing file';
    // The real program says so, does nothing, and ends with success.
    throw new CommandFailure(text, 0);
  }
  if (sources.length < 2) return;
  const when = 'makes no sense when concatenating multiple input images';
  throw new CommandFailure(`Having a backing file for the target ${when}`);
}

/** Copying snapshots is ours alone. @throws CommandFailure for what it does not go with */
export function checkSnapshots({ given, sources, format, options }: ConvertTask): void {
  if (!given.has('snapshots')) return;
  if (format !== 'qcow2') throw new CommandFailure('--snapshots needs -O qcow2');
  if (sources.length > 1) throw new CommandFailure('--snapshots needs a single source');
  for (const [id, text] of [
    ['no-create', '-n'],
    ['snapshot', '-l'],
    ['backing', '-B'],
    ['salvage', '--salvage'],
    ['sparse', '-S'],
  ] as const) {
    if (given.has(id)) throw new CommandFailure(`--snapshots does not go with ${text}`);
  }
  const isOther = /(?:^|,)(?:backing_file|data_file|preallocation)=/.test(options ?? '');
  if (isOther) throw new CommandFailure('--snapshots does not go with these options');
}

function refuseCombinations(given: Arguments<Id>, options: string | undefined): void {
  const copyRange = given.has('copy-range');
  const cannot = 'Cannot enable copy offloading when';
  if (given.has('skip-broken-bitmaps') && !given.has('bitmaps')) {
    throw new CommandFailure('Use of --skip-broken-bitmaps requires --bitmaps');
  }
  if (copyRange && given.has('compress')) throw new CommandFailure(`${cannot} -c is used`);
  if (copyRange && given.has('sparse')) throw new CommandFailure(`${cannot} -S is used`);
  if (copyRange && given.has('salvage')) {
    throw new CommandFailure('Cannot use copy offloading in salvaging mode');
  }
  if (given.has('verify') && given.has('salvage')) {
    throw new CommandFailure('What was salvaged cannot be verified (--salvage, --verify)');
  }
  const create = !given.has('no-create');
  if (given.has('target-image-opts') && create) {
    throw new CommandFailure('--target-image-opts requires use of -n flag');
  }
  if (options !== undefined && !create) {
    throw new CommandFailure('-o has no effect when skipping image creation');
  }
  if (given.has('target-is-zero') && create) {
    throw new CommandFailure('--target-is-zero requires use of -n flag');
  }
}

async function requireTarget(given: Arguments<Id>, unknown: string): Promise<TargetName> {
  const format = given.value('output-format') ?? 'raw';
  if (given.has('target-image-opts') && given.has('output-format')) {
    throw new CommandFailure('--image-opts and --format are mutually exclusive');
  }
  if (format === 'raw' || format === 'qcow2') return format;
  const target = await targetFormat(format);
  if (target !== undefined) return target;
  if (['bochs', 'cloop', 'dmg'].includes(format)) {
    throw new CommandFailure(`Format driver '${format}' does not support image creation`);
  }
  if (isForeignFormat(format)) throw notSupported(`Converting to '${format}'`);
  throw new CommandFailure(`${unknown} '${format}'`);
}

function sparseOption(context: Context, text: string): number {
  const what = 'buffer size for sparse output';
  const size = sizeOption(context, text, what);
  if (size % 512n !== 0n || size > MAX_SPARSE) {
    throw new CommandFailure(
      `Invalid ${what} specified. Valid sizes are multiples of 512 up to ${MAX_SPARSE}. ` +
        'Select 0 to disable sparse detection (fully allocates output).',
    );
  }
  return Number(size);
}

/** C's strtol with any base: 010 is eight, 0x10 sixteen. */
function checkCoroutines(text: string): void {
  const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)$/.exec(text);
  const [, sign = '', digits = ''] = match ?? [];
  const octal = /^0[0-7]+$/.test(digits);
  const value = octal ? Number.parseInt(digits, 8) : Number(digits === '' ? NaN : digits);
  if (sign === '-' || !(value >= 1 && value <= MAX_COROUTINES)) {
    throw new CommandFailure(
      'Invalid number of coroutines. Allowed number of coroutines is between 1 and ' +
        String(MAX_COROUTINES),
    );
  }
}
