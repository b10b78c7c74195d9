/** `qemu-img convert`: one or several images into a raw or a qcow2 file. */
import { convertToRaw, isImageError, Salvage, type ImageError } from '../engine/index.ts';
import type { ErrorDetails } from '../engine/errors.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { CommandFailure, isCancelled, notSupported, type Context } from './context.ts';
import {
  checkSnapshots,
  checkTarget,
  isIntoImage,
  readRequest,
  type ConvertTask,
} from './convert-options.ts';
import { bitmapsToCopy } from './convert-bitmaps.ts';
import { createHelp, optionsHelp, rawOptions } from './creation-options.ts';
import { reportCorruption } from './corruption.ts';
import { checkDestination, copyForDestination } from './convert-for.ts';
import { copyToForeign } from './convert-foreign.ts';
import { copyIntoImage, copyOver } from './convert-into.ts';
import { parseImageOpts, rawPath } from './image-opts.ts';
import { verifyResult } from './convert-verify.ts';
import { copyToQcow2, openTargetBacking, qcow2Target } from './convert-qcow2.ts';
import { openByName, type OpenedImage } from './images.ts';
import { creationText, errorText } from './messages.ts';
import { fileName, refusedName } from './names.ts';
import { OptionFault } from './option-text.ts';
import { ProgressLine } from './progress.ts';
import { LimitedStorage } from './rate-limit.ts';
import { reportLosses, type SalvagedSource } from './salvage-report.ts';
import { snapshotOf } from './snapshot-disk.ts';

export async function convert(context: Context, argv: readonly string[]): Promise<number> {
  const request = await readRequest(context, argv);
  if (request.kind === 'done') return 0;
  if (request.kind === 'options-help') {
    const { format, target } = request;
    const isRaw = format === 'raw';
    const help = isRaw ? optionsHelp(target) : createHelp(format, target !== undefined);
    context.host.stdout(help);
    return 0;
  }
  const { task } = request;
  const shown = task.given.has('progress') && !task.given.has('quiet');
  const line = new ProgressLine(context.host, shown);
  line.show(0);
  const sources: OpenedImage[] = [];
  try {
    for (const name of task.sources) {
      sources.push(
        await openByName(context, {
          ...{ name, format: task.sourceFormat, mode: 'read' },
          imageOpts: task.given.has('image-opts'),
        }),
      );
    }
    if (task.given.has('for')) {
      checkDestination(task);
      await convertFor(context, task, sources, line);
      line.show(1);
      return 0;
    }
    const format = await checkTarget(task);
    checkSnapshots(task);
    const disks = await disksOf(task, sources);
    const bitmapsOf = bitmapsToCopy(
      task,
      sources.map(({ disk }) => disk),
    );
    const work = { disks, bitmapsOf, line };
    if (isIntoImage(task)) await copyIntoImage(context, task, { ...work, explain: copyText });
    else if (format === 'qcow2') await copyQcow2(context, task, work);
    else if (format === 'raw') await copyAll(context, task, disks, line);
    else {
      const openTargetFile = () => openTarget(context, task, 0);
      const more = { disks, line, explain: copyText, openTarget: openTargetFile };
      await copyToForeign(context, task, format, more);
    }
    if (task.given.has('verify')) await verifyResult(context, task, disks, line);
    line.show(1);
  } finally {
    line.end();
    for (const source of sources) await source.close();
  }
  return 0;
}

async function convertFor(
  context: Context,
  task: ConvertTask,
  sources: readonly OpenedImage[],
  line: ProgressLine,
): Promise<void> {
  const [disk] = await disksOf(task, sources);
  if (disk === undefined) throw new CommandFailure('--for needs a single source');
  const openFile = () => openTarget(context, task, 0);
  await copyForDestination(context, task, { disk, line, openTarget: openFile });
}

/** What is copied: the disks themselves, or what a snapshot keeps of the only one. */
function disksOf(task: ConvertTask, sources: readonly OpenedImage[]): Promise<Disk[]> {
  return Promise.all(sources.map(({ disk }) => snapshotOf(disk, task.snapshot)));
}

async function copyQcow2(
  context: Context,
  task: ConvertTask,
  work: Pick<Parameters<typeof copyToQcow2>[2], 'disks' | 'bitmapsOf' | 'line'>,
): Promise<void> {
  const image = await qcow2Target(context, task);
  // Before the target: a file that is open for reading is not emptied.
  const backing = await openTargetBacking(context, task, image);
  try {
    const target = await openTarget(context, task, 0);
    try {
      const more = { target, image, backing: backing?.disk };
      await copyToQcow2(context, task, { ...work, ...more }, copyText);
    } finally {
      await target.close();
    }
  } finally {
    await backing?.close();
  }
}

