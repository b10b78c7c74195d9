import type { ChangingText } from './en-changing.ts';

/** The same in Chinese. */
export const zhChanging: ChangingText = {
  title: '更改',
};
