/** What is said of findings: portability. English; the app has the other languages. */
import type { PortabilityValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

export const PORTABILITY_TEXTS: Texts<PortabilityValues> = {
  'portability-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
