/** What is said of findings: chain. English; the app has the other languages. */
import type { ChainValues } from '../../engine/index.ts';
import type { Texts } from './texts.ts';

export const CHAIN_TEXTS: Texts<ChainValues> = {
  'chain-example': {
    title: ({ bytes }, { size }) => size(bytes),
    why: () => '',
    advice: () => '',
  },
};
