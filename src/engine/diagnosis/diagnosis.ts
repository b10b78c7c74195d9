/**
 * What a diagnosis says. Plain data: it is the JSON of `diagnose --output=json`, passes to the page
 * and is kept as a report, so names and meanings stay as they are once published.
 */
import type { DiagnosisFacts } from './facts.ts';
import type { ChainValues } from './rules/chain.ts';
import type { HealthValues } from './rules/health.ts';
import type { PerformanceValues } from './rules/performance.ts';
import type { PortabilityValues } from './rules/portability.ts';
import type { SafetyValues } from './rules/safety.ts';
import type { SpaceValues } from './rules/space.ts';
import type { Range } from '../operations/finding.ts';

/** In the order in which they are shown among findings of one grade. */
export const AREAS = ['health', 'chain', 'safety', 'space', 'performance', 'portability'] as const;
export type Area = (typeof AREAS)[number];

/**
 * - `danger`: data are lost, or will be when somebody goes on
 * - `problem`: something is wrong or will not work; no data are in danger
 * - `advice`: it could be better, and here is how much
 * - `note`: good to know
 */
export const GRADES = ['danger', 'problem', 'advice', 'note'] as const;
export type Grade = (typeof GRADES)[number];

/** The values of every finding, by its code: the texts know what they may speak of. */
export interface CodeValues
  extends
    HealthValues,
    ChainValues,
    SafetyValues,
    SpaceValues,
    PerformanceValues,
    PortabilityValues {}
export type DiagnosisCode = keyof CodeValues;

/** What mends it. The command line writes the command; the app goes to the place, filled in. */
export type Remedy =
  | { kind: 'repair' }
  /** Rewrites the image in guest order into a new file; `snapshots`: keeps them. */
  | { kind: 'compact'; snapshots: boolean }
  | { kind: 'convert'; format: string; options: Record<string, string>; compress: boolean }
  | { kind: 'amend'; options: Record<string, string> }
  /** Writes name and format of the backing image anew; the content stays. */
  | { kind: 'relink'; format: string }
  /** Copies what comes from below into the image, which then needs nothing else. */
  | { kind: 'flatten' }
  | { kind: 'commit' }
  | { kind: 'delete-snapshot'; name: string }
  | { kind: 'delete-bitmap'; name: string }
  | { kind: 'give-file'; name: string }
  | { kind: 'guard' }
  | { kind: 'deep' }
  /** To be done where the image is used; lines to be pasted, in which FILE stands for its name. */
  | { kind: 'paste'; lines: string[] };

/** One thing that was found. */
export interface DiagnosisFinding<C extends DiagnosisCode = DiagnosisCode> {
  code: C;
  area: Area;
  grade: Grade;
  values: CodeValues[C];
  /** Where to look: bytes of the file and of the disk, at most {@link MOST_PLACES}. */
  places: { host?: Range; guest?: Range }[];
  remedies: Remedy[];
}
export const MOST_PLACES = 20;

/** The words of the whole. */
export type DiagnosisVerdict = 'healthy' | 'attention' | 'problem' | 'danger';

export interface Diagnosis {
  /** Of this structure. */
  schema: 1;
  verdict: DiagnosisVerdict;
  /** What matters most comes first. */
  findings: DiagnosisFinding[];
  /** The figures that everything above was made from. */
  facts: DiagnosisFacts;
}
