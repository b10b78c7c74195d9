import { type Bench, race } from './bench.ts';
import { inWords } from './images.ts';
import * as jobs from './jobs.ts';
import type { Row } from './report.ts';

const GIB = 2 ** 30;

/** Disk sizes along which nothing but the tables may grow. */
const SIZES = [GIB, 16 * GIB, 128 * GIB, 1024 * GIB];
const QUICK_SIZES = [GIB, 4 * GIB];

/** One point of the chart. */
export interface Point {
  /** Bytes. */
  disk: number;
  seconds: number;
  /** MiB. */
  memory: number;
}

/** What a chart is drawn of. */
export interface Growth {
  title: string;
  points: Point[];
}

/** The same amount of data on ever larger disks, and tables that grow with the disk. */
export async function growth(bench: Bench): Promise<{ rows: Row[]; lines: Growth[] }> {
  const { images } = bench;
  const isQuick = images.sizes.packed < GIB;
  const sizes = isQuick ? QUICK_SIZES : SIZES;
  const data = images.sizes.packed / 4;
  const kinds = [
    {
      title: `converting ${inWords(data)} of data`,
      job: (size: number) =>
        jobs.convert(images.grown(`grown-${size / GIB}g.qcow2`, size, data), { format: 'qcow2' }),
    },
    {
      title: 'checking all tables',
      job: (size: number) => jobs.check(images.withTables(`tables-${size / GIB}g.qcow2`, size)),
    },
  ];
  const rows: Row[] = [];
  const lines: Growth[] = [];
  for (const { title, job } of kinds) {
    const points: Point[] = [];
    for (const disk of sizes) {
      const work = { name: `${title}, disk of ${inWords(disk)}`, times: isQuick ? 1 : 3 };
      const [row] = await race(bench, { ...work, app: job(disk) });
      if (row === undefined) continue;
      rows.push(row);
      const seconds = [...(row.figures.app ?? [])].sort((a, b) => a - b);
      const middle = seconds[Math.floor(seconds.length / 2)] ?? NaN;
      points.push({ disk, seconds: middle, memory: row.memory ?? NaN });
    }
    lines.push({ title, points });
  }
  return { rows, lines };
}
