/** Rules: portability. */
import type { Rules } from '../rule.ts';

/** The codes, stable, with what each speaks of. */
export interface PortabilityValues {
  'portability-example': { bytes: number };
}

export const PORTABILITY_RULES: Rules<PortabilityValues> = {
  'portability-example': () => undefined,
};
