/** `qemu-img checksum`: the digest of what a guest reads, or of a file. Not in the real program. */
import {
  checksumDisk,
  checksumFile,
  expectationOf,
  isImageError,
  judgeChecksum,
  openSnapshot,
  parseChecksumList,
  readPadded,
  type ChecksumList,
  type ChecksumOptions,
  type ChecksumReport,
  type ChecksumVerdict,
  type HashName,
  type ImageError,
  type SnapshotKey,
  type Storage,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import type { ErrorDetails } from '../engine/errors.ts';
import {
  COMMON,
  CommandFailure,
  isCancelled,
  outputFormat,
  readArguments,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { readSnapshot } from './convert-options.ts';
import { reportCorruption } from './corruption.ts';
import { openByName } from './images.ts';
import { formatJson } from './json.ts';
import { errorText } from './messages.ts';
import { fileName, refusedName } from './names.ts';
import { ProgressLine } from './progress.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.output,
  { id: 'snapshot', short: 'l', argument: true },
  COMMON.progress,
  COMMON.quiet,
  { id: 'file', long: 'file' },
  { id: 'expect', long: 'expect', argument: true },
  { id: 'sums', long: 'sums', argument: true },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const EXIT_DIFFERENT = 1;
/** As `compare` has it: 1 is an answer, more than that is none. */
const EXIT_FAILED = 2;

/** A list of checksums is text of some kilobytes: what is longer is something else. */
const LONGEST_LIST = 4 * 1024 * 1024;
/** Where a list comes from that has no file. */
const EXPECT = '--expect';
/** So many names of a list are said where the right one is not in it. */
const NAMES = 10;

export async function checksum(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const task = readTask(given);
  const wanted = await readWanted(context, task, given);
  const line = new ProgressLine(context.host, given.has('progress') && !given.has('quiet'));
  let report: ChecksumReport;
  try {
    line.show(0);
    report = await compute(context, task, {
      algorithm: wanted?.algorithm,
      hasher: context.host.hasher,
      signal: context.signal,
      progress: ({ done, total }) => {
        line.show(total === 0 ? 1 : done / total);
      },
    });
    line.show(1);
  } finally {
    line.end();
  }
  const verdict = wanted && judgeChecksum(wanted.list, task.name, report);
  if (!given.has('quiet')) context.host.stdout(toOutput(task, report, wanted, verdict));
  const equal = wanted === undefined || (verdict !== undefined && matches(verdict));
  return equal ? 0 : EXIT_DIFFERENT;
}

/** What is asked for. */
interface Task {
  /** As it was given. */
  name: string;
  /** Of the file, not of what the guest reads. */
  ofFile: boolean;
  format: string | undefined;
  imageOpts: boolean;
  snapshot: SnapshotKey | undefined;
  output: 'human' | 'json';
}

/** What the digest is to be compared with, and in which algorithm. */
interface Wanted {
  list: ChecksumList;
  algorithm: HashName;
  /** The name of the list; undefined for a digest of the command line. */
  source: string | undefined;
}

function readTask(given: Arguments<Id>): Task {
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  // What a list says, it says of files.
  const ofFile = given.has('file') || given.has('sums');
  if (given.has('expect') && given.has('sums')) {
    throw usageFailure('--expect and --sums exclude each other');
  }
  for (const [id, option] of [
    ['snapshot', '-l'],
    ['format', '-f'],
    ['image-opts', '--image-opts'],
  ] as const) {
    if (ofFile && given.has(id)) {
      throw usageFailure(`${option} says nothing about the file itself (--file, --sums)`);
    }
  }
  return {
    name,
    ofFile,
    format: given.value('format'),
    imageOpts: given.has('image-opts'),
    snapshot: readSnapshot(given.value('snapshot')),
    output: outputFormat(given.value('output')),
  };
}

async function readWanted(
  context: Context,
  task: Task,
  given: Arguments<Id>,
): Promise<Wanted | undefined> {
  const digest = given.value('expect');
  const source = given.value('sums');
  if (digest === undefined && source === undefined) return undefined;
  const list = parseChecksumList(digest ?? (await readList(context, source ?? '')));
  const expectation = expectationOf(list, task.name);
  const what = source === undefined ? `'${digest ?? ''}'` : `'${source}'`;
  switch (expectation.kind) {
    case 'none':
      throw new CommandFailure(
        source === undefined ? `${what} is no checksum` : `There are no checksums in ${what}`,
        EXIT_FAILED,
      );
    case 'unsupported': {
      const kinds = expectation.algorithms.join(', ');
      throw new CommandFailure(
        `${what}: only SHA-256 and SHA-512 are supported, not ${kinds}`,
        EXIT_FAILED,
      );
    }
    case 'listed':
    case 'not-listed':
      return { list, algorithm: expectation.algorithm, source };
  }
}

async function readList(context: Context, name: string): Promise<string> {
  return withFile(context, name, async (file) => {
    if (file.size > LONGEST_LIST) {
      throw new CommandFailure(`'${name}' is too large for a list of checksums`, EXIT_FAILED);
    }
    return new TextDecoder().decode(await readPadded(file, 0, file.size));
  });
}

/** Opens a file as it is, whatever it holds. */
async function withFile<Result>(
  { host }: Context,
  name: string,
  use: (file: Storage) => Promise<Result>,
): Promise<Result> {
  const refusal = refusedName(name);
  if (refusal !== undefined) {
    throw new CommandFailure(`Could not open '${name}': ${refusal}`, EXIT_FAILED);
  }
  let file: Storage | undefined;
  try {
    file = await host.open(fileName(name));
    return await use(file);
  } catch (error) {
    throw readingFailure(name, error);
  } finally {
    await file?.close();
  }
}

async function compute(
  context: Context,
  task: Task,
  options: ChecksumOptions,
): Promise<ChecksumReport> {
  const { name, format, imageOpts, snapshot } = task;
  if (task.ofFile) return withFile(context, name, (file) => checksumFile(file, options));
  const image = await openByName(context, {
    ...{ name, format, imageOpts, mode: 'read', exitCode: EXIT_FAILED },
  });
  try {
    const disk = await diskOf(image.disk, snapshot);
    return await checksumDisk(disk, options).catch(async (error: unknown) => {
      if (isImageError(error)) await reportCorruption(context, disk, error);
      throw readingFailure(name, error);
    });
  } finally {
    await image.close();
  }
}

async function diskOf(disk: Disk, snapshot: SnapshotKey | undefined): Promise<Disk> {
  if (snapshot === undefined) return disk;
  try {
    return await openSnapshot(disk, snapshot);
  } catch (error) {
    if (!isImageError(error) || isCancelled(error)) throw error;
    throw new CommandFailure(`Failed to load snapshot: ${errorText(error)}`, EXIT_FAILED, error);
  }
}

/** What could not be read and where, if that is why it failed. */
function readingFailure(name: string, error: unknown): unknown {
  if (!isImageError(error) || isCancelled(error)) return error;
  const place = placeOf(error);
  const text = errorText(error);
  const where = place === undefined ? '' : `Error while reading offset ${place} of ${name}: `;
  return new CommandFailure(where + text, EXIT_FAILED, error);
}

/** Where it was, bytes. */
function placeOf(error: ImageError): number | undefined {
  switch (error.code) {
    case 'unreadable-cluster':
      return (error.details as ErrorDetails['unreadable-cluster']).guestOffset;
    case 'read-failed':
      return (error.details as ErrorDetails['read-failed']).offset;
    default:
      return undefined;
  }
}

function matches({ kind }: ChecksumVerdict): boolean {
  return kind === 'match' || kind === 'other-name';
}

function toOutput(
  task: Task,
  report: ChecksumReport,
  wanted: Wanted | undefined,
  verdict: ChecksumVerdict | undefined,
): string {
  if (task.output === 'json') return `${formatJson(toJson(task, report, verdict))}\n`;
  const lines = [sumLine(report.digest, task.name)];
  if (verdict !== undefined) lines.push(...sentences(task, wanted?.source, verdict));
  return `${lines.join('\n')}\n`;
}

/** As sha256sum writes it, so that it can read it again. */
function sumLine(digest: string, name: string): string {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `${escaped === name ? '' : '\\'}${digest}  ${escaped}`;
}

function toJson(task: Task, report: ChecksumReport, verdict: ChecksumVerdict | undefined) {
  return {
    filename: task.name,
    of: task.ofFile ? 'file' : 'guest',
    size: report.size,
    algorithm: report.algorithm,
    digest: report.digest,
    matches: verdict && matches(verdict),
    expected: verdict?.kind === 'mismatch' ? verdict.expected : undefined,
    'listed-as': verdict && listedAs(verdict),
  };
}

/** The name under which the list has the digest. */
function listedAs(verdict: ChecksumVerdict): string | undefined {
  switch (verdict.kind) {
    case 'match':
    case 'other-name':
      return verdict.name;
    case 'mismatch':
      return verdict.other;
    case 'not-listed':
      return undefined;
  }
}

function sentences(task: Task, source: string | undefined, verdict: ChecksumVerdict): string[] {
  const what = task.ofFile ? 'The file' : 'The content';
  switch (verdict.kind) {
    case 'match':
      return [`${what} matches${source === undefined ? '' : ` '${source}'`}.`];
    case 'other-name':
      return [`${what} is what '${source ?? EXPECT}' lists as '${verdict.name}'.`];
    case 'mismatch': {
      const lines = [`${what} DOES NOT MATCH: expected ${verdict.expected.join(' or ')}`];
      if (verdict.other !== undefined) lines.push(`It is what is listed as '${verdict.other}'.`);
      if (!task.ofFile) lines.push('For the checksum of the file itself there is --file.');
      return lines;
    }
    case 'not-listed': {
      const names = verdict.names.slice(0, NAMES).map((name) => `'${name}'`);
      if (verdict.names.length > NAMES) names.push(`${verdict.names.length - NAMES} more`);
      return [
        `${what} DOES NOT MATCH: neither its name nor its checksum is in '${source ?? EXPECT}'.`,
        `Listed are ${names.join(', ')}.`,
      ];
    }
  }
}
