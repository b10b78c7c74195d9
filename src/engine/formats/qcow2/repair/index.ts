/**
 * Repairing a qcow2 image. Everything is done on overlays: what a plan says has been tried, the
 * result of it checked, and the content of every layer compared, before anything is written.
 */
import { divideRoundUp } from '../../../binary/units.ts';
import type { ImageError } from '../../../errors.ts';
import { isImageError, throwIfCancelled } from '../../../errors.ts';
import type { CheckReport } from '../../../operations/check-report.ts';
import type { FindingKind } from '../../../operations/finding.ts';
import type { RunOptions } from '../../../operations/operation.ts';
import { OverlayStorage, type Overlay } from '../../../storage/overlay.ts';
import type { Storage } from '../../../storage/storage.ts';
import { pacer } from '../../../yield.ts';
import { checkQcow2 } from '../check/index.ts';
import { missingAtEnd } from '../expected-end.ts';
import { openQcow2 } from '../image.ts';
import { mendBitmaps } from './bitmaps.ts';
import { mendCopied } from './copied.ts';
import { clearFlags, mendHeader } from './header.ts';
import { RepairJob } from './job.ts';
import { mendLayer } from './layers.ts';
import { lacksMagic, rebuildHeader, type LostHeaderOptions } from './lost-header.ts';
import { rescueTables } from './put-back.ts';
import { RepairLog, type RepairAction, type RepairChoice, type RepairPlan } from './plan.ts';
import { mendRefcounts } from './refcounts.ts';
import { Rewriter } from './rewrite.ts';
import { mendSnapshots, writeSnapshots } from './snapshots.ts';
import { findSuspects } from './suspects.ts';
import { takeSurvey } from './survey.ts';
import { verifyLayers } from './verify.ts';

export interface RepairOptions extends LostHeaderOptions {
  /** Hears of each action as it is decided. */
  onAction?: ((action: RepairAction) => void) | undefined;
  /** Findings that the checks before and after keep; all are counted. */
  limit?: number | undefined;
}

/** A mended table may lead to something that is to be mended, too. */
const MOST_ROUNDS = 6;
const COPY_BYTES = 4 * 1024 * 1024;

/** Damage after which clusters may look leaked that are merely no longer pointed at. */
const LOST_POINTERS: readonly FindingKind[] = [
  'reference-outside',
  'l1-reserved-bits',
  'l2-reserved-bits',
  'l2-unaligned',
  'data-unaligned',
  'compressed-copied',
  'compressed-data-file',
  'compressed-subclusters',
  'subclusters-contradict',
  'subclusters-unallocated',
  'snapshot-l1-unaligned',
  'snapshot-l1-too-large',
  'snapshot-table-invalid',
  'bitmap-invalid',
  'io-error',
];
/** Actions that say the same. */
const DOUBTFUL_ACTIONS = [
  'copy-data',
  'copy-l2',
  'move-l1',
  'move-compressed',
  'compressed-unreadable',
  'compressed-shortened',
] as const;

/**
 * Tries a repair and says what it does; nothing is written.
 * @param storage the image's file (or an overlay over it): it may be too damaged to be opened
 * @throws ImageError not-a-disk-image, cancelled, too-large and those of reading; internal where
 * a repair would change what can be read, which must never happen
 */
export async function planRepair(
  storage: Storage,
  choice: RepairChoice,
  options: RepairOptions = {},
): Promise<RepairPlan> {
  return (await tryRepair(storage, choice, options)).plan;
}

/**
 * The same, with the result in `storage`, which is to be an overlay: whoever called decides then
 * whether to apply it.
 */
export async function runRepair(
  storage: Storage,
  choice: RepairChoice,
  options: RepairOptions = {},
): Promise<RepairPlan> {
  const { plan, result } = await tryRepair(storage, choice, options);
  if (plan.written > 0 || plan.grows !== 0) await transfer(result, storage);
  return plan;
}

async function tryRepair(storage: Storage, choice: RepairChoice, options: RepairOptions) {
  const log = new RepairLog(choice, options.onAction);
  const { signal, limit = 0 } = options;
  const result = new OverlayStorage(storage);
  const isLost = log.recovers && (await isHeaderLost(result));
  const { opened, doubt } = isLost
    ? { opened: await rebuildHeader(result, log, options), doubt: true }
    : await mendHeader(result, log);
  const check = async (state: Storage): Promise<CheckReport> =>
    checkQcow2(await openQcow2(state, 'check'), { signal, limit });
  const plan: RepairPlan = {
    actions: log.actions,
    sums: [],
    refusals: log.refusals,
    before: undefined,
    after: undefined,
    layers: [],
    written: 0,
    grows: 0,
  };
  if (opened) {
    plan.before = await check(result);
    const state = new OverlayStorage(result);
    const recovered: RepairJob['recovered'] = [];
    const rounds = { ...options, check, before: plan.before, recovered, doubt };
    // What a header that was guessed does not lead to is kept: it may have said more.
    plan.after = isLost ? plan.before : await mendRounds(state, log, rounds);
    const breathe = breather(options);
    plan.layers = await verifyLayers({ before: result, after: state, recovered, breathe });
    await transfer(state, result);
    if (isClean(plan.after)) await clearFlags(result, log);
  }
  plan.sums = log.sums;
  for (const { length } of result.changes()) plan.written += length;
  plan.grows = result.size - storage.size;
  return { plan, result };
}

