/** The diagnosis of an image: collects facts, then asks the rules. */
import type { CodecPool } from '../codecs/pool.ts';
import { judgeAll } from '../destinations/judge.ts';
import { factsOf } from '../destinations/facts.ts';
import { isImageError } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { readContents, type GuestContents } from '../guest/file-system-reader.ts';
import type { CheckReport } from '../operations/check-report.ts';
import { checkImage } from '../operations/check.ts';
import type { Finding } from '../operations/finding.ts';
import type { Survey } from '../formats/survey.ts';
import type { ImageInfo } from '../operations/image-info.ts';
import { inspect } from '../operations/inspect.ts';
import type { RunOptions } from '../operations/operation.ts';
import { readDisk } from '../operations/read.ts';
import { contentLooksLike } from './content-format.ts';
import { lookDeep } from './deep.ts';
import {
  AREAS,
  GRADES,
  type Diagnosis,
  type DiagnosisFinding,
  type DiagnosisVerdict,
} from './diagnosis.ts';
import type { DiagnosisFacts } from './facts.ts';
import { guardFactsOf, type BaseFingerprint } from './guard.ts';
import { layersOf } from './layers.ts';
import { judgeArea } from './rule.ts';
import { CHAIN_RULES } from './rules/chain.ts';
import { HEALTH_RULES } from './rules/health.ts';
import { PERFORMANCE_RULES } from './rules/performance.ts';
import { PORTABILITY_RULES } from './rules/portability.ts';
import { SAFETY_RULES } from './rules/safety.ts';
import { SPACE_RULES } from './rules/space.ts';
import { surveyDisk } from './survey.ts';

/** An image as a diagnosis needs it. */
export interface Diagnosed {
  /** Opened for checking: its tables may be bad. */
  checked: Disk;
  /** Opened for reading, with what is below it; undefined where that cannot be. */
  readable: Disk | undefined;
}

export interface DiagnoseOptions extends RunOptions {
  /** Reads guest data, too. */
  deep?: boolean | undefined;
  pool?: CodecPool | undefined;
  /** What the app remembers of the base. */
  guard?: BaseFingerprint | undefined;
  /** Milliseconds since 1970. */
  now: number;
  /** What the image was found in, '' for none; whether it is made of several files. */
  container?: string | undefined;
  severalFiles?: boolean | undefined;
}

/**
 * Looks at everything, and says what it means. Without `deep` only tables and some KiB of the guest
 * are read.
 * @throws ImageError cancelled, and those of reading what cannot be done without
 */
export async function diagnose(image: Diagnosed, options: DiagnoseOptions): Promise<Diagnosis> {
  const facts = await collect(image, options);
  return diagnosisOf(facts);
}

/** Judges facts. Pure: an earlier report can be judged again. */
export function diagnosisOf(facts: DiagnosisFacts): Diagnosis {
  const findings = [
    ...judgeArea('health', HEALTH_RULES, facts),
    ...judgeArea('chain', CHAIN_RULES, facts),
    ...judgeArea('safety', SAFETY_RULES, facts),
    ...judgeArea('space', SPACE_RULES, facts),
    ...judgeArea('performance', PERFORMANCE_RULES, facts),
    ...judgeArea('portability', PORTABILITY_RULES, facts),
  ].sort(byWeight);
  return { schema: 1, verdict: verdictOf(findings), findings, facts };
}

function byWeight(a: DiagnosisFinding, b: DiagnosisFinding): number {
  return (
    GRADES.indexOf(a.grade) - GRADES.indexOf(b.grade) ||
    AREAS.indexOf(a.area) - AREAS.indexOf(b.area)
  );
}

function verdictOf(findings: readonly DiagnosisFinding[]): DiagnosisVerdict {
  const [worst] = findings;
  if (worst?.grade === 'danger' || worst?.grade === 'problem') return worst.grade;
  return worst?.grade === 'advice' ? 'attention' : 'healthy';
}

async function collect(image: Diagnosed, options: DiagnoseOptions): Promise<DiagnosisFacts> {
  const { checked, readable } = image;
  const { signal, container = '', severalFiles = false } = options;
  const { storage } = checked;
  const before = { size: storage.size, modified: await storage.modified?.() };
  const info = await inspect(checked);
  const file = factsOf(info, { container, severalFiles });
  const checking = await check(checked, options);
  const noticed = noticedOf(image, checking.check);
  const survey = await surveyDisk(checked, options);
  const chain = await layersOf(readable ?? checked, {
    signal,
    decided: decidedBytes(info, survey),
  });
  const guest = readable === undefined ? undefined : await contentsOf(readable, signal);
  const below = readable?.backing;
  const guestBelow = below === undefined ? undefined : await contentsOf(below, signal);
  const guard = await guardFactsOf(readable ?? checked, options.guard, { signal });
  const looksLike = await contentLooksLike(readable, signal);
  const isDeep = options.deep === true && readable !== undefined;
  const deep = isDeep ? await lookDeep(readable, options) : undefined;
  const changedMeanwhile = await hasChanged(checked, before);
  return {
    ...{
      info,
      file,
      judgements: judgeAll(file),
      ...checking,
      noticed,
      survey,
      chain,
      guest,
      guestBelow,
    },
    contentLooksLike: looksLike,
    ...{ changedMeanwhile, guard, deep, now: options.now },
  };
}

async function check(
  disk: Disk,
  options: RunOptions,
): Promise<{ check: CheckReport | undefined; checkRefused: string }> {
  try {
    return { check: await checkImage(disk, { ...options, explain: true }), checkRefused: '' };
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return { check: undefined, checkRefused: error.code };
  }
}

/** What an image decides by itself, where the survey has counted just that. */
function decidedBytes(info: ImageInfo, survey: Survey | undefined): number | undefined {
  const { clusterSize = 0, virtualSize, qcow2 } = info;
  const counts = survey?.clusters;
  if (counts === undefined || counts.invalid > 0 || qcow2 === undefined) return undefined;
  // Parts of clusters have not been counted.
  if (qcow2.extendedL2 || clusterSize === 0 || virtualSize % clusterSize !== 0) return undefined;
  return (counts.total - counts.unallocated) * clusterSize;
}

/** The parent is looked at only where the image is opened for reading. */
function noticedOf({ checked, readable }: Diagnosed, report: CheckReport | undefined): Finding[] {
  const counts = report?.findingCounts ?? {};
  const own = checked.findings ?? [];
  const others = (readable?.findings ?? []).filter(({ kind }) => {
    return own.every((one) => one.kind !== kind);
  });
  return [...own, ...others].filter(({ kind }) => (counts[kind] ?? 0) === 0);
}

/** Undefined where the content cannot be had: locked, or damaged. */
async function contentsOf(
  disk: Disk,
  signal: AbortSignal | undefined,
): Promise<GuestContents | undefined> {
  try {
    return await readContents(
      (offset, length) => readDisk(disk, offset, length, { signal }),
      disk.size,
    );
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return undefined;
  }
}

async function hasChanged(
  { storage }: Disk,
  before: { size: number; modified: number | undefined },
): Promise<boolean> {
  try {
    await storage.checkUnchanged?.();
  } catch (error) {
    if (!isImageError(error)) throw error;
    return true;
  }
  return storage.size !== before.size || (await storage.modified?.()) !== before.modified;
}
