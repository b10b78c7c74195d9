import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { SpaceValues } from '../../../engine/index.ts';

export const SPACE_TEXTS: Texts<SpaceValues> = {
  'space-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
