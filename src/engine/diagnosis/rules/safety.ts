/** Rules: safety. */
import type { Rules } from '../rule.ts';

/** The codes, stable, with what each speaks of. */
export interface SafetyValues {
  'safety-example': { bytes: number };
}

export const SAFETY_RULES: Rules<SafetyValues> = {
  'safety-example': () => undefined,
};
