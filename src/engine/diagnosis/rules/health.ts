/** Rules: health. */
import type { Rules } from '../rule.ts';

/** The codes, stable, with what each speaks of. */
export interface HealthValues {
  'health-example': { bytes: number };
}

export const HEALTH_RULES: Rules<HealthValues> = {
  'health-example': () => undefined,
};
