/** `qemu-img snapshot -c`, `-a` and `-d`, with the real program's words where they fail. */
import {
  applySnapshot,
  checkApplicable,
  createSnapshot,
  deleteSnapshot,
  editQcow2,
  ImageError,
  isImageError,
  Qcow2Image,
} from '../engine/index.ts';
import type { ErrorCode, ErrorDetails } from '../engine/errors.ts';
import type { Snapshot } from '../engine/formats/qcow2/snapshots.ts';
import type { Qcow2Writer } from '../engine/formats/qcow2/edit/writer.ts';
import { CommandFailure, isCancelled, report, type Context } from './context.ts';
import { editByName } from './editing.ts';
import type { CommandHost } from './host.ts';
import type { OpenedImage, OpenRequest } from './images.ts';
import { errorText } from './messages.ts';

/** What is to be done, and the name or id that was given. */
export interface SnapshotChange {
  readonly action: 'apply' | 'create' | 'delete';
  readonly word: string;
}

/** Numbers and texts of the C library. */
const ERRNO = {
  missing: [2, 'No such file or directory'],
  damaged: [5, 'Input/output error'],
  invalid: [22, 'Invalid argument'],
  tooLarge: [27, 'File too large'],
  unsupported: [95, 'Operation not supported'],
} as const;

/** What the real program says is only such a number. */
const REASONS: Partial<Record<ErrorCode, keyof typeof ERRNO>> = {
  'snapshot-missing': 'missing',
  'snapshot-refused': 'unsupported',
  'refcount-limit': 'invalid',
  'too-large': 'tooLarge',
  'l2-damaged': 'damaged',
  'unreadable-cluster': 'damaged',
};

/**
 * Makes the change.
 * @throws CommandFailure
 */
export async function changeSnapshots(
  context: Context,
  request: Omit<OpenRequest, 'mode' | 'opener'> & { undo: string | undefined },
  change: SnapshotChange,
): Promise<void> {
  await editByName(context, request, async (image) => {
    warnOfGuess(context.host, image);
    const { disk } = image;
    if (!(disk instanceof Qcow2Image)) {
      // The real program opens it once more to find that out.
      if (change.action === 'apply') warnOfGuess(context.host, image);
      throw noSnapshots(change);
    }
    try {
      await run(context, disk, change);
    } catch (error) {
      if (!isImageError(error) || isCancelled(error)) throw error;
      throw failure(context, change, error);
    }
  });
}

async function run({ signal }: Context, image: Qcow2Image, change: SnapshotChange): Promise<void> {
  if (change.action === 'create') {
    const label = { name: change.word, ...now() };
    await write(image, (writer) => createSnapshot(image, writer, label, signal));
    return;
  }
  if (change.action === 'apply') checkApplicable(image);
  const snapshot = find(image, change);
  const work = change.action === 'apply' ? applySnapshot : deleteSnapshot;
  await write(image, (writer) => work(image, writer, snapshot, signal));
}

async function write(
  image: Qcow2Image,
  work: (writer: Qcow2Writer) => Promise<unknown>,
): Promise<void> {
  const writer = await editQcow2(image);
  await work(writer);
  await writer.flush();
}

function now(): { seconds: number; nanoseconds: number } {
  const milliseconds = Date.now();
  return {
    seconds: Math.floor(milliseconds / 1000),
    nanoseconds: (milliseconds % 1000) * 1_000_000,
  };
}

/**
 * The snapshot that is meant: for `-a` by its id or else its name. For `-d` it is the other way
 * round: the real program knows only names there, and by the id that of several can be deleted that
 * have one name.
 * @throws ImageError snapshot-missing
 */
function find({ snapshots, header }: Qcow2Image, { action, word }: SnapshotChange): Snapshot {
  const byId = snapshots.find(({ id }) => id === word);
  const byName = snapshots.find(({ name }) => name === word);
  const found = action === 'apply' ? (byId ?? byName) : (byName ?? byId);
  if (found === undefined || header.hasDataFile) {
    throw new ImageError('snapshot-missing', { key: word });
  }
  return found;
}

/** For a format that has no snapshots. */
function noSnapshots({ action, word }: SnapshotChange): CommandFailure {
  const [number, text] = ERRNO.unsupported;
  switch (action) {
    case 'create':
      return new CommandFailure(`Could not create snapshot '${word}': -${number} (${text})`);
    case 'apply': {
      const reason = 'Block driver does not support snapshots';
      return new CommandFailure(`Could not apply snapshot '${word}': ${reason}`);
    }
    case 'delete':
      return new CommandFailure(`Could not delete snapshot '${word}': snapshot not found`);
  }
}

function failure(
  context: Context,
  { action, word }: SnapshotChange,
  error: ImageError,
): CommandFailure {
  const cause = reasonOf(error);
  const prefix = `Could not ${action} snapshot '${word}': `;
  if (action === 'create') {
    const [number, text] = cause ?? [];
    const reason = number === undefined ? errorText(error) : `-${number} (${text ?? ''})`;
    return new CommandFailure(prefix + reason, 1, error);
  }
  if (action === 'delete') {
    const isMissing = error.code === 'snapshot-missing';
    return new CommandFailure(
      prefix + (isMissing ? 'snapshot not found' : errorText(error)),
      1,
      error,
    );
  }
  if (isRefusal(error, 'bitmaps')) return new CommandFailure(prefix + errorText(error), 1, error);
  const saysMore =
    error.code === 'invalid-header' || isRefusal(error, 'version') || isRefusal(error, 'size');
  if (saysMore) report(context, errorText(error));
  const reason = cause?.[1] ?? errorText(error);
  return new CommandFailure(`${prefix}Failed to load snapshot: ${reason}`, 1, error);
}

function reasonOf(error: ImageError): (typeof ERRNO)[keyof typeof ERRNO] | undefined {
  if (error.code === 'invalid-header') {
    return errorText(error).endsWith('too large') ? ERRNO.tooLarge : ERRNO.invalid;
  }
  if (isRefusal(error, 'size')) return ERRNO.invalid;
  const reason = REASONS[error.code];
  return reason === undefined ? undefined : ERRNO[reason];
}

function isRefusal(error: ImageError, reason: ErrorDetails['snapshot-refused']['reason']): boolean {
  return isImageError(error, 'snapshot-refused') && error.details.reason === reason;
}

/** What the real program says when it opens an image for writing that may be anything. */
export function warnOfGuess(host: CommandHost, image: OpenedImage): void {
  if (image.info.format !== 'raw') return;
  const indent = ' '.repeat('WARNING: '.length);
  host.stderr(
    `WARNING: Image format was not specified for '${image.name}' and probing guessed raw.\n` +
      `${indent}Automatically detecting the format is dangerous for raw images, ` +
      'write operations on block 0 will be restricted.\n' +
      `${indent}Specify the 'raw' format explicitly to remove the restrictions.\n`,
  );
}
