import type { MapText } from './en-map.ts';

/** The same in Chinese. */
export const zhMap: MapText = {
  title: '分布图',
};
