import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { SafetyValues } from '../../../engine/index.ts';

export const SAFETY_TEXTS: Texts<SafetyValues> = {
  'safety-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
