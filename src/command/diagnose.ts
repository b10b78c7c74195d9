/** `qemu-img diagnose`: what is wrong, where the space went, what to do. Not in the real program. */
import {
  compareDiagnoses,
  diagnose as diagnoseImage,
  isImageError,
  LONGEST_REPORT,
  parseDiagnosis,
  readPadded,
  reportOf,
  type DiagnosisComparison,
  type DiagnosisReport,
  type DiagnosisVerdict,
  type EarlierDiagnosis,
} from '../engine/index.ts';
import {
  COMMON,
  CommandFailure,
  isCancelled,
  readArguments,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { toTerminal } from './diagnose-text.ts';
import { DIAGNOSIS_TEXTS } from './diagnosis/all.ts';
import { COMPARISON_WORDS } from './diagnosis/comparison.ts';
import { toMarkdown } from './diagnosis/markdown.ts';
import { sayFinding, type Language, type ReportSource } from './diagnosis/outline.ts';
import { plainFormat, REPORT_WORDS } from './diagnosis/report-words.ts';
import { openByName, type OpenedImage, type OpenRequest } from './images.ts';
import { errorText } from './messages.ts';
import { fileName, refusedName } from './names.ts';
import { ProgressLine } from './progress.ts';
import { formatSize } from './sizes.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.output,
  { id: 'deep', long: 'deep' },
  { id: 'compare', long: 'compare', argument: true },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
  COMMON.progress,
  COMMON.quiet,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const EXIT_FAILED = 1;
/** Documented in docs/diagnose.md: scripts go by them. */
const EXIT_CODES: Readonly<Record<DiagnosisVerdict, number>> = {
  ...{ healthy: 0, attention: 0, danger: 2, problem: 3 },
};

const ENGLISH: Language = {
  texts: DIAGNOSIS_TEXTS,
  words: REPORT_WORDS,
  comparison: COMPARISON_WORDS,
  format: plainFormat(formatSize),
};

const OUTPUTS = ['human', 'json', 'markdown'] as const;
type Output = (typeof OUTPUTS)[number];

/** What is asked for. */
interface Task {
  request: Omit<OpenRequest, 'mode'> & { name: string };
  output: Output;
  deep: boolean;
  progress: boolean;
  quiet: boolean;
}

export async function diagnose(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const task = readTask(given);
  const compared = given.value('compare');
  // First: a long look at the image would be for nothing.
  const earlier = compared === undefined ? undefined : await readReport(context, compared);
  const { made, path, unreadable } = await examine(context, task);
  const comparison = earlier && compareDiagnoses(earlier, made);
  const source = { report: made, fileName: path, comparison, unreadable };
  if (!task.quiet) context.host.stdout(toOutput(source, task.output));
  return EXIT_CODES[made.verdict];
}

function readTask(given: Arguments<Id>): Task {
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const asked = given.value('output') ?? 'human';
  const output = OUTPUTS.find((one) => one === asked);
  if (output === undefined) {
    throw new CommandFailure('--output must be used with human, json or markdown as argument.');
  }
  const quiet = given.has('quiet');
  return {
    request: { name, format: given.value('format'), imageOpts: given.has('image-opts') },
    ...{ output, deep: given.has('deep'), progress: given.has('progress') && !quiet, quiet },
  };
}

/** @throws CommandFailure that says why it is not used */
async function readReport(context: Context, name: string): Promise<EarlierDiagnosis> {
  const refuse = (why: string, cause?: unknown) =>
    new CommandFailure(`Could not use the report '${name}': ${why}`, EXIT_FAILED, cause);
  const refusal = refusedName(name);
  if (refusal !== undefined) throw refuse(refusal);
  const text = await readText(context, name).catch((error: unknown) => {
    throw isImageError(error) && !isCancelled(error) ? refuse(errorText(error), error) : error;
  });
  if (text === undefined) throw refuse(REPORT_WORDS.refusal['too-large']);
  const parsed = parseDiagnosis(text);
  if (parsed.kind === 'ok') return parsed.report;
  const where = parsed.where === '' ? '' : ` (${parsed.where})`;
  throw refuse(REPORT_WORDS.refusal[parsed.reason] + where);
}

/** Undefined for what is too large to be a report. */
async function readText({ host }: Context, name: string): Promise<string | undefined> {
  const file = await host.open(fileName(name));
  try {
    if (file.size > LONGEST_REPORT) return undefined;
    return new TextDecoder().decode(await readPadded(file, 0, file.size));
  } finally {
    await file.close();
  }
}

interface Examined {
  made: DiagnosisReport;
  /** The name of its file, for commands. */
  path: string;
  unreadable: string;
}

async function examine(context: Context, task: Task): Promise<Examined> {
  const { signal, host } = context;
  const checked = await openByName(context, {
    ...{ ...task.request, mode: 'check', exitCode: EXIT_FAILED },
  });
  let readable: Readable | undefined;
  const line = new ProgressLine(host, task.progress);
  try {
    readable = await openReadable(context, task, checked);
    const { disk, unreadable } = readable;
    const image = { checked: checked.disk, readable: disk?.disk };
    const deep = task.deep && unreadable === '';
    line.show(0);
    const diagnosis = await diagnoseImage(image, {
      ...{ signal, deep, pool: host.pool, now: Date.now() },
      progress: ({ done, total }) => {
        line.show(total === 0 ? 0 : done / total);
      },
    });
    const { hasher } = host;
    const made = await reportOf(image, diagnosis, { signal, hasher, wholeFile: task.deep });
    line.show(1);
    return { made, path: checked.path, unreadable };
  } finally {
    line.end();
    await readable?.disk?.close();
    await checked.close();
  }
}

interface Readable {
  disk: OpenedImage | undefined;
  /** Why its content cannot be read; '' where it can. */
  unreadable: string;
}

/**
 * Opens an image with what is below it. Without its passphrase, its chain can be seen all the same.
 */
async function openReadable(
  context: Context,
  { request }: Task,
  { info }: OpenedImage,
): Promise<Readable> {
  const asked = { ...request, mode: 'read', quiet: true } as const;
  try {
    return { disk: await openByName(context, asked), unreadable: '' };
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const unreadable = error.message;
    const disk = info.encrypted ? await openLocked(context, asked) : undefined;
    return { disk, unreadable };
  }
}

async function openLocked(
  context: Context,
  request: OpenRequest,
): Promise<OpenedImage | undefined> {
  try {
    return await openByName(context, { ...request, locked: true });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    return undefined;
  }
}

function toOutput(source: ReportSource, output: Output): string {
  switch (output) {
    case 'human':
      return toTerminal(source, ENGLISH);
    case 'markdown':
      return toMarkdown(source, ENGLISH);
    case 'json':
      return `${JSON.stringify(toJson(source), null, 4)}\n`;
  }
}

/** The report with the words and commands of each finding. */
function toJson({ report: made, fileName: name, comparison, unreadable }: ReportSource): object {
  const backing = made.facts.info.backing?.name;
  const findings = made.findings.map((finding) => {
    return { ...finding, ...sayFinding(finding, ENGLISH, name, backing) };
  });
  const { schema, verdict, date, hashes, facts } = made;
  const why = unreadable === '' ? {} : { unreadable };
  return { schema, verdict, date, hashes, ...why, findings, ...compared(comparison), facts };
}

function compared(comparison: DiagnosisComparison | undefined): object {
  return comparison === undefined ? {} : { comparison };
}
