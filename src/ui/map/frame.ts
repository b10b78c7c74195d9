/** Copies tiles into a picture: the only loop over pixels. */
import { DIM, type Tiles } from './tiles.ts';

/** Rows of a tile that are longer than this are copied at once. */
const LARGE = 16;

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
    for (let row = 0, at = first; row < rows && at < cells.length; row++) {
      const end = Math.min(at + columns, cells.length);
      let to = row * cell * width;
      for (; at < end; at++, to += cell) {
        const code = cells[at] ?? 0;
        put(pixels, to, width, tiles.tile(isDim?.[code] === 1 ? code | DIM : code), cell);
      }
    }
  }
}

function put(
  pixels: Uint32Array,
  at: number,
  width: number,
  tile: Uint32Array,
  cell: number,
): void {
  let to = at;
  if (cell > LARGE) {
    for (let from = 0; from < tile.length; from += cell, to += width) {
      pixels.set(tile.subarray(from, from + cell), to);
    }
    return;
  }
  for (let from = 0; from < tile.length; to += width - cell) {
    for (const end = from + cell; from < end;) pixels[to++] = tile[from++] ?? 0;
  }
}

/** A colour as one pixel of an ImageData. */
export function pixelOf([red, green, blue]: readonly [number, number, number]): number {
  const bytes = new Uint8Array([red, green, blue, 255]);
  return new Uint32Array(bytes.buffer)[0] ?? 0;
}
