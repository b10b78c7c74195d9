/** The texts of all findings, in Chinese. */
import type { CodeValues } from '../../../engine/index.ts';
import { CHAIN_TEXTS } from './zh-CN-chain.ts';
import { HEALTH_TEXTS } from './zh-CN-health.ts';
import { PERFORMANCE_TEXTS } from './zh-CN-performance.ts';
import { PORTABILITY_TEXTS } from './zh-CN-portability.ts';
import { SAFETY_TEXTS } from './zh-CN-safety.ts';
import { SPACE_TEXTS } from './zh-CN-space.ts';
import type { Texts } from '../../../command/diagnosis/texts.ts';

export const ZH_DIAGNOSIS_TEXTS: Texts<CodeValues> = {
  ...HEALTH_TEXTS,
  ...CHAIN_TEXTS,
  ...SAFETY_TEXTS,
  ...SPACE_TEXTS,
  ...PERFORMANCE_TEXTS,
  ...PORTABILITY_TEXTS,
};
