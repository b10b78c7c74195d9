/** Rules: performance. */
import type { Rules } from '../rule.ts';

/** The codes, stable, with what each speaks of. */
export interface PerformanceValues {
  'performance-example': { bytes: number };
}

export const PERFORMANCE_RULES: Rules<PerformanceValues> = {
  'performance-example': () => undefined,
};
