import { describe, expect, test } from 'vitest';
import { parseSize, shortSize } from '../../src/app/size-text.ts';

describe('sizes as people write them', () => {
  test.each([
    ['20G', 20 * 2 ** 30],
    ['20 GiB', 20 * 2 ** 30],
    ['20gb', 20 * 2 ** 30],
    ['1.5 TiB', 1.5 * 2 ** 40],
    ['1,5 T', 1.5 * 2 ** 40],
    ['1,024 M', 2 ** 30],
    ['1 000', 1000],
    ['512', 512],
    ['512 B', 512],
    ['64k', 65536],
    ['.5G', 2 ** 29],
    ['0', 0],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'G', '20X', '-5G', '1e3', '20 G B', '99999999 E', '1.2.3'])(
    'no size: %s',
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );

  test.each([0, 1, 512, 1536, 2 ** 20, 1536 * 2 ** 20, 20 * 2 ** 30, 3 * 2 ** 40])(
    'short and back: %i',
    (bytes) => {
      expect(parseSize(shortSize(bytes))).toBe(bytes);
    },
  );
});
