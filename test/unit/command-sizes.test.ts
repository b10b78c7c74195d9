import { describe, expect, it } from 'vitest';
import { formatSize, parseSize, toDecimals } from '../../src/command/sizes.ts';

describe('reading sizes', () => {
  it.each([
    ['0', 0n],
    ['12', 12n],
    [' 12', 12n],
    ['\t7', 7n],
    ['+12', 12n],
    ['010', 10n],
    ['1k', 1024n],
    ['1K', 1024n],
    ['1b', 1n],
    ['1B', 1n],
    ['1.5k', 1536n],
    ['1.1k', 1126n],
    ['1.9999k', 2048n],
    ['1.', 1n],
    ['1.0', 1n],
    ['1.0b', 1n],
    ['1.k', 1024n],
    ['1.0000000000000000000000001k', 1024n],
    ['0.0000001E', 115292150461n],
    ['7.9999999999E', 9223372036739483648n],
    ['1T', 2n ** 40n],
    ['1P', 2n ** 50n],
    ['0x10', 16n],
    ['0X10', 16n],
    ['0x1b', 27n],
    ['0x1e', 30n],
    ['9223372036854775807', 2n ** 63n - 1n],
  ])('%j', (text, value) => {
    expect(parseSize(text)).toEqual({ kind: 'ok', value, deprecated: false });
  });

  it.each(['0x10k', '0x1p'])('%j, which is going out of use', (text) => {
    expect(parseSize(text)).toMatchObject({ kind: 'ok', deprecated: true });
  });

  it.each([
    ...['', 'x', '-1', '.5k', '1.5', '0.5', '1.5b', '1e3', '1.5e3k', '12kk', '1KiB', '1 k', '1,5k'],
    ...['0x', '0xg', '0x1.5', '1.-5k', '1. 5k', '1.+5k', '1.5k ', '1_0'],
  ])('refuses %j', (text) => {
    expect(parseSize(text)).toEqual({ kind: 'invalid' });
  });

  it.each(['8E', '16E', '9223372036854775808', '18446744073709551616', '0x8000000000000000'])(
    'finds %j too large',
    (text) => {
      expect(parseSize(text)).toEqual({ kind: 'out-of-range' });
    },
  );
});

describe('printing sizes', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [999, '999 B'],
    [1000, '0.977 KiB'],
    [1023, '0.999 KiB'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [100352, '98 KiB'],
    [200704, '196 KiB'],
    // Exactly between two: the even one.
    [1152, '1.12 KiB'],
    [1408, '1.38 KiB'],
    [12544, '12.2 KiB'],
    [12928, '12.6 KiB'],
    [102912, '100 KiB'],
    [103936, '102 KiB'],
    [1000448, '977 KiB'],
    [1023500, '1e+03 KiB'],
    [1047552, '0.999 MiB'],
    [1048064, '1 MiB'],
    [10240000, '9.77 MiB'],
    [104857600, '100 MiB'],
    [1234568192, '1.15 GiB'],
    [123456789504, '115 GiB'],
    [1000000000000, '931 GiB'],
    [2 ** 60, '1 EiB'],
    [2 ** 63, '8 EiB'],
  ])('%d bytes', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('rounding as C does', () => {
  it.each([
    [3.125, 2, '3.12'],
    [3.375, 2, '3.38'],
    [0.005, 2, '0.01'],
    [100, 2, '100.00'],
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [33.333333, 2, '33.33'],
  ])('%d to %d decimals', (value, decimals, text) => {
    expect(toDecimals(value, decimals)).toBe(text);
  });
});
