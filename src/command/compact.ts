/** `qemu-img compact`: an image rewritten in guest order. Not in the real program. */
import {
  compactQcow2,
  isImageError,
  Qcow2Image,
  verifyCompacted,
  type CompactReport,
  type ImageError,
} from '../engine/index.ts';
import type { ErrorDetails } from '../engine/errors.ts';
import {
  COMMON,
  CommandFailure,
  isCancelled,
  readArguments,
  usageFailure,
  type Context,
} from './context.ts';
import { openByName, type OpenedImage } from './images.ts';
import { creationText, errorText } from './messages.ts';
import { fileName, refusedName } from './names.ts';
import { ProgressLine } from './progress.ts';
import { formatSize } from './sizes.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.progress,
  COMMON.quiet,
  { id: 'no-snapshots', long: 'no-snapshots' },
  { id: 'verify', long: 'verify' },
  { id: 'no-verify', long: 'no-verify' },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

interface Task {
  source: string;
  target: string;
  format: string | undefined;
  imageOpts: boolean;
  snapshots: boolean;
  verify: boolean;
}

export async function compact(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const [source, target] = given.operands;
  if (source === undefined || target === undefined || given.operands.length > 2) {
    throw usageFailure('Expecting the image and the new file');
  }
  if (given.has('verify') && given.has('no-verify')) {
    throw usageFailure('--verify and --no-verify exclude each other');
  }
  const task: Task = {
    ...{ source, target, format: given.value('format'), imageOpts: given.has('image-opts') },
    snapshots: !given.has('no-snapshots'),
    verify: !given.has('no-verify'),
  };
  const line = new ProgressLine(context.host, given.has('progress') && !given.has('quiet'));
  const image = await openSource(context, task);
  try {
    const { disk } = image;
    if (!(disk instanceof Qcow2Image)) {
      throw new CommandFailure(`Only qcow2 images can be compacted, not ${disk.format}`);
    }
    line.show(0);
    const report = await write(context, task, disk, line);
    if (task.verify) await verify(context, task, disk, line);
    line.show(1);
    line.end();
    if (!given.has('quiet')) context.host.stdout(toText(task, disk, report));
  } finally {
    line.end();
    await image.close();
  }
  return 0;
}

/** What is below it is of no account, nor is a passphrase unless LUKS asks for it. */
async function openSource(
  context: Context,
  { source: name, format, imageOpts }: Task,
): Promise<OpenedImage> {
  const request = { name, format, imageOpts };
  const image = await openByName(context, { ...request, mode: 'check' });
  if (!(image.disk instanceof Qcow2Image) || image.disk.encryption !== 'luks') return image;
  await image.close();
  return openByName(context, { ...request, mode: 'read', quiet: true });
}

async function write(
  context: Context,
  task: Task,
  disk: Qcow2Image,
  line: ProgressLine,
): Promise<CompactReport> {
  const { host, signal } = context;
  const refusal = refusedName(task.target);
  if (refusal !== undefined) throw new CommandFailure(refusal);
  const path = fileName(task.target);
  const part = task.verify ? 0.5 : 1;
  let target;
  try {
    target = await host.create(path);
    return await compactQcow2(disk, target, {
      ...{ signal, snapshots: task.snapshots },
      progress: ({ stage, done, total }) => {
        if (stage === 'copying') line.show((done / Math.max(1, total)) * part);
      },
    });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    const text = target === undefined ? creationText(path, error) : failureText(error);
    throw new CommandFailure(`${task.target}: error while compacting: ${text}`, 1, error);
  } finally {
    await target?.close();
  }
}

/** What went wrong and where. */
function failureText(error: ImageError): string {
  const text = errorText(error);
  if (error.code !== 'write-failed' && error.code !== 'read-failed') return text;
  const { name, offset } = error.details as ErrorDetails['write-failed'];
  return `'${name}' at byte ${offset}: ${text}`;
}

/** @throws CommandFailure where the result is not what the source is */
async function verify(
  context: Context,
  task: Task,
  disk: Qcow2Image,
  line: ProgressLine,
): Promise<void> {
  const { signal, host } = context;
  const request = { name: fileName(task.target), format: 'qcow2', mode: 'check', quiet: true };
  const result = await openByName(context, { ...request, mode: 'check' });
  try {
    if (!(result.disk instanceof Qcow2Image)) throw new CommandFailure('Verification failed');
    // The same key: the header that holds it was copied.
    result.disk.cipher = disk.cipher;
    await verifyCompacted(disk, result.disk, {
      ...{ signal, pool: host.pool, snapshots: task.snapshots },
      progress: ({ stage, done, total }) => {
        if (stage === 'verifying') line.show(0.5 + done / Math.max(1, total) / 2);
      },
    });
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    const place = isImageError(error, 'verify-failed')
      ? `'${task.target}' and '${task.source}' differ at byte ${error.details.offset} of the disk`
      : errorText(error);
    throw new CommandFailure(`Verification failed: ${place}`, 1, error);
  } finally {
    await result.close();
  }
}

function toText(task: Task, { snapshots }: Qcow2Image, report: CompactReport): string {
  const size = (bytes: number) => `${bytes} bytes (${formatSize(bytes)})`;
  const lines = [`before: ${size(report.sourceSize)}`, `after: ${size(report.size)}`];
  if (report.snapshots > 0) lines.push(`snapshots kept: ${report.snapshots}`);
  else if (snapshots.length > 0) lines.push(`snapshots left out: ${snapshots.length}`);
  if (report.bitmapsDropped) lines.push('bitmaps that are no longer true were left out');
  if (task.verify) lines.push('compared with the source: the same in every layer');
  return `${lines.join('\n')}\n`;
}
