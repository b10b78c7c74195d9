/** English: the map. */
export const enMap = {
  title: 'Map',
};

export type MapText = typeof enMap;
