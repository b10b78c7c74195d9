import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { chart } from './chart.ts';
import type { Growth } from './growth.ts';
import { inWords } from './images.ts';
import { machine, markdown, type Row } from './report.ts';

const PAGE = resolve('docs/performance.md');
const CHART = resolve('docs/performance.svg');
/** What the bench has written stands between these two lines; all else is written by people. */
const FROM = '<!-- measured -->';
const TO = '<!-- /measured -->';

/** Puts the figures into the page of the docs, with what they were measured on. */
export function writeDocs(
  rows: readonly Row[],
  lines: readonly Growth[],
  { versions, runs }: { versions: Record<string, string>; runs: number },
): void {
  const { processor, cores, memory } = machine();
  const day = new Date().toISOString().slice(0, 10);
  const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const what = [
    `Measured on ${day}: ${processor}, ${cores} cores, ${inWords(Math.round(memory / 2 ** 30) * 2 ** 30)}`,
    `of memory; ${programs.join(', ')}. Medians of ${runs}.`,
  ].join(' ');
  const page = readFileSync(PAGE, 'utf8');
  const [head] = page.split(FROM);
  const tail = page.split(TO)[1] ?? '\n';
  mkdirSync(resolve('docs'), { recursive: true });
  writeFileSync(PAGE, `${head}${FROM}\n\n${what}\n\n${markdown(rows)}\n\n${TO}${tail}`);
  if (lines.length > 0) writeFileSync(CHART, chart(lines));
}
