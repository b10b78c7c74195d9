/** What is said of findings: space. English; the app has the other languages. */
import type { SpaceValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

export const SPACE_TEXTS: Texts<SpaceValues> = {
  'space-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