/** Whether nothing of the header can be mended one field at a time. */
async function isHeaderLost(storage: Overlay): Promise<boolean> {
  if (await lacksMagic(storage)) return true;
  const log = new RepairLog({ classes: ['safe', 'guess'], dropsUnreadable: true });
  return !(await mendHeader(new OverlayStorage(storage), log)).opened;
}

interface Rounds extends RunOptions {
  readonly check: (state: Storage) => Promise<CheckReport>;
  readonly before: CheckReport;
  readonly doubt: boolean;
  readonly recovered: RepairJob['recovered'];
}

/** Mends until nothing is left that can be, and returns what the check then says. */
async function mendRounds(state: Overlay, log: RepairLog, rounds: Rounds): Promise<CheckReport> {
  let report = rounds.before;
  let { doubt } = rounds;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    throwIfCancelled(rounds.signal);
    if (isClean(report)) break;
    log.startRound();
    log.leaks = report.leaks;
    const done = log.chosen;
    const top = new OverlayStorage(state);
    const job = await RepairJob.open(top, log, rounds);
    doubt ||= hasLostPointers(report) || (await missingAtEnd(job.image)) > 0;
    job.doubt = doubt;
    const again = await mendRound(job);
    doubt = job.doubt;
    rounds.recovered.push(...job.recovered);
    await transfer(top, state);
    if (again) continue;
    report = await rounds.check(state);
    if (isClean(report) || log.chosen === done) break;
  }
  if (!isClean(report)) log.refuse('still-damaged', { values: { ...report.findingCounts } });
  return report;
}

function hasLostPointers({ findingCounts, aborted }: CheckReport): boolean {
  return aborted !== undefined || LOST_POINTERS.some((kind) => findingCounts[kind] !== undefined);
}

export function isClean(report: CheckReport | undefined): boolean {
  if (report === undefined || report.aborted !== undefined) return false;
  return report.corruptions === 0 && report.leaks === 0 && report.checkErrors === 0;
}

/** One walk over everything. True: something was put back, and all of it is to be looked at anew. */
async function mendRound(job: RepairJob): Promise<boolean> {
  const { log } = job;
  const broken = await mendSnapshots(job);
  job.doubt ||= isEmptied(job);
  await mendBitmaps(job);
  const survey = await takeSurvey(job);
  if (await rescueTables(job, broken)) {
    await writeSnapshots(job, survey.snapshotTableMoves);
    return true;
  }
  const overlaps = survey.conflicts > 0 || job.layers.some(({ moves }) => moves);
  if (!log.allows('guess') && (overlaps || survey.snapshotTableMoves)) {
    // Where two things share a place and none of them may move, nothing is written to either.
    log.refuse('overlap', { count: Math.max(1, survey.conflicts) });
    return false;
  }
  const suspects = await findSuspects(job);
  const rewriter = new Rewriter(job, suspects ?? new Set());
  const isSound =
    survey.faults === 0 && survey.conflicts === 0 && suspects !== undefined && suspects.size === 0;
  for (const layer of job.layers) {
    if (!isSound || layer.moves) await mendLayer(job, rewriter, layer);
  }
  job.doubt ||= DOUBTFUL_ACTIONS.some((kind) => log.countOf(kind) > 0);
  await writeSnapshots(job, survey.snapshotTableMoves);
  await extend(job);
  const final = await mendRefcounts(job);
  await mendCopied(job, final);
  await extend(job);
  return false;
}

/** A disk without a single table, in a file full of clusters that are in use: its L1 table is lost. */
function isEmptied({ image, log }: RepairJob): boolean {
  return image.l1.length > 0 && !image.l1.some((word) => word !== 0) && log.leaks > 0;
}

/** New clusters are in the file, whether something was written to them or not. */
async function extend({ storage, end, fileSize, clusterSize }: RepairJob): Promise<void> {
  if (end === divideRoundUp(fileSize, clusterSize)) return;
  if (storage.size < end * clusterSize) await storage.resize(end * clusterSize);
}

/** Writes what has changed to what lies under it. */
async function transfer(from: Overlay, to: Storage): Promise<void> {
  if (from.size !== to.size) await to.resize(from.size);
  for (const { offset, length } of from.changes()) {
    for (let done = 0; done < length; done += COPY_BYTES) {
      const bytes = new Uint8Array(Math.min(COPY_BYTES, length - done));
      await from.read(offset + done, bytes);
      await to.write(offset + done, bytes);
    }
  }
}

function breather({ signal }: RunOptions): () => Promise<void> {
  const pace = pacer(signal);
  return async () => {
    throwIfCancelled(signal);
    const pause = pace();
    if (pause !== undefined) await pause;
  };
}

/** Whether an error says that the image is too damaged, and not that the work was stopped. */
export function isDamage(error: unknown): error is ImageError {
  return isImageError(error, 'invalid-header') || isImageError(error, 'unknown-features');
}
