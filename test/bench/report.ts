import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';

/** One line of the table: all figures are of the same image in the same run. */
export interface Row {
  name: string;
  unit: 's';
  /** Every single figure, in order, by who made it. */
  figures: Partial<Record<Contestant, number[]>>;
  /** How many times as long as the native program the app may take. */
  bar?: number | undefined;
  /** How much the renderer grew at most, MiB. */
  memory?: number | undefined;
  /** The longest that the page did not listen, milliseconds; 0: never more than 50. */
  longestTask?: number | undefined;
}

export const CONTESTANTS = ['app', 'cli', 'qemu-img'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

const HEAD = [
  '',
  'app',
  'CLI',
  'qemu-img',
  'app/qemu',
  'bar',
  'CLI/qemu',
  'memory',
  'longest task',
];

function cells(row: Row): string[] {
  const [app, cli, qemu] = CONTESTANTS.map((who) => {
    const list = row.figures[who];
    return list === undefined ? undefined : median(list);
  });
  const ratio = (value: number | undefined): string =>
    value === undefined || qemu === undefined ? '–' : (value / qemu).toFixed(2);
  const [memory, task] = [row.memory, row.longestTask];
  return [
    row.name,
    ...[app, cli, qemu].map((value) => (value === undefined ? '–' : duration(value))),
    ratio(app),
    row.bar === undefined ? '–' : `≤ ${row.bar}`,
    ratio(cli),
    memory === undefined ? '–' : `${memory.toFixed(0)} MiB`,
    task === undefined ? '–' : task === 0 ? '< 50 ms' : `${task.toFixed(0)} ms`,
  ];
}

/** The table for a terminal: medians, and how many times as long as qemu-img it takes. */
export function table(rows: readonly Row[]): string {
  const all = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 2);
  return all.map((line) => line.map(pad).join('')).join('\n');
}

/** The same as Markdown. */
export function markdown(rows: readonly Row[]): string {
  const line = (list: readonly string[]): string => `| ${list.join(' | ')} |`;
  const rule = HEAD.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(HEAD), line(rule), ...rows.map((row) => line(cells(row)))].join('\n');
}

function duration(value: number): string {
  if (value < 0.01) return `${(value * 1000).toFixed(1)} ms`;
  return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`;
}

/** What the figures were measured on. */
export function machine() {
  return {
    processor: cpus()[0]?.model ?? '',
    cores: cpus().length,
    memory: totalmem(),
    platform: `${process.platform} ${process.arch}`,
  };
}

/** Writes all figures and what they were measured on. */
export function writeReport(
  file: string,
  rows: readonly Row[],
  versions: Record<string, string>,
): void {
  const medians = rows.map((row) => ({
    ...row,
    medians: Object.fromEntries(
      Object.entries(row.figures).map(([who, list]) => [who, median(list)]),
    ),
  }));
  mkdirSync(dirname(file), { recursive: true });
  const date = new Date().toISOString();
  const report = { date, machine: machine(), versions, rows: medians };
  writeFileSync(file, JSON.stringify(report, null, 2));
}
