import type { StructureText } from './en-structure.ts';

/** The same in Chinese. */
export const zhStructure: StructureText = {
  title: '结构',
};
