import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';

/** One line of the table: all figures are of the same image in the same run. */
export interface Row {
  name: string;
  unit: 's' | 'MiB';
  /** Every single figure, in order, by who made it. */
  figures: Partial<Record<Contestant, number[]>>;
}

export const CONTESTANTS = ['app', 'cli', 'qemu-img'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

/** The table: medians, and how many times as long as qemu-img it takes. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, unit, figures }) => {
    const [app, cli, qemu] = CONTESTANTS.map((who) => {
      const list = figures[who];
      return list === undefined ? undefined : median(list);
    });
    return [
      name,
      ...[app, cli, qemu].map((value) => (value === undefined ? '–' : amount(value, unit))),
      ...[app, cli].map((value) =>
        value === undefined || qemu === undefined ? '–' : `${(value / qemu).toFixed(2)} ×`,
      ),
    ];
  });
  const head = ['', 'app', 'CLI', 'qemu-img', 'app/qemu', 'CLI/qemu'];
  const all = [head, ...lines];
  const widths = head.map((_, column) =>
    Math.max(...all.map((line) => (line[column] ?? '').length)),
  );
  return all
    .map((line) =>
      line
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[column] ?? 0) + 2),
        )
        .join(''),
    )
    .join('\n');
}

function amount(value: number, unit: Row['unit']): string {
  if (unit === 'MiB') return `${value.toFixed(0)} MiB`;
  return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`;
}

/** Writes all figures and what they were measured on. */
export function writeReport(
  file: string,
  rows: readonly Row[],
  versions: Record<string, string>,
): void {
  const machine = {
    processor: cpus()[0]?.model ?? '',
    cores: cpus().length,
    memory: totalmem(),
    platform: `${process.platform} ${process.arch}`,
  };
  const medians = rows.map((row) => ({
    ...row,
    medians: Object.fromEntries(
      Object.entries(row.figures).map(([who, list]) => [who, median(list)]),
    ),
  }));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(
    file,
    JSON.stringify({ date: new Date().toISOString(), machine, versions, rows: medians }, null, 2),
  );
}
