import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { BenchApp } from './app.ts';
import type { JobCost } from './app.ts';
import { makeImages } from './images.ts';
import type { BenchImages } from './images.ts';
import { timeCli, timeProgram, timeQemuImg } from './native.ts';
import { table, writeReport } from './report.ts';
import type { Row } from './report.ts';

const FOLDER = resolve('.cache/bench');
const REPORT = resolve('test-results/bench.json');

interface Bench {
  app: BenchApp;
  images: BenchImages;
  /** A folder for results, on the same disk as the images. */
  scratch: string;
  /** How often long jobs are run; short ones are run more often. */
  runs: number;
}

const PARTS: Record<string, (bench: Bench) => Promise<Row[]>> = {
  start: startUp,
  overview,
  check,
  plain: (bench) => convert(bench, '4 GiB as it is', bench.images.plain),
  packed: (bench) => convert(bench, '1 GiB zlib', bench.images.packed),
};

/** `--runs N` (3), `--only` some of the parts, separated by commas. */
export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { runs: { type: 'string', default: '3' }, only: { type: 'string' } },
  });
  const names = values.only?.split(',') ?? Object.keys(PARTS);
  const images = makeImages(FOLDER);
  const scratch = mkdtempSync(join(FOLDER, 'scratch-'));
  const app = await BenchApp.start();
  const rows: Row[] = [];
  try {
    for (const name of names) {
      const part = PARTS[name];
      if (part === undefined) throw new Error(`There is no part ${name}.`);
      console.log(`Measuring ${name} …`);
      rows.push(...(await part({ app, images, scratch, runs: Number(values.runs) })));
    }
    writeReport(REPORT, rows, versions(app));
  } finally {
    await app.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`\n${table(rows)}\n\nMedians. Every figure: ${REPORT}`);
}

async function startUp({ runs }: Bench): Promise<Row[]> {
  const figures = {
    cli: await repeat(runs * 3, () => timeCli('--version')),
    'qemu-img': await repeat(runs * 3, () => timeQemuImg('--version')),
  };
  const node = await repeat(runs * 3, () => timeProgram(process.execPath, ['--eval', '0']));
  return [
    { name: 'start of the command line', unit: 's', figures },
    { name: '… of Node alone', unit: 's', figures: { cli: node } },
  ];
}

async function overview({ app, images, runs }: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [title, image] of [
    ['empty 64 MiB', images.small],
    ['1 GiB zlib', images.packed],
    ['1 TiB, all tables', images.metadata],
  ] as const) {
    const figures = {
      app: await repeat(runs * 3, () => app.overview(image)),
      cli: await repeat(runs * 3, () => timeCli('info', image)),
      'qemu-img': await repeat(runs * 3, () => timeQemuImg('info', image)),
    };
    rows.push({ name: `overview (info), ${title}`, unit: 's', figures });
  }
  return rows;
}

async function check({ app, images, runs }: Bench): Promise<Row[]> {
  const image = images.metadata;
  const jobs: JobCost[] = [];
  const figures = { app: [] as number[], cli: [] as number[], 'qemu-img': [] as number[] };
  // In turns, so that a busy moment of the machine meets all of them.
  for (let run = 0; run < runs; run++) {
    figures['qemu-img'].push(await timeQemuImg('check', image));
    jobs.push(await app.check(image));
    figures.cli.push(await timeCli('check', image));
  }
  figures.app = jobs.map(({ seconds }) => seconds);
  return [
    { name: 'check, 1 TiB, all tables', unit: 's', figures },
    memoryRow('check, 1 TiB, all tables', jobs),
  ];
}

async function convert(
  { app, scratch, runs }: Bench,
  title: string,
  image: string,
): Promise<Row[]> {
  const plain: JobCost[] = [];
  const verified: JobCost[] = [];
  const figures = { app: [] as number[], cli: [] as number[], 'qemu-img': [] as number[] };
  const result = join(scratch, 'result.raw');
  for (let run = 0; run < runs; run++) {
    figures['qemu-img'].push(await timeQemuImg('convert', '-O', 'raw', image, result));
    rmSync(result);
    plain.push(await app.convert(image, false));
    verified.push(await app.convert(image, true));
    figures.cli.push(await timeCli('convert', '-O', 'raw', image, result));
    rmSync(result);
  }
  figures.app = plain.map(({ seconds }) => seconds);
  return [
    { name: `qcow2 to raw, ${title}`, unit: 's', figures },
    {
      name: '… and compared with the source',
      unit: 's',
      figures: { app: verified.map(({ seconds }) => seconds) },
    },
    memoryRow(`qcow2 to raw, ${title}`, [...plain, ...verified]),
  ];
}

function memoryRow(title: string, jobs: readonly JobCost[]): Row {
  const app = jobs.map(({ memory }) => memory);
  return { name: `memory on top, ${title}`, unit: 'MiB', figures: { app } };
}

async function repeat(times: number, work: () => Promise<number>): Promise<number[]> {
  const figures: number[] = [];
  for (let run = 0; run < times; run++) figures.push(await work());
  return figures;
}

function versions(app: BenchApp): Record<string, string> {
  const qemu = execFileSync('qemu-img', ['--version'], { encoding: 'utf8' });
  return {
    chromium: app.version,
    node: process.versions.node,
    'qemu-img': /version (\S+)/.exec(qemu)?.[1] ?? '',
  };
}
