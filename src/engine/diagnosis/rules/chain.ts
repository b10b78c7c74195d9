/** Rules: chain. */
import type { Rules } from '../rule.ts';

/** The codes, stable, with what each speaks of. */
export interface ChainValues {
  'chain-example': { bytes: number };
}

export const CHAIN_RULES: Rules<ChainValues> = {
  'chain-example': () => undefined,
};
