import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchApp, Job, JobCost } from './app.ts';
import type { BenchImages } from './images.ts';
import type { Row } from './report.ts';
import { expectSame } from './verify.ts';

/** What every part of the bench has at hand. */
export interface Bench {
  app: BenchApp;
  images: BenchImages;
  /** A folder for results, on the same disk as the images. */
  scratch: string;
  /** How often long jobs are run; short ones are run more often. */
  runs: number;
}

/** Work that is done by several, in turns: a busy moment of the machine meets all of them. */
export interface Race {
  name: string;
  app?: Job | undefined;
  cli?: (() => Promise<number>) | undefined;
  native?: (() => Promise<number>) | undefined;
  /** How many times as long as the native program the app may take. */
  bar?: number | undefined;
  /** What the app makes of which image; it is compared once. */
  makes?: { source: string; format: 'raw' | 'qcow2' } | undefined;
  /** More runs than those of long jobs. */
  times?: number | undefined;
}

/** Runs a race and gives its row, and those of memory and of the page's patience. */
export async function race({ app, runs }: Bench, work: Race): Promise<Row[]> {
  const costs: JobCost[] = [];
  const figures: Row['figures'] = {};
  const { makes, times = runs } = work;
  for (let run = 0; run < times; run++) {
    if (work.native !== undefined) (figures['qemu-img'] ??= []).push(await work.native());
    if (work.app !== undefined) {
      const look = run === 0 && makes !== undefined ? lookAt(makes) : undefined;
      const cost = await app.run(work.app, look);
      costs.push(cost);
      (figures.app ??= []).push(cost.seconds);
    }
    if (work.cli !== undefined) (figures.cli ??= []).push(await work.cli());
  }
  const row: Row = { name: work.name, unit: 's', figures, bar: work.bar };
  if (costs.length > 0) {
    row.memory = Math.max(...costs.map(({ memory }) => memory));
    row.longestTask = Math.max(...costs.map(({ longestTask }) => longestTask));
  }
  return [row];
}

function lookAt({ source, format }: NonNullable<Race['makes']>): (files: string[]) => void {
  return ([largest]) => expectSame(source, largest, format);
}

/** A program that makes a file: the file is removed after each run. */
export function making(
  { scratch }: Bench,
  work: (result: string) => Promise<number>,
): () => Promise<number> {
  const result = join(scratch, 'result');
  return async () => {
    const seconds = await work(result);
    rmSync(result);
    return seconds;
  };
}
