/** What a rule is: it looks at facts and says what it finds. Pure, without reading anything. */
import type {
  Area,
  CodeValues,
  DiagnosisCode,
  DiagnosisFinding,
  Grade,
  Remedy,
} from './diagnosis.ts';
import type { DiagnosisFacts } from './facts.ts';
import type { Range } from '../operations/finding.ts';

/** What a rule says; its code and area are known. */
export interface Found<C extends DiagnosisCode> {
  grade: Grade;
  values: CodeValues[C];
  places?: { host?: Range; guest?: Range }[];
  remedies?: Remedy[];
}

/** Undefined or empty: there is nothing to say. */
export type Judge<C extends DiagnosisCode> = (
  facts: DiagnosisFacts,
) => Found<C> | readonly Found<C>[] | undefined;

/** The rules of an area, complete: the compiler finds a code without one. */
export type Rules<V> = { readonly [C in keyof V & DiagnosisCode]: Judge<C> };

/** All that the rules of an area say. */
export function judgeArea(
  area: Area,
  rules: Readonly<Record<string, Judge<DiagnosisCode>>>,
  facts: DiagnosisFacts,
): DiagnosisFinding[] {
  return Object.entries(rules).flatMap(([code, judge]) => {
    const found = judge(facts);
    const all = found === undefined ? [] : 'grade' in found ? [found] : found;
    return all.map(({ grade, values, places = [], remedies = [] }) => {
      return { code: code as DiagnosisCode, area, grade, values, places, remedies };
    });
  });
}
