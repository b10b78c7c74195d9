/** What is said of findings: health. English; the app has the other languages. */
import type { HealthValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

export const HEALTH_TEXTS: Texts<HealthValues> = {
  'health-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
