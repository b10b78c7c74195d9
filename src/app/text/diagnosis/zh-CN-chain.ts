import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { ChainValues } from '../../../engine/index.ts';

export const CHAIN_TEXTS: Texts<ChainValues> = {
  'chain-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
