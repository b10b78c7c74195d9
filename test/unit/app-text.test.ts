import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { enImage } from '../../src/app/text/en-image.ts';
import { en } from '../../src/app/text/en.ts';
import { zhImage } from '../../src/app/text/zh-CN-image.ts';
import { zhCN } from '../../src/app/text/zh-CN.ts';
import { FINDING_KINDS } from '../../src/engine/operations/finding.ts';

/** All sentences that are no functions, with their path. */
function sentences(node: object, path = ''): [string, string][] {
  return Object.entries(node).flatMap(([key, value]: [string, unknown]): [string, string][] => {
    const here = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'string') return [[here, value]];
    return typeof value === 'object' && value !== null ? sentences(value, here) : [];
  });
}

describe.each([
  ['en', { ...en, image: enImage }],
  ['zh-CN', { ...zhCN, image: zhImage }],
])('texts in %s', (_, text) => {
  it('says something everywhere, without stray blanks', () => {
    const all = sentences(text);
    expect(all.length).toBeGreaterThan(200);
    const bad = all.filter(([, sentence]) => sentence === '' || sentence !== sentence.trim());
    expect(bad).toEqual([]);
  });

  it('explains every kind of finding in four ways', () => {
    for (const kind of FINDING_KINDS) {
      const { title, meaning, consequence, advice } = text.image.findings[kind];
      for (const sentence of [title, meaning, consequence, advice]) {
        expect(sentence.length, kind).toBeGreaterThan(2);
      }
    }
  });

  it('has what, why and what now for an error', () => {
    const sentence = text.image.errors['disk-full']({ name: 'out.raw', needed: 100 * 2 ** 20 });
    expect(sentence.what).toContain('100 MiB');
    expect(sentence.why.length).toBeGreaterThan(5);
    expect(sentence.now.length).toBeGreaterThan(5);
  });
});

describe('Chinese typography', () => {
  const folder = 'src/app/text';
  const files = readdirSync(folder).filter((name) => name.startsWith('zh-CN'));

  it.each(files)('%s has full-width marks beside Chinese characters', (name) => {
    const text = readFileSync(join(folder, name), 'utf8');
    const wrong = [...text.matchAll(/.?[一-鿿][,;:?!()].{0,8}|[,;:?!(][一-鿿].{0,8}/g)];
    expect(wrong.map(([found]) => found)).toEqual([]);
  });
});
