/** How a picture is laid out: rows of cells in reading order. Lengths are device pixels. */
import type { Picture } from '../worker/api.ts';
import { cellCount } from './map-cells.ts';

/** One step of the zoom: which cells, how many in a row, how large. */
export interface Zoom {
  level: number;
  /** Cells in a row: a power of two, so that the addresses of rows are round. */
  columns: number;
  /** Width and height of a cell with the gap behind it. */
  cell: number;
}

/** Room for cells. */
export interface Room {
  width: number;
  height: number;
  /** Device pixels in a CSS pixel. */
  ratio: number;
}

/** CSS pixels: smaller cells are hard to hit, larger ones are toys. */
const SMALLEST = 5;
const LARGEST = 48;
/** Where even the coarsest level is too much for the room. */
const TINIEST = 2;

/** CSS pixels: browsers do not make anything higher than some 17 million. */
const HIGHEST = 16_000_000;

/** Rows of a picture at a zoom. */
export function rowCount(picture: Picture, { level, columns }: Zoom): number {
  return Math.ceil(cellCount(picture, level) / columns);
}

/**
 * The steps of the zoom, from the whole picture at once to the finest. Each shows a quarter of the one
 * before. The whole is shown as finely as there is room for.
 */
export function zoomsOf(picture: Picture, room: Room): Zoom[] {
  const whole = wholeOf(picture, room);
  const zooms = [whole];
  let last = whole;
  while (last.level > 0) {
    last = { ...last, level: last.level - 1 };
    zooms.push(last);
  }
  while (last.columns > 1) {
    const next = { level: 0, columns: last.columns / 2, cell: last.cell * 2 };
    const isTooHigh = rowCount(picture, next) * next.cell > HIGHEST * room.ratio;
    if (next.cell > LARGEST * room.ratio || isTooHigh) break;
    zooms.push(next);
    last = next;
  }
  return zooms;
}

function wholeOf(picture: Picture, room: Room): Zoom {
  let base = columnsFor(room, SMALLEST);
  const fits = (zoom: Zoom): boolean => rowCount(picture, zoom) * zoom.cell <= room.height;
  const top = Math.max(0, picture.levels.length - 1);
  while (
    !fits(at(top, base, room)) &&
    Math.floor(room.width / (2 * base)) >= TINIEST * room.ratio
  ) {
    base *= 2;
  }
  let level = 0;
  while (level < top && !fits(at(level, base, room))) level += 1;
  let zoom = at(level, base, room);
  while (zoom.level === 0 && zoom.columns > 1) {
    const larger = { level: 0, columns: zoom.columns / 2, cell: zoom.cell * 2 };
    if (larger.cell > LARGEST * room.ratio || !fits(larger)) break;
    zoom = larger;
  }
  return zoom;
}

function at(level: number, columns: number, { width }: Room): Zoom {
  return { level, columns, cell: Math.max(1, Math.floor(width / columns)) };
}

/** The most cells in a row that are not smaller than that; a power of two. */
function columnsFor({ width, ratio }: Room, smallest: number): number {
  let columns = 1;
  while (Math.floor(width / (columns * 2)) >= smallest * ratio) columns *= 2;
  return columns;
}
