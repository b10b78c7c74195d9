/** Fills a window with cells. Device pixels. */
import { HAS_DAMAGE, HAS_LEAK } from '../../app/map-cells.ts';
import type { Colour } from './palette.ts';
import { contextOf, DIM, type Tiles } from './tiles.ts';

/** Cells in rows: a part of a level of a picture. */
export interface Rows {
  cells: Uint8Array;
  /** The first cell of the first row. */
  first: number;
  columns: number;
  /** At most so many rows. */
  rows: number;
  /** By the code of a cell whether it is dimmed; undefined: none is. */
  isDim: Uint8Array | undefined;
}

/**
 * Draws rows of cells with tiles of one size. What a frame takes does not depend on the picture:
 * small cells are drawn as one image that is stretched, of large ones there is only room for some
 * thousand, and neighbours that look the same are filled at once.
 */
export class Frame {
  readonly #tiles: Tiles;
  readonly #gaps: CanvasPattern | undefined;
  /** By the code of a cell, as a pixel of an ImageData. */
  readonly #colours = new Uint32Array(2 * DIM);
  readonly #small: CanvasRenderingContext2D;
  #image: ImageData | undefined;

  constructor(tiles: Tiles) {
    this.#tiles = tiles;
    this.#gaps = tiles.gaps();
    this.#small = contextOf(document.createElement('canvas'));
    for (let code = 0; code < 2 * DIM; code++) this.#colours[code] = pixelOf(tiles.colour(code));
  }

  /** Draws with the upper left corner of the first row at a place of the canvas. */
  draw(context: CanvasRenderingContext2D, x: number, y: number, rows: Rows): void {
    context.save();
    context.translate(x, y);
    if (this.#tiles.isPlain) this.#drawSmall(context, rows);
    else this.#drawLarge(context, rows, 0);
    context.restore();
  }

  #drawSmall(context: CanvasRenderingContext2D, given: Rows): void {
    const { cells, first, columns, rows, isDim } = given;
    const { cell } = this.#tiles.size;
    const image = this.#imageOf(columns, rows);
    const pixels = new Uint32Array(image.data.buffer);
    pixels.fill(0);
    const shown = Math.min(pixels.length, cells.length - first);
    let flags = 0;
    for (let at = 0; at < shown; at++) {
      const code = cells[first + at] ?? 0;
      flags |= code;
      pixels[at] = this.#colours[isDim?.[code] === 1 ? code | DIM : code] ?? 0;
    }
    this.#small.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#small.canvas, 0, 0, columns * cell, rows * cell);
    if (this.#gaps !== undefined) {
      context.fillStyle = this.#gaps;
      context.fillRect(0, 0, columns * cell, rows * cell);
    }
    // Cells with faults have more than a colour, at every size.
    if ((flags & (HAS_LEAK | HAS_DAMAGE)) !== 0) {
      this.#drawLarge(context, given, HAS_LEAK | HAS_DAMAGE);
    }
  }

  /** Draws runs of cells that look the same; with `flags` only those that have one of them. */
  #drawLarge(context: CanvasRenderingContext2D, given: Rows, flags: number): void {
    const { cells, first, columns, rows, isDim } = given;
    const { cell } = this.#tiles.size;
    for (let row = 0; row < rows; row++) {
      const start = first + row * columns;
      const end = Math.min(start + columns, cells.length);
      for (let at = start; at < end;) {
        const code = cells[at] ?? 0;
        const from = at;
        while (at < end && cells[at] === code) at += 1;
        if (flags !== 0 && (code & flags) === 0) continue;
        context.fillStyle = this.#tiles.tile(isDim?.[code] === 1 ? code | DIM : code);
        context.fillRect((from - start) * cell, row * cell, (at - from) * cell, cell);
      }
    }
  }

  #imageOf(width: number, height: number): ImageData {
    const known = this.#image;
    if (known?.width === width && known.height === height) return known;
    this.#small.canvas.width = width;
    this.#small.canvas.height = height;
    this.#image = new ImageData(width, height);
    return this.#image;
  }
}

function pixelOf([red, green, blue]: Colour): number {
  const bytes = new Uint8Array([red, green, blue, 255]);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}
