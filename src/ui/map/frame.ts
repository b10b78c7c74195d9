/** Copies tiles into a picture: the only loop over pixels. */
import { DIM, type Tiles } from './tiles.ts';

/** Pixels of some rows of cells, kept from one frame to the next. */
export class Frame {
  readonly image: ImageData;
  readonly #pixels: Uint32Array;
  readonly #ground: number;

  constructor(width: number, height: number, ground: number) {
    this.image = new ImageData(Math.max(1, width), Math.max(1, height));
    this.#pixels = new Uint32Array(this.image.data.buffer);
    this.#ground = ground;
  }

  /**
   * Draws cells in rows of `columns`, from the cell `first` on, as many rows as there is room for.
   * `isDim` says by the code of a cell whether it is dimmed.
   */
  draw(
    cells: Uint8Array,
    first: number,
    columns: number,
    tiles: Tiles,
    isDim: Uint8Array | undefined,
  ): void {
    const { width, height } = this.image;
    const pixels = this.#pixels;
    const { cell } = tiles;
    const rows = Math.floor(height / cell);
    pixels.fill(this.#ground);
    const shown = Math.min(rows * columns, cells.length - first);
    for (let at = 0; at < shown; at++) {
      const code = cells[first + at] ?? 0;
      const tile = tiles.tile(isDim?.[code] === 1 ? code | DIM : code);
      let to = Math.floor(at / columns) * cell * width + (at % columns) * cell;
      if (cell > 16) {
        for (let y = 0; y < cell; y++, to += width) {
          pixels.set(tile.subarray(y * cell, y * cell + cell), to);
        }
        continue;
      }
      let from = 0;
      for (let y = 0; y < cell; y++, to += width) {
        for (let x = 0; x < cell; x++) pixels[to + x] = tile[from++] ?? 0;
      }
    }
  }
}

/** A colour as one pixel of an ImageData. */
export function pixelOf([red, green, blue]: readonly [number, number, number]): number {
  const bytes = new Uint8Array([red, green, blue, 255]);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}
