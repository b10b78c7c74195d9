/** `qemu-img bitmap`: persistent bitmaps, changed by actions in the order in which they are given. */
import { BitmapDirectory, editQcow2, isImageError, Qcow2Image } from '../engine/index.ts';
import {
  COMMON,
  CommandFailure,
  isCancelled,
  readArguments,
  sizeOption,
  type Arguments,
  type Context,
} from './context.ts';
import { editByName } from './editing.ts';
import { openByName, type OpenedImage } from './images.ts';
import { errorText } from './messages.ts';
import { warnOfGuess } from './snapshot-change.ts';

const SPECS = [
  COMMON.help,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.shortFormat,
  COMMON.undo,
  { id: 'add', long: 'add' },
  { id: 'remove', long: 'remove' },
  { id: 'clear', long: 'clear' },
  { id: 'enable', long: 'enable' },
  { id: 'disable', long: 'disable' },
  { id: 'merge', long: 'merge', argument: true },
  { id: 'granularity', short: 'g', long: 'granularity', argument: true },
  { id: 'source-file', short: 'b', long: 'source-file', argument: true },
  { id: 'source-format', short: 'F', long: 'source-format', argument: true },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const OPERATIONS = ['add', 'remove', 'clear', 'enable', 'disable', 'merge'] as const;
type Operation = (typeof OPERATIONS)[number];

/** One of the actions; `source` is the bitmap to be merged. */
interface Action {
  readonly operation: Operation;
  readonly source: string;
}

interface Task {
  readonly actions: readonly Action[];
  readonly bitmap: string;
  /** Bytes; undefined where it is left to the image. */
  readonly granularity: number | undefined;
}

export async function bitmap(context: Context, argv: readonly string[]): Promise<number> {
  const actions: Action[] = [];
  let granularity = 0n;
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    const operation = OPERATIONS.find((one) => one === id);
    if (operation !== undefined) actions.push({ operation, source: value });
    if (id === 'granularity') granularity = sizeOption(context, value, 'granularity');
  });
  if (given.help) return 0;
  const [name, bitmapName] = checkArguments(given, actions, granularity);
  const task = {
    ...{ actions, bitmap: bitmapName },
    // The real program cuts it to 32 bits.
    granularity: granularity === 0n ? undefined : Number(BigInt.asUintN(32, granularity)),
  };
  const request = {
    ...{ name, format: given.value('format'), imageOpts: given.has('image-opts') },
    // What it is based on does not matter.
    ...{ mode: 'info' as const, undo: given.value('undo') },
  };
  await editByName(context, request, async (image) => {
    if (request.format === undefined && !request.imageOpts) warnOfGuess(context.host, image);
    const source = await openSource(context, given, image);
    try {
      await run(image, source?.disk ?? image.disk, task);
    } finally {
      await source?.close();
    }
  });
  return 0;
}

/** The image and the bitmap. @throws CommandFailure */
function checkArguments(
  given: Arguments<Id>,
  actions: readonly Action[],
  granularity: bigint,
): readonly [string, string] {
  const has = (operation: Operation) => actions.some((action) => action.operation === operation);
  if (actions.length === 0) {
    const all = '--add, --remove, --clear, --enable, --disable, or --merge';
    throw new CommandFailure(`Need at least one of ${all}`);
  }
  if (granularity !== 0n && !has('add')) {
    throw new CommandFailure('granularity only supported with --add');
  }
  if (given.has('source-format') && !given.has('source-file')) {
    throw new CommandFailure('-F only supported with -b');
  }
  if (given.has('source-file') && !has('merge')) {
    throw new CommandFailure('Merge bitmap source file only supported with --merge');
  }
  const [name, bitmapName] = given.operands;
  if (name === undefined || bitmapName === undefined || given.operands.length > 2) {
    throw new CommandFailure('Expecting filename and bitmap name');
  }
  return [name, bitmapName];
}

/** The image whose bitmap is merged; undefined for the one that is changed. */
async function openSource(
  context: Context,
  given: Arguments<Id>,
  target: OpenedImage,
): Promise<OpenedImage | undefined> {
  const name = given.value('source-file');
  if (name === undefined) return undefined;
  const format = given.value('source-format');
  const source = await openByName(context, { name, format, mode: 'info' });
  if (source.path !== target.path) return source;
  await source.close();
  const reason = `Failed to get shared "write" lock\nIs another process using the image [${name}]?`;
  throw new CommandFailure(`Could not open '${name}': ${reason}`);
}

/** All actions happen, or none. */
async function run({ disk, name }: OpenedImage, source: OpenedImage['disk'], task: Task) {
  const image = disk instanceof Qcow2Image ? disk : undefined;
  let operation: Operation | undefined;
  try {
    if (image === undefined) {
      [{ operation }] = task.actions as [Action];
      throw noBitmaps(task, operation, name);
    }
    const writer = await editQcow2(image);
    const directory = await BitmapDirectory.open(image, writer);
    for (const action of task.actions) {
      ({ operation } = action);
      await act(directory, action, task, source);
    }
    await directory.flush();
    await writer.flush();
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    if (operation === undefined) throw error;
    throw failure(task, operation, reasonOf(error, task, name), error);
  }
}

async function act(
  directory: BitmapDirectory,
  { operation, source }: Action,
  { bitmap: name, granularity }: Task,
  image: OpenedImage['disk'],
): Promise<void> {
  switch (operation) {
    case 'add':
      await directory.add(name, { granularity });
      return;
    case 'remove':
      await directory.remove(name);
      return;
    case 'clear':
      await directory.clear(name);
      return;
    case 'enable':
    case 'disable':
      directory.enable(name, operation === 'enable');
      return;
    case 'merge':
      await directory.merge(name, image instanceof Qcow2Image ? image : undefined, source);
  }
}

function failure(
  { bitmap: name }: Task,
  operation: Operation,
  reason: string,
  cause?: unknown,
): CommandFailure {
  return new CommandFailure(`Operation ${operation} on bitmap ${name} failed: ${reason}`, 1, cause);
}

/** For a format that has none. */
function noBitmaps(task: Task, operation: Operation, image: string): CommandFailure {
  const { bitmap: name } = task;
  if (operation !== 'add') return failure(task, operation, `Dirty bitmap '${name}' not found`);
  if (name === '') return failure(task, operation, 'Bitmap name cannot be empty');
  const { granularity = 65536 } = task;
  if (granularity < 512 || !Number.isInteger(Math.log2(granularity))) {
    return failure(task, operation, 'Granularity must be power of 2 and at least 512');
  }
  const reason = `Can't store persistent bitmaps to ${image}: Operation not supported`;
  return failure(task, operation, reason);
}

/** Where the real program says a number that it has given the image, ours says its name. */
function reasonOf(
  error: Parameters<typeof errorText>[0],
  { bitmap: name }: Task,
  image: string,
): string {
  if (isImageError(error, 'bitmap-missing'))
    return `Dirty bitmap '${error.details.name}' not found`;
  const text = errorText(error);
  if (!isImageError(error, 'bitmap-refused')) return text;
  switch (error.details.reason) {
    case 'version':
    case 'granularity-large':
    case 'too-large':
    case 'name-long':
    case 'too-many':
    case 'directory-full':
      return `Can't make bitmap '${name}' persistent in '${image}': ${text}`;
    case 'exists':
    case 'inconsistent':
    case 'granularity':
    case 'name-empty':
    case 'sizes':
    case 'empty-disk':
      return text;
  }
}
