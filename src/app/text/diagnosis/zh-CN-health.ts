import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { HealthValues } from '../../../engine/index.ts';

export const HEALTH_TEXTS: Texts<HealthValues> = {
  'health-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
