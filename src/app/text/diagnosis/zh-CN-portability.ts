import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { PortabilityValues } from '../../../engine/index.ts';

export const PORTABILITY_TEXTS: Texts<PortabilityValues> = {
  'portability-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
