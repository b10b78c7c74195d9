/** Findings of a diagnosis in words. */
import type { FindingText, Format } from '../command/diagnosis/texts.ts';
import type { Diagnosis, DiagnosisCode, DiagnosisFinding, Grade } from '../worker/api.ts';
import { bytes, moment, percent, whole } from './units.ts';
import { words } from './words.svelte.ts';

/** What is said of a finding. `advice` may be ''. */
export interface FindingWords {
  title: string;
  why: string;
  advice: string;
}

/** How numbers are written in the language that is on. */
export function findingFormat(): Format {
  const { tag } = words;
  return {
    size: (size) => bytes(size, tag),
    count: (number) => whole(number, tag),
    percent: (share) => percent(share, 1, tag),
    moment: (time) => moment(time, tag),
  };
}

export function findingWords<C extends DiagnosisCode>(finding: DiagnosisFinding<C>): FindingWords {
  const text: FindingText<DiagnosisFinding<C>['values']> =
    words.part('diagnose').findings[finding.code];
  const { values } = finding;
  const numbers = findingFormat();
  return {
    title: text.title(values, numbers),
    why: text.why(values, numbers),
    advice: text.advice(values, numbers),
  };
}

/** The colour and icon of a verdict or grade. */
export type Tone = 'good' | 'info' | 'warn' | 'bad';

const GRADE_TONES: Record<Grade, Tone> = {
  danger: 'bad',
  problem: 'warn',
  advice: 'info',
  note: 'good',
};

export function toneOf(grade: Grade): Tone {
  return GRADE_TONES[grade];
}

const VERDICT_TONES: Record<Diagnosis['verdict'], Tone> = {
  danger: 'bad',
  problem: 'warn',
  attention: 'info',
  healthy: 'good',
};

export function verdictTone({ verdict }: Diagnosis): Tone {
  return VERDICT_TONES[verdict];
}
