import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { refusal } from '../../scripts/lint/layers.js';

const SRC = resolve('src');

describe('import directions', () => {
  test.each([
    ['ui/App.svelte', '../app/images.svelte.ts', false],
    ['ui/App.svelte', '../worker/api.ts', true],
    ['app/engine.ts', '../worker/client.ts', false],
    ['worker/engine.worker.ts', '../engine/index.ts', false],
    ['worker/engine.worker.ts', '../command/run.ts', false],
    ['worker/client.ts', './api.ts', true],
    ['command/convert.ts', '../engine/index.ts', false],
    ['command/node/main.ts', 'node:fs', false],
    ['engine/operations/check.ts', '../formats/qcow2/check.ts', false],
    ['engine/formats/qcow2/check.ts', '../../operations/finding.ts', true],
    ['engine/codecs/inflate.ts', 'pako', false],
  ])('%s may import %s (types only: %s)', (file, source, typeOnly) => {
    expect(refusal(join(SRC, file), source, typeOnly)).toBeUndefined();
  });

  test.each([
    ['ui/App.svelte', '../engine/index.ts', false, 'types'],
    ['ui/App.svelte', '../worker/client.ts', false, 'may not'],
    ['app/engine.ts', '../worker/engine.worker.ts', false, 'may not'],
    ['app/engine.ts', '../ui/App.svelte', true, 'may not'],
    ['worker/client.ts', '../engine/index.ts', false, 'types'],
    ['command/convert.ts', '../engine/operations/convert.ts', false, 'types'],
    ['command/convert.ts', 'node:fs', false, 'without Node'],
    ['engine/binary/struct.ts', '../storage/storage.ts', true, 'may not'],
    ['engine/formats/raw.ts', '../operations/convert.ts', false, 'may not'],
    ['engine/formats/raw.ts', '../operations/finding.ts', false, 'types'],
    ['engine/operations/check.ts', '../../command/host.ts', true, 'may not'],
    ['engine/storage/node.ts', 'node:fs', false, 'without Node'],
    ['engine/storage/memory.ts', 'pako', false, 'package'],
    ['sw/sw.ts', '../engine/errors.ts', false, 'may not'],
    ['engine/index.ts', '../../test/chromium.ts', false, 'not part of src'],
  ])('%s may not import %s (types only: %s)', (file, source, typeOnly, why) => {
    expect(refusal(join(SRC, file), source, typeOnly)).toContain(why);
  });

  test('every source file belongs to a layer', async () => {
    for (const file of await sources()) {
      expect(refusal(file, './' + file.split('/').at(-1), true), file).toBeUndefined();
    }
  });
});

test('no file imports itself in a circle', async () => {
  const files = await sources();
  const graph = new Map(files.map((file) => [file, imports(file)]));
  expect(graph.size).toBeGreaterThan(10);
  expect(circle(graph)).toEqual([]);
  const [first, second] = [join(SRC, 'a.ts'), join(SRC, 'b.ts')];
  expect(
    circle(
      new Map([
        [first, [second]],
        [second, [first]],
      ]),
    ),
  ).toEqual([first, second, first]);
});

async function sources(): Promise<string[]> {
  const entries = await readdir(SRC, { recursive: true });
  return entries
    .filter((name) => /\.(ts|svelte)$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => join(SRC, name));
}

/** Files whose code `file` loads: types are gone when it runs. */
function imports(file: string): string[] {
  const text = readFileSync(file, 'utf8').replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
  const found = text.matchAll(
    /^\s*(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?'(\.[^']+)'/gm,
  );
  return [...found].map((match) => resolve(dirname(file), match[1] ?? ''));
}

/** The first circle found, its first file repeated at the end; empty when there is none. */
function circle(graph: Map<string, string[]>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  function visit(file: string): string[] {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return [];
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const found = visit(next);
      if (found.length > 0) return found;
    }
    path.pop();
    done.add(file);
    return [];
  }
  for (const file of graph.keys()) {
    const found = visit(file);
    if (found.length > 0) return found;
  }
  return [];
}
