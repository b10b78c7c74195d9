/** `qemu-img bench`: how fast a disk is read, or written to. */
import { benchReads, isImageError } from '../engine/index.ts';
import {
  COMMON,
  CommandFailure,
  isCacheMode,
  isCancelled,
  readArguments,
  sizeOption,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { writeBench } from './bench-write.ts';
import { reportCorruption } from './corruption.ts';
import { openByName, type OpenedImage } from './images.ts';
import { errorText } from './messages.ts';
import { parseInteger, toDecimals } from './sizes.ts';

const SPECS = [
  COMMON.help,
  { id: 'flush-interval', long: 'flush-interval', argument: true },
  COMMON.imageOpts,
  { id: 'pattern', long: 'pattern', argument: true },
  { id: 'no-drain', long: 'no-drain' },
  COMMON.forceShare,
  { id: 'count', short: 'c', argument: true },
  { id: 'depth', short: 'd', argument: true },
  COMMON.shortFormat,
  { id: 'aio', short: 'i', argument: true },
  { id: 'native', short: 'n' },
  { id: 'offset', short: 'o', argument: true },
  COMMON.quiet,
  { id: 'size', short: 's', argument: true },
  { id: 'step', short: 'S', argument: true },
  { id: 'cache', short: 't', argument: true },
  { id: 'write', short: 'w' },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const MOST_BYTES = 2n ** 31n - 1n;
const MOST_COUNT = 2n ** 31n - 1n;
const MOST_PATTERN = 255n;
const AIO = ['threads', 'native', 'io_uring'];

/** What is to be read, in bytes where it is no number of reads. */
export interface BenchTask {
  count: number;
  depth: number;
  size: number;
  /** 0: as far as a read is long. */
  step: number;
  offset: bigint;
  flushInterval: number;
  /** What is written. */
  pattern: number;
  aio: string;
  cache: string;
}

export async function bench(context: Context, argv: readonly string[]): Promise<number> {
  const task: BenchTask = {
    ...{ count: 75_000, depth: 64, size: 4096, step: 0, offset: 0n },
    ...{ flushInterval: 0, pattern: 0, aio: 'threads', cache: 'writeback' },
  };
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    readOption(context, task, id, value);
  });
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  checkFlushing(given, task);
  const request = { name, format: given.value('format'), imageOpts: given.has('image-opts') };
  if (given.has('write')) {
    await writeBench(context, request, task);
    return 0;
  }
  const image = await openByName(context, { ...request, mode: 'read' });
  try {
    checkAio(name, task);
    await run(context, image, task);
  } finally {
    await image.close();
  }
  return 0;
}

/** One option after the other is looked at, as the real program does. */
function readOption(context: Context, task: BenchTask, id: Id | 'help', value: string): void {
  const bytes = (what: string) => Number(sizeOption(context, value, what, { most: MOST_BYTES }));
  if (id === 'count') task.count = countOption(value, 'request count');
  // The real program waits for ever for the first of no reads at once.
  else if (id === 'depth') task.depth = countOption(value, 'queue depth', { least: 1n });
  else if (id === 'flush-interval') task.flushInterval = countOption(value, 'flush interval');
  else if (id === 'pattern')
    task.pattern = countOption(value, 'pattern byte', { most: MOST_PATTERN });
  else if (id === 'size') task.size = bytes('buffer size');
  else if (id === 'step') task.step = bytes('step_size');
  else if (id === 'offset') task.offset = sizeOption(context, value, 'offset');
  else if (id === 'native') task.aio = 'native';
  else if (id === 'aio' && !AIO.includes(value)) {
    throw new CommandFailure(`Invalid aio option: ${value}`);
  } else if (id === 'aio') task.aio = value;
  else if (id === 'cache' && !isCacheMode(value)) throw new CommandFailure('Invalid cache mode');
  else if (id === 'cache') task.cache = value;
}

function countOption(text: string, what: string, { least = 0n, most = MOST_COUNT } = {}): number {
  const value = parseInteger(text);
  if (value === undefined || value < least || value > most) {
    throw new CommandFailure(`Invalid ${what} specified`);
  }
  return Number(value);
}

function checkFlushing(given: Arguments<Id>, { flushInterval, depth }: BenchTask): void {
  if (flushInterval > 0 && !given.has('write')) {
    throw new CommandFailure('--flush-interval is only available in write tests');
  }
  if (flushInterval > 0 && flushInterval < depth) {
    throw new CommandFailure("Flush interval can't be smaller than depth");
  }
}

/** Which way the system reads makes no difference here; what contradicts itself is refused. */
function checkAio(name: string, { aio, cache }: BenchTask): void {
  if (aio !== 'native' || ['none', 'off', 'directsync'].includes(cache)) return;
  const reason = 'it requires cache.direct=on, which was not specified.';
  throw new CommandFailure(`Could not open '${name}': aio=native was specified, but ${reason}`);
}

async function run(context: Context, { disk }: OpenedImage, task: BenchTask): Promise<void> {
  const { count, depth, size } = task;
  const step = task.step === 0 ? size : task.step;
  context.host.stdout(
    `Sending ${count} read requests, ${size} bytes each, ${depth} in parallel ` +
      `(starting at offset ${String(task.offset)}, step size ${step})\n`,
  );
  try {
    const { signal, host } = context;
    const reads = { count, depth, size, step, offset: Number(task.offset) };
    const seconds = await benchReads(disk, { ...reads, signal, pool: host.pool });
    context.host.stdout(`Run completed in ${toDecimals(seconds, 3)} seconds.\n`);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    await reportCorruption(context, disk, error);
    throw new CommandFailure(`Failed request: ${errorText(error)}`, 1, error);
  }
}
