/** `qemu-img check`: is the image whole. */
import { checkImage, ImageError, isImageError } from '../engine/index.ts';
import type { CheckReport } from '../engine/operations/check-report.ts';
import { CheckMessages } from './check-messages.ts';
import { planOf, repair, showPlan } from './check-repair.ts';
import {
  checkCacheMode,
  COMMON,
  CommandFailure,
  outputFormat,
  readArguments,
  usageFailure,
  type Context,
} from './context.ts';
import { openByName, probeChain, type OpenRequest } from './images.ts';
import { formatJson, type Value } from './json.ts';
import { errorText } from './messages.ts';
import type { RepairRequest } from './repair-request.ts';
import { toDecimals } from './sizes.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  { id: 'repair', short: 'r', long: 'repair', argument: true },
  COMMON.output,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.sourceCache,
  COMMON.quiet,
  COMMON.forceShare,
  COMMON.undo,
  { id: 'plan', long: 'repair-plan' },
  { id: 'recover', long: 'recover' },
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const EXIT_CORRUPT = 2;
const EXIT_LEAKS = 3;
const EXIT_UNSUPPORTED = 63;

export async function check(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS, ({ id, value }) => {
    if (id !== 'repair' || value === 'leaks' || value === 'all') return;
    throw usageFailure(`Unknown option value for -r (expecting 'leaks' or 'all'): ${value}`);
  });
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const output = outputFormat(given.value('output'));
  checkCacheMode(given.value('source-cache'), 'source cache');
  const request = { name, format: given.value('format'), imageOpts: given.has('image-opts') };
  const level = given.value('repair');
  const asked: RepairRequest = {
    ...{ ...request, output, quiet: given.has('quiet'), recovers: given.has('recover') },
    level: level === 'leaks' || level === 'all' ? level : undefined,
    ...{ plans: given.has('plan'), undo: given.value('undo') },
  };
  if (asked.plans) {
    const plan = await planOf(context, asked);
    showPlan(context, plan, output);
    return plan.after === undefined ? 1 : exitCode(plan.after);
  }
  const needsRepair = level === undefined && (asked.recovers || asked.undo !== undefined);
  if (needsRepair) throw new CommandFailure('--undo and --recover need -r');
  const result = level === undefined ? await run(context, request) : await mend(context, asked);
  if (!given.has('quiet')) {
    const text = output === 'json' ? `${formatJson(result.json)}\n` : toText(result.report);
    context.host.stdout(text);
  }
  if (result.report.checkErrors > 0) throw new CommandFailure('Check failed');
  return exitCode(result.report);
}

interface Result {
  report: CheckReport;
  json: Value;
}

async function run(context: Context, request: Omit<OpenRequest, 'mode'>): Promise<Result> {
  const image = await openByName(context, { ...request, mode: 'check' });
  try {
    const { disk } = image;
    if (disk.checkIsOurs === true) {
      throw new ImageError('check-unsupported', { format: disk.format });
    }
    const { backing, qcow2, encrypted } = image.info;
    const isDescribed = request.imageOpts === true || /^json:/.test(request.name);
    const namesFiles = backing !== undefined || qcow2?.dataFile !== undefined;
    const needsMore = isDescribed || namesFiles || encrypted;
    if (needsMore) await probeChain(context, { ...request, mode: 'read' });
    const messages = new CheckMessages(context);
    const checked = await checkImage(disk, {
      signal: context.signal,
      limit: 0,
      onFinding: (finding) => {
        messages.print(finding);
      },
    });
    if (checked.aborted !== undefined) throw new CommandFailure(`Check failed: ${checked.aborted}`);
    return { report: checked, json: toJson(request.name, disk.format, checked) };
  } catch (error) {
    if (!isImageError(error, 'check-unsupported')) throw error;
    throw new CommandFailure(errorText(error), EXIT_UNSUPPORTED, error);
  } finally {
    await image.close();
  }
}

async function mend(context: Context, request: RepairRequest): Promise<Result> {
  const { report, format, ...fixed } = await repair(context, request);
  if (report.aborted !== undefined) throw new CommandFailure(`Check failed: ${report.aborted}`);
  return { report, json: toJson(request.name, format, report, fixed) };
}

function exitCode(checked: CheckReport): number {
  if (checked.corruptions > 0) return EXIT_CORRUPT;
  return checked.leaks > 0 ? EXIT_LEAKS : 0;
}

function toJson(
  filename: string,
  format: string,
  checked: CheckReport,
  fixed = { leaksFixed: 0, corruptionsFixed: 0 },
): Value {
  const counted = (value: number) => (value === 0 ? undefined : value);
  return {
    filename,
    format,
    'check-errors': checked.checkErrors,
    corruptions: counted(checked.corruptions),
    'corruptions-fixed': counted(fixed.corruptionsFixed),
    leaks: counted(checked.leaks),
    'leaks-fixed': counted(fixed.leaksFixed),
    'image-end-offset': counted(checked.imageEndOffset),
    'total-clusters': counted(checked.totalClusters),
    'allocated-clusters': counted(checked.allocatedClusters),
    'fragmented-clusters': counted(checked.fragmentedClusters),
    'compressed-clusters': counted(checked.compressedClusters),
  };
}

function toText(checked: CheckReport): string {
  const { corruptions, leaks, checkErrors } = checked;
  const lines: string[] = [];
  if (corruptions === 0 && leaks === 0 && checkErrors === 0) {
    lines.push('No errors were found on the image.');
  }
  if (corruptions > 0) {
    lines.push('', `${corruptions} errors were found on the image.`);
    lines.push('Data may be corrupted, or further writes to the image may corrupt it.');
  }
  if (leaks > 0) {
    lines.push('', `${leaks} leaked clusters were found on the image.`);
    lines.push('This means waste of disk space, but no harm to data.');
  }
  if (checkErrors > 0) {
    lines.push('', `${checkErrors} internal errors have occurred during the check.`);
  }
  lines.push(...statistics(checked));
  return `${lines.join('\n')}\n`;
}

function statistics(checked: CheckReport): string[] {
  const { totalClusters: total, allocatedClusters: allocated } = checked;
  const lines: string[] = [];
  if (total > 0 && allocated > 0) {
    const share = (part: number, whole: number) => toDecimals((part * 100) / whole, 2);
    lines.push(
      `${allocated}/${total} = ${share(allocated, total)}% allocated, ` +
        `${share(checked.fragmentedClusters, allocated)}% fragmented, ` +
        `${share(checked.compressedClusters, allocated)}% compressed clusters`,
    );
  }
  if (checked.imageEndOffset > 0) lines.push(`Image end offset: ${checked.imageEndOffset}`);
  return lines;
}
