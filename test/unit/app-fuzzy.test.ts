import { expect, it } from 'vitest';
import { fit } from '../../src/app/fuzzy.ts';

function best(query: string, ...texts: string[]): string | undefined {
  return texts
    .map((text) => ({ text, score: fit(query, text)?.score }))
    .filter((one) => one.score !== undefined)
    .sort((a, b) => (b.score ?? 0) - (a.score ?? 0))[0]?.text;
}

it('letters fit in their order only', () => {
  expect(fit('abc', 'a big cat')?.at).toEqual([0, 2, 6]);
  expect(fit('abc', 'a cab')).toBeUndefined();
  expect(fit('', 'anything')?.at).toEqual([]);
});

it('does not run past letters that are wanted later', () => {
  expect(fit('resi', 'Resize the rest of six')?.at).toEqual([0, 1, 2, 3]);
  expect(fit('at z', 'cat zoo a')).toBeDefined();
});

it('a word in one piece comes before letters here and there', () => {
  expect(best('check', 'Convert here each check', 'Copy he e ck', 'Run the check')).not.toBe(
    'Copy he e ck',
  );
  expect(best('map', 'Make an appliance', 'Map')).toBe('Map');
});

it('beginnings of words come before letters inside of them', () => {
  expect(best('ct', 'Convert to', 'Cut it')).toBe('Convert to');
});

it('knows Chinese', () => {
  expect(fit('修复', '规划修复')?.at).toEqual([2, 3]);
  expect(fit('转换', '规划修复')).toBeUndefined();
});
