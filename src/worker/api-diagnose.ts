/** What passes between the page and the worker about diagnosing images: plain data. Types only. */
import type { DiagnosisComparison } from '../engine/diagnosis/compare.ts';
import type { BaseFingerprint } from '../engine/diagnosis/guard.ts';
import type { ReportRefusal } from '../engine/diagnosis/parse.ts';
import type { DiagnosisReport } from '../engine/diagnosis/report.ts';
import type { FileTarget, ImageId } from './api.ts';

export type {
  Area,
  Diagnosis,
  DiagnosisCode,
  DiagnosisFinding,
  DiagnosisVerdict,
  Grade,
  Remedy,
} from '../engine/diagnosis/diagnosis.ts';
export type {
  DeepFacts,
  DiagnosisFacts,
  GuardFacts,
  LayerFacts,
} from '../engine/diagnosis/facts.ts';
export type { ChainChange, FullForecast, Growth } from '../engine/diagnosis/compare.ts';
export type { EarlierFinding } from '../engine/diagnosis/report.ts';
export type { BaseFingerprint, DiagnosisComparison, DiagnosisReport, ReportRefusal };
export type {
  SizeForecasts,
  SnapshotSpace,
  SpaceAccount,
  Survey,
} from '../engine/formats/survey.ts';

/** Looks at everything and says what it means. */
export interface DiagnoseRequest {
  kind: 'diagnose';
  image: ImageId;
  /** Reads what the guest keeps on the disk, too. */
  deep: boolean;
  /** What is remembered of the image below. */
  guard?: BaseFingerprint | undefined;
}

export interface DiagnoseResult {
  diagnosis: DiagnosisReport;
  milliseconds: number;
}

/** Holds a diagnosis against a report of an earlier one. */
export interface CompareReportsRequest {
  kind: 'compare-reports';
  now: DiagnosisReport;
  /** A report in JSON. */
  earlier: File;
}

export type CompareReportsResult =
  { kind: 'ok'; comparison: DiagnosisComparison } | { kind: 'refused'; reason: ReportRefusal };

/** What is to be remembered of the image below. */
export interface FingerprintRequest {
  kind: 'fingerprint';
  image: ImageId;
}

export interface FingerprintResult {
  /** Undefined where there is no image below. */
  fingerprint: BaseFingerprint | undefined;
}

/** Rewrites an image in the order of its disk into a new file, and compares what came out. */
export interface CompactRequest {
  kind: 'compact';
  image: ImageId;
  /** Snapshots go along. */
  snapshots: boolean;
  /** Bytes that the result will take, as far as known. */
  expected: number | undefined;
  target: FileTarget;
  verify: boolean;
}

export interface CompactResult {
  name: string;
  /** Bytes of the image's file, and of the new one. */
  before: number;
  size: number;
  verified: boolean;
  milliseconds: number;
}
