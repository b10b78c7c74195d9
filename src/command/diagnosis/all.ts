/** The texts of all findings, in English. */
import type { CodeValues } from '../../engine/index.ts';
import { CHAIN_TEXTS } from './chain.ts';
import { HEALTH_TEXTS } from './health.ts';
import { PERFORMANCE_TEXTS } from './performance.ts';
import { PORTABILITY_TEXTS } from './portability.ts';
import { SAFETY_TEXTS } from './safety.ts';
import { SPACE_TEXTS } from './space.ts';
import type { Texts } from './texts.ts';

export const DIAGNOSIS_TEXTS: Texts<CodeValues> = {
  ...HEALTH_TEXTS,
  ...CHAIN_TEXTS,
  ...SAFETY_TEXTS,
  ...SPACE_TEXTS,
  ...PERFORMANCE_TEXTS,
  ...PORTABILITY_TEXTS,
};
