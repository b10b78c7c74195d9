/** `qemu-img rebase`: another backing file for an image, or none. */
import {
  editDisk,
  editQcow2,
  FORMAT_NAMES,
  isImageError,
  Qcow2Image,
  rebaseContent,
  rebaseIntoQcow2,
  type RebaseReport,
  type RebaseTarget,
} from '../engine/index.ts';
import type { Disk, DiskWriter } from '../engine/formats/format.ts';
import {
  checkCacheMode,
  COMMON,
  CommandFailure,
  isCancelled,
  readArguments,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { editByName, type EditedImage } from './editing.ts';
import { isForeignFormat } from './foreign-formats.ts';
import { openByName, type OpenedImage } from './images.ts';
import { errorText } from './messages.ts';
import { isProtocol, resolveName } from './names.ts';
import { ProgressLine } from './progress.ts';

const SPECS = [
  COMMON.help,
  COMMON.shortFormat,
  { id: 'backing-format', short: 'F', argument: true },
  { id: 'backing', short: 'b', argument: true },
  { id: 'unsafe', short: 'u' },
  // Of later versions of the real program.
  { id: 'compress', short: 'c', long: 'compress' },
  COMMON.progress,
  { id: 'cache', short: 't', argument: true },
  COMMON.sourceCache,
  COMMON.quiet,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
  COMMON.undo,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

/** Bytes of the name that the header can hold. */
const MOST_NAME_BYTES = 1023;

export async function rebase(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const unsafe = given.has('unsafe');
  if (!unsafe && !given.has('backing')) {
    throw usageFailure('Must specify backing file (-b) or use unsafe mode (-u)');
  }
  checkCacheMode(given.value('cache'), 'cache');
  checkCacheMode(given.value('source-cache'), 'source cache');
  const line = new ProgressLine(context.host, given.has('progress') && !given.has('quiet'));
  line.show(0);
  try {
    const request = {
      ...{ name, format: given.value('format') },
      imageOpts: given.has('image-opts'),
      undo: given.value('undo'),
      // The old backing file may be lost: that is what it is for.
      mode: unsafe ? ('info' as const) : ('read' as const),
    };
    await editByName(context, request, async (image) => {
      checkFormat(given.value('backing-format'));
      await run(context, image, given, line);
    });
    line.show(1);
  } finally {
    line.end();
  }
  return 0;
}

function checkFormat(format: string | undefined): void {
  if (format === undefined) return;
  const known = FORMAT_NAMES.some((one) => one === format);
  if (known || isForeignFormat(format) || isProtocol(format)) return;
  throw new CommandFailure(`Invalid format name: '${format}'`);
}

async function run(
  context: Context,
  image: EditedImage,
  given: Arguments<Id>,
  line: ProgressLine,
): Promise<void> {
  const next = given.value('backing');
  const format = given.value('backing-format');
  if (given.has('unsafe')) return setBacking(image, next, format);
  const backing = next === '' ? undefined : await openNext(context, image, next ?? '', format);
  try {
    await setBacking(image, next, format, (target) =>
      takeOver(
        context,
        { disk: image.disk, target, next: backing?.disk, line },
        given.has('compress'),
      ),
    );
  } finally {
    await backing?.close();
  }
}

/** The new backing file; one that is in the chain already is not opened again. */
async function openNext(
  context: Context,
  image: EditedImage,
  name: string,
  format: string | undefined,
): Promise<Pick<OpenedImage, 'disk' | 'close'>> {
  const path = resolveName(name, image.path);
  for (let disk = image.disk.backing; disk !== undefined; disk = disk.backing) {
    if (disk.storage.name === path) return { disk, close: () => Promise.resolve() };
  }
  let opened: OpenedImage;
  try {
    opened = await openByName(context, { name: path, format, mode: 'read' });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const reason = error.message.replace(`Could not open '${path}': `, '');
    const text = `Could not open new backing file '${name}': ${reason}`;
    throw new CommandFailure(text, 1, error);
  }
  for (let disk: Disk | undefined = opened.disk; disk !== undefined; disk = disk.backing) {
    if (disk.storage.name !== image.path) continue;
    await opened.close();
    const reason = `it needs '${image.path}' itself`;
    throw new CommandFailure(`Could not open new backing file '${name}': ${reason}`);
  }
  return opened;
}

interface Task {
  readonly disk: Disk;
  readonly target: RebaseTarget;
  readonly next: Disk | undefined;
  readonly line: ProgressLine;
}

async function takeOver(context: Context, task: Task, compress: boolean): Promise<RebaseReport> {
  const { disk, target, next, line } = task;
  try {
    return await rebaseContent(disk, target, next, {
      compress,
      signal: context.signal,
      pool: context.host.pool,
      progress: ({ done, total }) => {
        line.show(done / total);
      },
    });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(`Error while writing to COW image: ${errorText(error)}`, 1, error);
  }
}

/** Writes the new name, after `before` has made sure that it is right. */
async function setBacking(
  image: EditedImage,
  name: string | undefined,
  format: string | undefined,
  before?: (target: RebaseTarget) => Promise<unknown>,
): Promise<void> {
  const refuse = (reason: string) => {
    const text = `Could not change the backing file to '${name ?? '(null)'}': ${reason}`;
    return new CommandFailure(text);
  };
  const { disk } = image;
  if (!(disk instanceof Qcow2Image)) {
    if (await renameBacking({ disk, name, format, refuse, before })) return;
    throw refuse('Operation not supported');
  }
  const writer = await editQcow2(disk);
  await before?.(rebaseIntoQcow2(disk, writer));
  const named = name !== undefined && name !== '';
  if (named && format === undefined) throw refuse('backing format must be specified');
  const tooLong = new TextEncoder().encode(name ?? '').length > MOST_NAME_BYTES;
  // With a raw data file, that file alone has to make sense of the content.
  if (named && (disk.header.dataFileRaw || tooLong)) throw refuse('Invalid argument');
  writer.header.backingName = named ? name : '';
  writer.header.backingFormat = named ? (format ?? '') : '';
  try {
    await writer.flush();
  } catch (error) {
    if (!isImageError(error, 'header-full')) throw error;
    throw refuse('No space left in the file header');
  }
}

/** The same in an image of another format. Returns false where the format cannot. */
async function renameBacking({
  disk,
  name,
  format,
  refuse,
  before,
}: {
  disk: Disk;
  name: string | undefined;
  format: string | undefined;
  refuse: (reason: string) => CommandFailure;
  before: ((target: RebaseTarget) => Promise<unknown>) | undefined;
}): Promise<boolean> {
  if (disk.format === 'raw') return false;
  try {
    const writer = await editDisk(disk, { rebases: true });
    if (writer.setBacking === undefined) return false;
    await before?.(targetOf(writer));
    const named = name !== undefined && name !== '';
    if (named && format === undefined) throw refuse('backing format must be specified');
    await writer.setBacking(named ? name : '', format ?? '');
    await writer.flush();
    return true;
  } catch (error) {
    if (isImageError(error, 'unsupported-feature')) return false;
    if (!isImageError(error, 'header-full')) throw error;
    throw refuse('No space left on device');
  }
}

function targetOf(writer: DiskWriter): RebaseTarget {
  return {
    ...{ unit: writer.clusterSize, clusterSize: writer.clusterSize, packing: writer.packing },
    write: (offset, bytes) => writer.write(offset, bytes),
    zero: (offset, length) => writer.zero(offset, length),
    writePacked: (offset, packed) => writer.writePacked(offset, packed),
  };
}
