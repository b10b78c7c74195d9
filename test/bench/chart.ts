import type { Growth, Point } from './growth.ts';
import { inWords } from './images.ts';

const WIDTH = 360;
const HEIGHT = 220;
const LEFT = 52;
const TOP = 36;
const RIGHT = 16;
const BOTTOM = 44;
const COLOURS = ['#3b6fd4', '#b4552d'];

/** Two charts side by side, as an image for both themes: memory, and time, along the size of the disk. */
export function chart(lines: readonly Growth[]): string {
  const memory = panel(lines, 'Memory of the page and its workers, MiB', ({ memory: mib }) => mib);
  const time = panel(lines, 'Time, seconds', ({ seconds }) => seconds);
  const names = lines.map(({ title }, index) => {
    const x = LEFT + index * (WIDTH - 40);
    const colour = COLOURS[index] ?? '#888';
    return `<circle cx="${x}" cy="${HEIGHT + 14}" r="4" fill="${colour}"/><text x="${x + 10}" y="${HEIGHT + 18}">${title}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH * 2} ${HEIGHT + 30}" font-family="system-ui, sans-serif" font-size="12">`,
    '<style>text{fill:#333}.grid{stroke:#8884}@media (prefers-color-scheme:dark){text{fill:#ccc}}</style>',
    memory,
    `<g transform="translate(${WIDTH} 0)">${time}</g>`,
    ...names,
    '</svg>',
    '',
  ].join('\n');
}

function panel(lines: readonly Growth[], title: string, value: (point: Point) => number): string {
  const points = lines.flatMap((line) => line.points);
  const top = roundUp(Math.max(...points.map(value)));
  const first = Math.min(...points.map(({ disk }) => disk));
  const last = Math.max(...points.map(({ disk }) => disk));
  const x = (disk: number): number =>
    LEFT + (Math.log(disk / first) / Math.log(last / first)) * (WIDTH - LEFT - RIGHT);
  const y = (amount: number): number => HEIGHT - BOTTOM - (amount / top) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, 0.5, 1].map((part) => {
    const at = y(top * part).toFixed(1);
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/><text x="${LEFT - 6}" y="${Number(at) + 4}" text-anchor="end">${top * part}</text>`;
  });
  const disks = [...new Set(points.map(({ disk }) => disk))];
  const marks = disks.map(
    (disk) =>
      `<text x="${x(disk).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${inWords(disk)}</text>`,
  );
  const curves = lines.map((line, index) => {
    const colour = COLOURS[index] ?? '#888';
    const at = line.points.map((one) => `${x(one.disk).toFixed(1)},${y(value(one)).toFixed(1)}`);
    const dots = at.map((place) => {
      const [cx, cy] = place.split(',');
      return `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`;
    });
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${at.join(' ')}"/>${dots.join('')}`;
  });
  return `<text x="${LEFT}" y="20" font-weight="600">${title}</text>${[...grid, ...marks, ...curves].join('')}`;
}

/** The next of 1, 2, 5, 10, 20 … */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * unit >= value) ?? 10) * unit;
}
