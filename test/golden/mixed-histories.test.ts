/**
 * Random histories of 50 commands on one image, some by our program and some by the real one: after
 * each of them the real check is clean and the content is that of a plain model (mixed-life.ts).
 * MIXED_HISTORIES=first-last for more; MIXED_KEEP=folder keeps the files.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MixedLife } from './mixed-life.ts';
import { available } from './programs.ts';

const RANGE = (process.env['MIXED_HISTORIES'] ?? '0-4').split('-').map(Number);
const [FIRST = 0, LAST = 4] = RANGE;
const KEEP = process.env['MIXED_KEEP'];
const STEPS = 50;

let parent = '';
const own = new Map<string, number>();

beforeAll(() => {
  parent = KEEP ?? mkdtempSync(join(tmpdir(), 'mixed-'));
});

afterAll(() => {
  if (KEEP === undefined) rmSync(parent, { recursive: true, force: true });
});

describe.skipIf(!available)('histories of both programs', () => {
  for (let seed = FIRST; seed < LAST; seed++) {
    test(`seed ${String(seed)}`, { timeout: 300_000 }, async () => {
      const folder = join(parent, String(seed));
      mkdirSync(folder, { recursive: true });
      const life = new MixedLife(seed, folder);
      try {
        await life.run(STEPS);
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error);
        throw new Error(`${problem}\n${life.log.slice(-12).join('\n')}`, { cause: error });
      } finally {
        for (const [command, count] of life.own) own.set(command, (own.get(command) ?? 0) + count);
      }
      if (KEEP === undefined) rmSync(folder, { recursive: true });
    });
  }

  test('both programs had their turns', () => {
    expect([...own.keys()].sort()).toEqual(
      expect.arrayContaining(['convert', 'create', 'rebase', 'snapshot']),
    );
  });
});
