/** English: new images. */
export const enCreate = {
  title: 'New image',
};

export type CreateText = typeof enCreate;
