import { describe, expect, it } from 'vitest';
import {
  ago,
  bytes,
  exactBytes,
  hex,
  percent,
  rate,
  roundSeconds,
  span,
} from '../../src/app/units.ts';

describe('sizes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [120_000, '117 KiB'],
    [10 * 2 ** 20 - 1, '10 MiB'],
    [64 * 2 ** 20, '64 MiB'],
    [63.7 * 2 ** 20, '63.7 MiB'],
    [40 * 2 ** 30, '40 GiB'],
    [2 ** 63, '8 EiB'],
    [Number.NaN, '–'],
  ])('%d is %s', (value, text) => {
    expect(bytes(value, 'en')).toBe(text);
  });

  it.each([
    [999, '999 B'],
    [1000, '1 kB'],
    [64 * 2 ** 20, '67.1 MB'],
    [40e9, '40 GB'],
  ])('%d is %s in powers of 1000', (value, text) => {
    expect(bytes(value, 'en', 'decimal')).toBe(text);
  });

  it('exact sizes have the separators and the word of the language', () => {
    expect(exactBytes(67_108_864, 'en')).toBe('67,108,864 bytes');
    expect(exactBytes(1, 'en')).toBe('1 byte');
    expect(exactBytes(67_108_864, 'zh-CN')).toBe('67,108,864 字节');
  });

  it('offsets are hex, rates are decimal', () => {
    expect(hex(0x5a0000)).toBe('0x5a0000');
    expect(rate(240e6, 'en')).toBe('240 MB/s');
    expect(rate(1.25e9, 'en')).toBe('1.3 GB/s');
    expect(rate(5e3, 'en')).toBe('5 kB/s');
  });

  it('a share is never rounded to nothing, nor beyond everything', () => {
    expect(percent(0, 10, 'en')).toBe('0 %');
    expect(percent(1, 1000, 'en')).toBe('< 1 %');
    expect(percent(1, 3, 'en')).toBe('33 %');
    expect(percent(11, 10, 'en')).toBe('100 %');
    expect(percent(1, 0, 'en')).toBe('0 %');
  });
});

describe('times', () => {
  it.each([
    [0.2, 1],
    [7.4, 7],
    [13, 15],
    [58, 60],
    [70, 75],
    [400, 420],
    [4000, 4200],
  ])('%d seconds left are said as %d', (seconds, said) => {
    expect(roundSeconds(seconds)).toBe(said);
  });

  it('spans have two units at most', () => {
    expect(span(0.2, 'en')).toBe('1 ms');
    expect(span(83, 'en')).toBe('83 ms');
    expect(span(5700, 'en')).toBe('5.7 s');
    expect(span(75_000, 'en')).toBe('1 min 15 s');
    expect(span(3_600_000, 'en')).toBe('1 h');
    expect(span(3_725_000, 'en')).toBe('1 h 2 min');
    expect(span(75_000, 'zh-CN')).toBe('1 分 15 秒');
  });

  it('what was long ago is said roughly', () => {
    const now = Date.UTC(2026, 0, 5, 12);
    expect(ago(now - 5000, now, 'en')).toBe('now');
    expect(ago(now - 5 * 60_000, now, 'en')).toBe('5 minutes ago');
    expect(ago(now - 26 * 3_600_000, now, 'en')).toBe('yesterday');
  });
});
