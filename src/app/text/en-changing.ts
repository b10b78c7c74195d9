/** English: the changes that can be made. */
export const enChanging = {
  title: 'Change',
};

export type ChangingText = typeof enChanging;
