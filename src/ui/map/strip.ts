/** The whole picture as a narrow strip: what each part of it is made of, and where faults are. */
import type { Picture } from '../../worker/api.ts';
import { cellCount, HAS_DAMAGE, HAS_LEAK, KIND_MASK } from '../../app/map-cells.ts';
import { KIND_ORDER } from '../../app/map-kinds.ts';
import { css, type Palette } from './palette.ts';
import { contextOf } from './tiles.ts';

/** Cells that are looked at for each row of pixels, if there are as many. */
const CELLS_A_ROW = 16;

/** CSS pixels at each side for the marks of faults. */
const MARK = 4;

/**
 * Draws the strip over all of a canvas. Each row of pixels is divided as the part of the file is that
 * it stands for. Leaks are marked at the left edge, damage at the right one.
 */
export function paintStrip(
  canvas: HTMLCanvasElement,
  picture: Picture,
  palette: Palette,
  ratio: number,
): void {
  const context = contextOf(canvas);
  const { width, height } = canvas;
  context.fillStyle = css(palette.ground);
  context.fillRect(0, 0, width, height);
  const mark = Math.round(MARK * ratio);
  const [left, room] = [mark + ratio, width - 2 * (mark + ratio)];
  const level = levelFor(picture, height * CELLS_A_ROW);
  const cells = picture.levels[level] ?? new Uint8Array();
  const order = KIND_ORDER.filter((kind) => picture.kinds.includes(kind)).reverse();
  for (let y = 0; y < height; y++) {
    const from = Math.floor((y * cells.length) / height);
    const to = Math.max(from + 1, Math.floor(((y + 1) * cells.length) / height));
    const { counts, flags } = countCells(cells, from, to);
    let x = left;
    for (const kind of order) {
      const count = counts[picture.kinds.indexOf(kind)] ?? 0;
      if (count === 0) continue;
      const next = x + (room * count) / (to - from);
      context.fillStyle = css(palette.kinds[kind]);
      context.fillRect(x, y, next - x, 1);
      x = next;
    }
    // A mark is higher than its row, or nobody would see it.
    const tall = Math.max(2, Math.round(3 * ratio));
    if ((flags & HAS_LEAK) !== 0) {
      context.fillStyle = css(palette.kinds.leaked);
      context.fillRect(0, y - 1, mark, tall);
    }
    if ((flags & HAS_DAMAGE) !== 0) {
      context.fillStyle = css(palette.kinds.damaged);
      context.fillRect(width - mark, y - 1, mark, tall);
    }
  }
}

/** The coarsest level with at least so many cells, or the finest. */
function levelFor(picture: Picture, cells: number): number {
  let level = picture.levels.length - 1;
  while (level > 0 && cellCount(picture, level) < cells) level -= 1;
  return Math.max(0, level);
}

function countCells(
  cells: Uint8Array,
  from: number,
  to: number,
): { counts: Uint32Array; flags: number } {
  const counts = new Uint32Array(KIND_MASK + 1);
  let flags = 0;
  for (let at = from; at < to; at++) {
    const cell = cells[at] ?? 0;
    const kind = cell & KIND_MASK;
    counts[kind] = (counts[kind] ?? 0) + 1;
    flags |= cell;
  }
  return { counts, flags };
}
