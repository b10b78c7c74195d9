/** Rules: space. */
import type { Rules } from '../rule.ts';

/** The codes, stable, with what each speaks of. */
export interface SpaceValues {
  'space-example': { bytes: number };
}

export const SPACE_RULES: Rules<SpaceValues> = {
  'space-example': () => undefined,
};