/** Writes the sources into the target, one behind the other. */
async function copyAll(
  context: Context,
  task: ConvertTask,
  disks: readonly Disk[],
  line: ProgressLine,
): Promise<void> {
  const total = disks.reduce((sum, disk) => sum + disk.size, 0);
  const { preallocate } = rawOptions(task.options, task.target);
  const keep = task.given.has('no-create');
  const target = await openTarget(context, task, total);
  if (task.given.has('backing')) {
    await copyOverRaw(context, task, { disks, line, explain: copyText }, target);
    return;
  }
  const salvaged: SalvagedSource[] = [];
  let before = 0;
  let current: Disk | undefined;
  try {
    for (const disk of disks) {
      current = disk;
      const salvage = task.given.has('salvage') ? new Salvage() : undefined;
      if (salvage !== undefined) salvaged.push({ disk, salvage });
      await convertToRaw(disk, target, {
        salvage,
        signal: context.signal,
        pool: context.host.pool,
        sparse: preallocate ? 0 : task.sparse,
        targetOffset: before,
        overwrite: keep && !task.given.has('target-is-zero'),
        progress: ({ done }) => {
          line.show(total === 0 ? 1 : (before + done) / total);
        },
      });
      before += disk.size;
    }
    // A disk of no size at all has nothing to copy, but the file must be there.
    if (target.size < total) await target.resize(total);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    if (current !== undefined) await reportCorruption(context, current, error);
    throw new CommandFailure(copyText(error, before), 1, error);
  } finally {
    await target.close();
    await reportLosses(context, salvaged, task.given.has('quiet'));
  }
}

/** Over what a raw file holds, but for what the source takes from its own backing file. */
async function copyOverRaw(
  context: Context,
  task: ConvertTask,
  work: Parameters<typeof copyOver>[2],
  file: Storage,
): Promise<void> {
  const target = {
    write: (offset: number, bytes: Uint8Array) => file.write(offset, bytes),
    zero: async (offset: number, length: number) => {
      for (let done = 0; done < length; done += ZEROS.length) {
        await file.write(offset + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
      }
    },
    writePacked: () => Promise.reject(notSupported('Packing a raw disk')),
  };
  try {
    await copyOver(context, { ...task, rateLimit: 0 }, work, {
      target,
      ...{ clusterSize: 0, codec: 'zlib' },
    });
  } finally {
    await file.close();
  }
}

const ZEROS = new Uint8Array(1024 * 1024);

/** The target, which takes no more bytes a second than it may. */
async function openTarget(context: Context, task: ConvertTask, needed: number): Promise<Storage> {
  const storage = await openTargetFile(context, task, needed);
  const { rateLimit } = task;
  return rateLimit > 0 ? new LimitedStorage(storage, rateLimit, context.signal) : storage;
}

async function openTargetFile(
  { host }: Context,
  { given, target: name, format }: ConvertTask,
  needed: number,
): Promise<Storage> {
  const described = given.has('target-image-opts');
  const refusal = described ? undefined : refusedName(name);
  if (refusal !== undefined && name !== '') throw new CommandFailure(refusal);
  const keep = given.has('no-create');
  const path = described ? rawTarget(name) : fileName(name);
  let storage: Storage;
  try {
    if (!keep) return await host.create(path);
    if (host.modify === undefined) throw notSupported('Writing into an existing file (-n)');
    storage = await host.modify(path);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    const text = keep
      ? `Could not open '${name}': ${errorText(error)}`
      : `${name}: error while converting ${format}: ${creationText(path, error)}`;
    throw new CommandFailure(text, 1, error);
  }
  if (storage.size >= needed) return storage;
  await storage.close();
  throw new CommandFailure('output file is smaller than input file');
}

/** `--target-image-opts`: the file of a raw image. @throws CommandFailure */
function rawTarget(text: string): string {
  try {
    return rawPath(parseImageOpts(text, () => undefined));
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(`Could not open '${text}': ${error.message}`, 1, error);
  }
}

/** What went wrong while copying and where. */
function copyText(error: ImageError, before: number): string {
  const text = errorText(error);
  switch (error.code) {
    case 'unreadable-cluster': {
      const { guestOffset, reason } = error.details as ErrorDetails['unreadable-cluster'];
      // Only one of the two is counted over all sources.
      return reason.startsWith('compressed')
        ? `error while reading at byte ${before + guestOffset}: ${text}`
        : `error while reading block status at offset ${guestOffset}: ${text}`;
    }
    case 'write-failed': {
      const { offset } = error.details as ErrorDetails['write-failed'];
      return `error while writing at byte ${offset}: ${text}`;
    }
    case 'disk-full':
      return `error while writing: ${text}`;
    case 'read-failed': {
      const { name, offset } = error.details as ErrorDetails['read-failed'];
      return `error while reading '${name}' at byte ${offset}: ${text}`;
    }
    default:
      return text;
  }
}
