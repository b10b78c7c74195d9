/** What is said of findings: safety. English; the app has the other languages. */
import type { SafetyValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

export const SAFETY_TEXTS: Texts<SafetyValues> = {
  'safety-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
