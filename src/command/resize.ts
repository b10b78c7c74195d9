/** `qemu-img resize`: another virtual size for an image. */
import { isImageError, planResize, resizeDisk, type ResizePlan } from '../engine/index.ts';
import type { ImageError } from '../engine/index.ts';
import {
  COMMON,
  CommandFailure,
  hexWarning,
  isCancelled,
  readArguments,
  report,
  usageFailure,
  type Context,
} from './context.ts';
import { readSize } from './creation-values.ts';
import { editByName, type EditedImage } from './editing.ts';
import { errorText } from './messages.ts';
import { OptionFault } from './option-text.ts';
import { PREALLOCATION } from './qcow2-options.ts';
import { warnOfGuess } from './snapshot-change.ts';
import { formatSize } from './sizes.ts';

const SPECS = [
  COMMON.shortFormat,
  COMMON.help,
  COMMON.quiet,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.undo,
  { id: 'preallocation', long: 'preallocation', argument: true },
  { id: 'shrink', long: 'shrink' },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** The size that no disk may exceed, bytes. */
export const MAX_SIZE = 2n ** 63n - 2n ** 30n;

const SHRINKING = [
  'Use the --shrink option to perform a shrink operation.',
  "warning: Shrinking an image will delete all data beyond the shrunken image's end. " +
    'Before performing such an operation, make sure there is no important data there.',
];

type Preallocation = 'off' | 'metadata' | 'falloc' | 'full';

/** What is asked for. */
interface Task {
  /** As it was given: `+` and `-` are relative. */
  readonly sign: '+' | '-' | '';
  /** Bytes. */
  readonly amount: bigint;
  readonly preallocation: Preallocation;
  readonly shrink: boolean;
  readonly quiet: boolean;
}

export async function resize(context: Context, argv: readonly string[]): Promise<number> {
  // The last word is the size always: it may begin with a minus.
  if (argv.length < 3) throw usageFailure('Not enough arguments');
  const sizeText = argv.at(-1) ?? '';
  let preallocation: Preallocation = 'off';
  const given = readArguments<Id>(context, argv.slice(0, -1), SPECS, ({ id, value }) => {
    if (id === 'preallocation') preallocation = readPreallocation(value);
  });
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting image file name and size');
  }
  const sign = (['+', '-'] as const).find((one) => sizeText.startsWith(one)) ?? '';
  const task: Task = {
    ...{ sign, preallocation, shrink: given.has('shrink'), quiet: given.has('quiet') },
    amount: readAmount(context, sizeText.slice(sign.length)),
  };
  const imageOpts = given.has('image-opts');
  const asked = { name, format: given.value('format'), imageOpts, undo: given.value('undo') };
  await editByName(context, asked, (image) => run(context, image, task));
  if (!task.quiet) context.host.stdout('Image resized.\n');
  return 0;
}

function readPreallocation(text: string): Preallocation {
  const mode = PREALLOCATION.find((one) => one === text);
  if (mode === undefined) throw new CommandFailure(`Invalid preallocation mode '${text}'`);
  return mode as Preallocation;
}

/** With 64 bits and a sign, as the real program keeps it. */
function readAmount(context: Context, text: string): bigint {
  try {
    const size = readSize('size', text, (value) => {
      report(context, hexWarning(value));
    });
    return BigInt.asIntN(64, size);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, 1, error);
  }
}

async function run(context: Context, image: EditedImage, task: Task): Promise<void> {
  if (image.guessed) warnOfGuess(context.host, image);
  const { disk } = image;
  const current = BigInt(disk.size);
  const size = wantedSize(current, task);
  if (size <= 0n) throw new CommandFailure('New image size must be positive');
  if (size <= current && task.preallocation !== 'off') {
    throw new CommandFailure('Preallocation can only be used for growing images');
  }
  const notes = notesOf(await planResize(disk, Number(size)));
  if (size < current && !task.shrink) {
    throw new CommandFailure([...SHRINKING, ...notes].join('\nqemu-img: '));
  }
  for (const text of notes) report(context, text);
  checkSize(image, size, task);
  try {
    const { signal } = context;
    await resizeDisk(disk, Number(size), { preallocation: task.preallocation, signal });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(failureText(error, disk.format), 1, error);
  }
}

/** Bytes; as with 64 bits and a sign, too large ones are negative. */
function wantedSize(current: bigint, { sign, amount }: Task): bigint {
  if (sign === '') return amount;
  return BigInt.asIntN(64, sign === '+' ? current + amount : current - amount);
}

function checkSize({ disk, change }: EditedImage, size: bigint, { preallocation }: Task): void {
  if (size > MAX_SIZE) {
    throw new CommandFailure(`offset(${String(size)}) exceeds maximum(${String(MAX_SIZE)})`);
  }
  if (disk.format !== 'raw') {
    // Before it is a number that may be rounded.
    if (size % 512n !== 0n) throw new CommandFailure('The new size must be a multiple of 512');
    if (disk.format === 'qed' && preallocation !== 'off') {
      throw new CommandFailure(`Unsupported preallocation mode '${preallocation}'`);
    }
    return;
  }
  if (disk.storage !== change.storage) {
    throw new CommandFailure('Cannot resize fixed-size raw disks');
  }
  if (preallocation === 'metadata') {
    throw new CommandFailure('Unsupported preallocation mode: metadata');
  }
}

function failureText(error: ImageError, format: string): string {
  if (error.code !== 'too-large') return errorText(error);
  const failed = format === 'raw' ? 'Could not resize file' : 'Failed to grow the L1 table';
  return `${failed}: File too large`;
}

/** What is to be known before: the real program says nothing of it. */
export function notesOf({ cut, newSize, gptBackup }: ResizePlan): string[] {
  const notes = cut.map(({ number, start, length, name }) => {
    const what = start >= newSize ? 'is lost' : 'loses its end';
    const label = name === '' ? '' : ` '${name}'`;
    const where = `bytes ${String(start)} to ${String(start + length)}, ${formatSize(length)}`;
    return `note: partition ${String(number)}${label} (${where}) ${what}`;
  });
  const backup = 'the backup of the partition table';
  if (gptBackup === 'lost') notes.push(`note: ${backup} at the end of the disk is lost`);
  if (gptBackup === 'misplaced') {
    notes.push(`note: ${backup} is no longer at the end of the disk: it is to be moved there`);
  }
  return notes;
}
