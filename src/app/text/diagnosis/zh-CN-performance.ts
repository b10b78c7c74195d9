import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { PerformanceValues } from '../../../engine/index.ts';

export const PERFORMANCE_TEXTS: Texts<PerformanceValues> = {
  'performance-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
