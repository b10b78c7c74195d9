/** What is said of findings: performance. English; the app has the other languages. */
import type { PerformanceValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

export const PERFORMANCE_TEXTS: Texts<PerformanceValues> = {
  'performance-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
