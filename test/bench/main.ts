import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BenchApp } from './app.ts';
import type { Bench } from './bench.ts';
import { writeDocs } from './docs.ts';
import { growth, type Growth } from './growth.ts';
import { BenchImages, QUICK, WHOLE } from './images.ts';
import { PARTS } from './parts.ts';
import { table, writeReport } from './report.ts';
import type { Row } from './report.ts';

const REPORT = resolve('test-results/bench.json');

/**
 * `--runs N` (5), `--only` some of the parts, `--quick`: small images, once each; `--write`: puts the
 * figures into docs/performance.md; `--disk FILE`: a raw disk instead of the made one that is packed.
 */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string' },
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      disk: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const { quick } = values;
  const names = values.only?.split(',') ?? [...Object.keys(PARTS), 'growth'];
  const own = values.disk === undefined ? '' : '-own';
  const folder = resolve('.cache', `${quick ? 'bench-quick' : 'bench'}${own}`);
  const images = new BenchImages(folder, quick ? QUICK : WHOLE, values.disk);
  const runs = Number(values.runs ?? (quick ? 1 : 5));
  const scratch = mkdtempSync(join(folder, 'scratch-'));
  const app = await BenchApp.start();
  const rows: Row[] = [];
  const lines: Growth[] = [];
  let failed = 0;
  try {
    for (const name of names) {
      console.log(`Measuring ${name} …`);
      try {
        const made = await measure(name, { app, images, scratch, runs }, lines);
        rows.push(...made);
        console.log(table(made));
      } catch (error) {
        failed++;
        console.error(`${name} failed:`, error);
      }
      // After each part: a long run may be interrupted.
      writeReport(REPORT, rows, versions(app));
      if (values.write) writeDocs(rows, lines, { versions: versions(app), runs });
    }
  } finally {
    await app.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`\n${table(rows)}\n\nMedians of ${runs}. Every figure: ${REPORT}`);
  if (failed > 0) process.exitCode = 1;
  console.log(`${rows.length} passed, ${failed} failed, 0 skipped`);
}

async function measure(name: string, bench: Bench, lines: Growth[]): Promise<Row[]> {
  if (name === 'growth') {
    const grown = await growth(bench);
    lines.push(...grown.lines);
    return grown.rows;
  }
  const part = PARTS[name];
  if (part === undefined) throw new Error(`There is no part ${name}.`);
  return part(bench);
}

function versions(app: BenchApp): Record<string, string> {
  const qemu = execFileSync('qemu-img', ['--version'], { encoding: 'utf8' });
  return {
    chromium: app.version,
    node: process.versions.node,
    'qemu-img': /version (\S+)/.exec(qemu)?.[1] ?? '',
  };
}
