/** The diagnosis of an open image. Loaded when the first is asked for. */
import {
  compareDiagnoses,
  diagnose,
  type Disk,
  fingerprintOf,
  isImageError,
  LONGEST_REPORT,
  parseDiagnosis,
  reportOf,
} from '../engine/index.ts';
import type {
  CompareReportsRequest,
  CompareReportsResult,
  DiagnoseRequest,
  DiagnoseResult,
  FingerprintRequest,
  FingerprintResult,
  ImageId,
} from './api.ts';
import { codecPool } from './codec-pool.ts';
import type { JobContext } from './job.ts';

/** Findings of the check that go to the page; all are counted. */
const FINDINGS = 1000;

/**
 * Looks at everything that can be known of an image, and judges it.
 * @throws ImageError cancelled, file-changed and those of reading what cannot be done without
 */
export async function diagnoseImage(
  request: DiagnoseRequest,
  context: JobContext,
): Promise<DiagnoseResult> {
  const started = performance.now();
  const { image, deep, guard } = request;
  const { images, signal, progress } = context;
  const checked = await images.diskToCheck(image);
  const readable = await readableDisk(image, context);
  const disks = { checked, readable };
  const found = await diagnose(disks, {
    deep,
    guard,
    signal,
    progress,
    pool: codecPool(),
    now: Date.now(),
    ...images.wrapping(image),
  });
  const { check } = found.facts;
  if (check !== undefined) check.findings = check.findings.slice(0, FINDINGS);
  const diagnosis = await reportOf(disks, found, { signal });
  return { diagnosis, milliseconds: performance.now() - started };
}

/** @throws ImageError cancelled and those of reading the image below */
export async function fingerprintBelow(
  { image }: FingerprintRequest,
  { images, signal, progress }: JobContext,
): Promise<FingerprintResult> {
  const { backing } = await images.disk(image);
  if (backing === undefined) return { fingerprint: undefined };
  return { fingerprint: await fingerprintOf(backing, Date.now(), { signal, progress }) };
}

/** What has become of an image since an earlier report. A file that is none is refused in words. */
export async function compareReports({
  now,
  earlier,
}: CompareReportsRequest): Promise<CompareReportsResult> {
  if (earlier.size > LONGEST_REPORT) return { kind: 'refused', reason: 'too-large' };
  const parsed = parseDiagnosis(await earlier.text());
  if (parsed.kind === 'refused') return { kind: 'refused', reason: parsed.reason };
  return { kind: 'ok', comparison: compareDiagnoses(parsed.report, now) };
}

/** Undefined where its tables do not let anybody read it. */
async function readableDisk(image: ImageId, { images }: JobContext): Promise<Disk | undefined> {
  try {
    return await images.disk(image);
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    return undefined;
  }
}
