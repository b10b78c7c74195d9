/** `qemu-img convert --for`: an image that a destination takes. Not in the real program. */
import { DESTINATIONS, destinationOf, isImageError } from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { CommandFailure, isCancelled, report, type Context } from './context.ts';
import type { ConvertTask } from './convert-options.ts';
import { makeFor } from './make-image.ts';
import { errorText } from './messages.ts';
import { withNewFiles } from './new-files.ts';
import type { ProgressLine } from './progress.ts';

/** What does not go with `--for`, which decides all of it. */
const CONTRADICTIONS = [
  ['output-format', '-O'],
  ['options', '-o'],
  ['no-create', '-n'],
  ['backing', '-B'],
  ['compress', '-c'],
  ['sparse', '-S'],
  ['bitmaps', '--bitmaps'],
  ['snapshots', '--snapshots'],
  ['salvage', '--salvage'],
  ['verify', '--verify'],
] as const;

/** @throws CommandFailure for a destination that is not known, and what does not go with it */
export function checkDestination({ given, sources }: Pick<ConvertTask, 'given' | 'sources'>): void {
  const id = given.value('for');
  if (id === undefined) return;
  if (destinationOf(id) === undefined) {
    const known = DESTINATIONS.map((one) => one.id).join(', ');
    throw new CommandFailure(`Unknown destination '${id}' (known are ${known})`);
  }
  const other = CONTRADICTIONS.find(([option]) => given.has(option));
  if (other !== undefined) throw new CommandFailure(`--for does not go with ${other[1]}`);
  if (sources.length > 1) throw new CommandFailure('--for needs a single source');
}

/** Writes what the destination of `--for` takes; says what else is to be done with it. */
export async function copyForDestination(
  context: Context,
  task: ConvertTask,
  {
    disk,
    line,
    openTarget,
  }: { disk: Disk; line: ProgressLine; openTarget: () => Promise<Storage> },
): Promise<void> {
  const destination = destinationOf(task.given.value('for') ?? '');
  if (destination === undefined) throw new CommandFailure('Unknown destination');
  const { host, signal } = context;
  try {
    const main = await openTarget();
    const made = await withNewFiles(context, main, task.target, (files) =>
      makeFor(disk, files, destination, {
        ...{ name: task.target, pool: host.pool, hasher: host.hasher, signal },
        progress: ({ done, total }) => {
          line.show(total === 0 ? 1 : Math.min(1, done / total));
        },
      }),
    );
    if (task.given.has('quiet')) return;
    for (const name of made.files.slice(1)) report(context, `note: '${name}' belongs to it`);
    if (made.size > disk.size) {
      const bytes = `${String(disk.size)} to ${String(made.size)} bytes`;
      report(
        context,
        `note: the disk was made longer, from ${bytes}, as ${destination.name} wants`,
      );
    }
    for (const command of destination.commands) {
      report(context, `note: then: ${command.replaceAll('FILE', task.target)}`);
    }
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(
      `${task.target}: error while converting: ${errorText(error)}`,
      1,
      error,
    );
  }
}
