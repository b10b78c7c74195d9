/** `qemu-img commit`: what an image holds goes into its backing file, or one further down. */
import {
  commitContent,
  editDisk,
  emptyQcow2,
  isImageError,
  isLayered,
  Qcow2Image,
  reopenQcow2,
  resizeDisk,
  verifyChange,
} from '../engine/index.ts';
import type { Change, CommitTarget } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import {
  checkCacheMode,
  COMMON,
  CommandFailure,
  isCancelled,
  readArguments,
  sizeOption,
  usageFailure,
  type Context,
} from './context.ts';
import { openDiskTarget } from './disk-target.ts';
import { editByName, openChange, refuseCorrupt } from './editing.ts';
import { openByName, type OpenedImage, type OpenRequest } from './images.ts';
import { errorText } from './messages.ts';
import { resolveName } from './names.ts';
import { ProgressLine } from './progress.ts';
import { RateLimit } from './rate-limit.ts';

const SPECS = [
  COMMON.help,
  COMMON.shortFormat,
  { id: 'cache', short: 't', argument: true },
  { id: 'base', short: 'b', argument: true },
  { id: 'drop', short: 'd' },
  COMMON.progress,
  COMMON.quiet,
  { id: 'rate', short: 'r', argument: true },
  COMMON.object,
  COMMON.imageOpts,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

export async function commit(context: Context, argv: readonly string[]): Promise<number> {
  let rate = 0;
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    if (id === 'rate') rate = Number(sizeOption(context, value, 'rate limit'));
  });
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  checkCacheMode(given.value('cache'), 'cache');
  const quiet = given.has('quiet');
  const line = new ProgressLine(context.host, given.has('progress') && !quiet);
  const request = { name, format: given.value('format'), imageOpts: given.has('image-opts') };
  const base = given.value('base');
  try {
    const depth = await findBase(context, request, base);
    line.show(0);
    await commitInto(context, request, { depth, rate, line });
    // Naming the base leaves the image as it is.
    if (base === undefined && !given.has('drop')) await empty(context, request);
    line.show(1);
  } finally {
    line.end();
  }
  if (!quiet) context.host.stdout('Image committed.\n');
  return 0;
}

type Request = Omit<OpenRequest, 'mode'>;

/** How far down the chain the image is that is written into. */
async function findBase(
  context: Context,
  request: Request,
  base: string | undefined,
): Promise<number> {
  const image = await openByName(context, { ...request, mode: 'read' });
  try {
    refuseCorrupt(request.name, image);
    const { disk } = image;
    if (base === undefined) {
      if (disk.backing === undefined)
        throw new CommandFailure('Image does not have a backing file');
      return 1;
    }
    let above: Disk = disk;
    for (let depth = 1; above.backing !== undefined; depth++) {
      if (isNamed(above, above.backing, base)) return depth;
      above = above.backing;
    }
    const text = `Did not find '${base}' in the backing chain of '${request.name}'`;
    throw new CommandFailure(text);
  } finally {
    await image.close();
  }
}

/** Whether a backing image goes by that name: as the image above has it, or as its file is found. */
function isNamed(above: Disk, backing: Disk, name: string): boolean {
  const recorded = isLayered(above) ? above.backingName : '';
  const path = backing.storage.name;
  return name === recorded || name === path || resolveName(name, above.storage.name) === path;
}

interface Task {
  readonly depth: number;
  /** Bytes a second; 0 for no limit. */
  readonly rate: number;
  readonly line: ProgressLine;
}

/** Writes into the base; its file is as before, or has everything. */
async function commitInto(context: Context, request: Request, task: Task): Promise<void> {
  const changes: { image?: Change; data?: Change } = {};
  const extents: Change[] = [];
  const image = await openByName(context, {
    ...request,
    mode: 'read',
    quiet: true,
    layerOpener: (depth, kind) => {
      if (depth !== task.depth) return undefined;
      return async (path) => {
        const change = await openChange(context, path);
        if (kind === 'extent') extents.push(change);
        else changes[kind] = change;
        return change.storage;
      };
    },
  });
  try {
    let base: Disk = image.disk;
    for (let depth = 0; depth < task.depth; depth++) base = base.backing ?? base;
    if (changes.image === undefined) throw new CommandFailure('Image does not have a backing file');
    await fill(context, image, base, task);
    if (base.format === 'qcow2') await verifyChange(changes.image.storage, context.signal);
    await changes.data?.apply({ signal: context.signal });
    for (const extent of extents) await extent.apply({ signal: context.signal });
    await changes.image.apply({ signal: context.signal });
  } finally {
    await image.close();
    await changes.data?.storage.base.close();
    for (const extent of extents) await extent.storage.base.close();
    await changes.image?.storage.base.close();
  }
}

async function fill(
  context: Context,
  { disk }: OpenedImage,
  base: Disk,
  { depth, rate, line }: Task,
): Promise<void> {
  try {
    if (base.size < disk.size) await resizeDisk(base, disk.size, { signal: context.signal });
    const target = await openDiskTarget(
      base instanceof Qcow2Image ? await reopenQcow2(base) : base,
    );
    await commitContent(
      disk,
      depth,
      rate === 0 ? target : limited(target, new RateLimit(rate, context.signal)),
      {
        signal: context.signal,
        pool: context.host.pool,
        progress: ({ done, total }) => {
          line.show(done / total);
        },
      },
    );
    await target.end();
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(errorText(error), 1, error);
  }
}

function limited(target: CommitTarget, limit: RateLimit): CommitTarget {
  return {
    write: async (offset, bytes) => {
      await limit.turn(bytes.length);
      await target.write(offset, bytes);
    },
    zero: (offset, length) => target.zero(offset, length),
  };
}

/** What the image held is in its backing file now: it need not hold it any more. */
async function empty(context: Context, request: Request): Promise<void> {
  await editByName(context, { ...request, quiet: true }, async ({ disk }) => {
    if (disk instanceof Qcow2Image) {
      await emptyQcow2(disk, context.signal);
      return;
    }
    // Where the format has no way to forget, what was committed stays there, as with qemu-img.
    const writer = await editDisk(disk);
    await writer.empty?.();
    await writer.flush();
  });
}
