/** English: structures and bytes. */
export const enStructure = {
  title: 'Structure',
};

export type StructureText = typeof enStructure;
