/** `convert --verify`: the result is read again and compared with the sources. */
import { compareDisks, PartDisk } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { CommandFailure, type Context } from './context.ts';
import type { ConvertTask } from './convert-options.ts';
import { splitOptions } from './creation-options.ts';
import { openByName, type OpenRequest } from './images.ts';
import { errorText } from './messages.ts';
import { fileName } from './names.ts';
import type { ProgressLine } from './progress.ts';

/**
 * Compares the result with what was copied, byte by byte.
 * @throws CommandFailure where they differ, or one of them cannot be read
 */
export async function verifyResult(
  context: Context,
  task: ConvertTask,
  disks: readonly Disk[],
  line: ProgressLine,
): Promise<void> {
  const target = await openByName(context, { ...requestOf(task), mode: 'read', quiet: true });
  const total = disks.reduce((sum, disk) => sum + disk.size, 0);
  try {
    let start = 0;
    for (const [index, disk] of disks.entries()) {
      const before = start;
      const part = new PartDisk(target.disk, start, disk.size);
      const { outcome } = await compareDisks(disk, part, {
        signal: context.signal,
        pool: context.host.pool,
        progress: ({ done }) => {
          line.show(total === 0 ? 1 : (before + done) / total);
        },
      });
      const source = task.sources[index] ?? '';
      const names = `'${task.target}' and '${source}'`;
      if (outcome.kind === 'map-failed' || outcome.kind === 'read-failed') {
        const name = outcome.side === 1 ? source : task.target;
        const text = `error while reading offset ${outcome.offset} of ${name}`;
        throw new CommandFailure(`Verification failed: ${text}: ${errorText(outcome.error)}`);
      }
      if (outcome.kind === 'content') {
        const where = `${names} differ at byte ${outcome.offset} of the latter`;
        throw new CommandFailure(`Verification failed: ${where}`);
      }
      start += disk.size;
    }
  } finally {
    await target.close();
  }
}

/** What opens the result. */
function requestOf({ given, target, format, options }: ConvertTask): Omit<OpenRequest, 'mode'> {
  if (given.has('target-image-opts')) {
    return { name: target, imageOpts: true, format: undefined };
  }
  const key = 'encrypt.key-secret';
  const secret = splitOptions(options ?? '').findLast((item) => item.startsWith(`${key}=`));
  if (secret === undefined) return { name: target, format };
  const file = { driver: 'file', filename: fileName(target) };
  const image = { driver: format, [key]: secret.slice(key.length + 1), file };
  return { name: `json:${JSON.stringify(image)}`, format: undefined };
}
