/**
 * `qemu-img bench -w`: how fast a disk is written to. Writes go to a layer over the file, which is
 * thrown away: no benchmark is worth a disk.
 */
import { benchWrites, isImageError, type BenchTarget, type Change } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { BenchTask } from './bench.ts';
import { CommandFailure, isCancelled, report, type Context } from './context.ts';
import { openDiskTarget } from './disk-target.ts';
import { openChange, refuseCorrupt } from './editing.ts';
import { openByName, type OpenRequest } from './images.ts';
import { errorText } from './messages.ts';
import { toDecimals } from './sizes.ts';

const SECTOR = 512;

/** Writes one after the other, so that `--no-drain` makes no difference. */
export async function writeBench(
  context: Context,
  request: Omit<OpenRequest, 'mode'>,
  task: BenchTask,
): Promise<void> {
  const changes: Change[] = [];
  const opener = async (path: string) => {
    const change = await openChange(context, path);
    changes.push(change);
    return change.storage;
  };
  const image = await openByName(context, {
    ...{ ...request, opener, dataOpener: opener, extentOpener: opener },
    mode: 'read',
  });
  try {
    refuseCorrupt(request.name, image);
    await run(context, image.disk, task);
  } finally {
    await image.close();
    for (const change of changes) await change.storage.base.close();
  }
}

async function run(context: Context, disk: Disk, task: BenchTask): Promise<void> {
  const { count, depth, size, flushInterval, pattern } = task;
  const step = task.step === 0 ? size : task.step;
  context.host.stdout(
    `Sending ${count} write requests, ${size} bytes each, ${depth} in parallel ` +
      `(starting at offset ${String(task.offset)}, step size ${step})\n`,
  );
  if (flushInterval > 0) context.host.stdout(`Sending flush every ${flushInterval} requests\n`);
  try {
    const target = await targetFor(disk);
    const { signal } = context;
    const writes = { count, depth, size, step, offset: Number(task.offset), pattern };
    const seconds = await benchWrites(target, { ...writes, flushInterval, signal });
    context.host.stdout(`Run completed in ${toDecimals(seconds, 3)} seconds.\n`);
    report(context, 'note: the image was not changed: writes went to a layer that is dropped');
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(`Failed request: ${errorText(error)}`, 1, error);
  }
}

async function targetFor(disk: Disk): Promise<BenchTarget> {
  const { size, storage } = disk;
  if (disk.format === 'raw') {
    const flush = () => storage.flush();
    return { size, flush, write: (offset, bytes) => storage.write(offset, bytes) };
  }
  const target = await openDiskTarget(disk);
  return {
    size,
    flush: () => target.end(),
    write: (offset, bytes) => {
      // What is written is the same byte everywhere: whole sectors around it do.
      const start = offset - (offset % SECTOR);
      const end = Math.ceil((offset + bytes.length) / SECTOR) * SECTOR;
      if (end - start === bytes.length) return target.write(start, bytes);
      return target.write(start, new Uint8Array(end - start).fill(bytes[0] ?? 0));
    },
  };
}
