/** Draws a window of a picture: cells, addresses, marks, what is selected. Device pixels. */
import type { CellKind, Picture } from '../../worker/api.ts';
import {
  cellBytes,
  cellCount,
  flagOf,
  HAS_DAMAGE,
  HAS_LEAK,
  KIND_MASK,
  type Span,
} from '../../app/map-cells.ts';
import type { Zoom } from '../../app/map-layout.ts';
import { hex } from '../../app/units.ts';
import { Frame } from './frame.ts';
import { css, type Colour, type Palette } from './palette.ts';
import { contextOf, gapOf, Tiles } from './tiles.ts';

/** What a frame shows. */
export interface Scene {
  picture: Picture;
  zoom: Zoom;
  /** Of the first row that is seen. */
  top: number;
  ratio: number;
  /** Room for addresses, left of the cells; too little for them: only marks. */
  gutter: number;
  /** The only kind that is not dimmed. */
  highlight: CellKind | undefined;
  selected: Span | undefined;
  /** A cell of the level that is shown. */
  hovered: number | undefined;
}

/** CSS pixels. */
const LABEL_SIZE = 11;
const LABEL_APART = 24;
const MARK_WIDTH = 3;
const MARK_GAP = 5;

/** Room for the addresses of a picture, in CSS pixels. */
export function gutterFor(picture: Picture, mono: string): number {
  const context = contextOf(document.createElement('canvas'));
  context.font = `${LABEL_SIZE}px ${mono}`;
  return Math.ceil(context.measureText(hex(picture.size)).width) + 2 * MARK_GAP + MARK_WIDTH + 4;
}

/** CSS pixels of a gutter without addresses. */
export const NARROW_GUTTER = MARK_WIDTH + 2 * MARK_GAP;

export class Painter {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #palette: Palette;
  #frame: Frame | undefined;
  #frameOf = '';

  constructor(canvas: HTMLCanvasElement, palette: Palette) {
    this.#canvas = canvas;
    this.#context = contextOf(canvas);
    this.#palette = palette;
  }

  /** Another theme: everything is drawn anew. */
  use(palette: Palette): void {
    this.#palette = palette;
    this.#frame = undefined;
  }

  /** Draws all of the canvas, whose size says how much is seen. */
  paint(scene: Scene): void {
    const { zoom, gutter, top } = scene;
    const { width, height } = this.#canvas;
    const context = this.#context;
    const rows = Math.ceil(height / zoom.cell) + 1;
    const firstRow = Math.floor(top / zoom.cell);
    const cells = scene.picture.levels[zoom.level] ?? new Uint8Array();
    context.fillStyle = css(this.#palette.ground);
    context.fillRect(0, 0, width, height);
    this.#frameFor(scene).draw(context, gutter, firstRow * zoom.cell - top, {
      cells,
      first: firstRow * zoom.columns,
      columns: zoom.columns,
      rows,
      isDim: dimmed(scene),
    });
    this.#gutter(scene, firstRow, rows);
    if (scene.selected !== undefined) this.#select(scene, scene.selected);
    if (scene.hovered !== undefined) {
      this.#outline(scene, scene.hovered, scene.hovered, this.#palette.ink, 1);
    }
  }

  /** Tiles serve until their size or the theme changes. */
  #frameFor({ picture, zoom, ratio }: Scene): Frame {
    const of = `${zoom.cell} ${ratio} ${picture.kinds.join()}`;
    if (this.#frame === undefined || this.#frameOf !== of) {
      this.#frame = new Frame(new Tiles(this.#palette, picture.kinds, { cell: zoom.cell, ratio }));
      this.#frameOf = of;
    }
    return this.#frame;
  }

  /** Addresses of rows, a mark at rows with faults, an arrow at what is selected. */
  #gutter(scene: Scene, firstRow: number, rows: number): void {
    const { picture, zoom, ratio, gutter, top } = scene;
    const context = this.#context;
    const cells = picture.levels[zoom.level] ?? new Uint8Array();
    const rowBytes = cellBytes(picture, zoom.level) * zoom.columns;
    const last = Math.ceil(cells.length / zoom.columns);
    const hasLabels = gutter > (NARROW_GUTTER + 4) * ratio;
    let step = 1;
    while (step * zoom.cell < LABEL_APART * ratio) step *= 2;
    context.font = `${LABEL_SIZE * ratio}px ${this.#palette.mono}`;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const edge = gutter - (MARK_WIDTH + 2 * MARK_GAP) * ratio;
    const half = (zoom.cell - gapOf({ cell: zoom.cell, ratio })) / 2;
    for (let row = firstRow; row < Math.min(firstRow + rows, last); row++) {
      const y = row * zoom.cell - top;
      this.#mark(scene, cells, row, y);
      if (!hasLabels || row % step !== 0) continue;
      context.fillStyle = css(this.#palette.faint);
      // The first label is seen whole, however small its row is.
      context.fillText(hex(row * rowBytes), edge, Math.max(y + half, 7 * ratio));
    }
    if (scene.selected === undefined) return;
    const index = Math.floor(scene.selected.offset / cellBytes(picture, zoom.level));
    const middle = Math.floor(index / zoom.columns) * zoom.cell - top + half;
    context.fillStyle = css(this.#palette.accent);
    context.beginPath();
    context.moveTo(gutter - 2 * ratio, middle);
    context.lineTo(gutter - 7 * ratio, middle - 4 * ratio);
    context.lineTo(gutter - 7 * ratio, middle + 4 * ratio);
    context.fill();
  }

  #mark({ zoom, ratio, gutter }: Scene, cells: Uint8Array, row: number, y: number): void {
    let flags = 0;
    const end = Math.min(cells.length, (row + 1) * zoom.columns);
    for (let at = row * zoom.columns; at < end; at++) flags |= cells[at] ?? 0;
    if ((flags & (HAS_LEAK | HAS_DAMAGE)) === 0) return;
    const kind = (flags & HAS_DAMAGE) === 0 ? 'leaked' : 'damaged';
    this.#context.fillStyle = css(this.#palette.kinds[kind]);
    const x = gutter - (MARK_WIDTH + MARK_GAP) * ratio;
    this.#context.fillRect(x, y, MARK_WIDTH * ratio, Math.max(zoom.cell - ratio, 3 * ratio));
  }

  #select(scene: Scene, { offset, length }: Span): void {
    const size = cellBytes(scene.picture, scene.zoom.level);
    const most = cellCount(scene.picture, scene.zoom.level) - 1;
    const first = Math.min(most, Math.floor(offset / size));
    const last = Math.min(most, Math.floor((offset + Math.max(1, length) - 1) / size));
    this.#outline(scene, first, last, this.#palette.accent, 2);
  }

  /** A line around cells that follow each other, in two tones: it is seen on every ground. */
  #outline(scene: Scene, first: number, last: number, colour: Colour, weight: number): void {
    const { zoom, ratio, gutter, top } = scene;
    const { cell, columns } = zoom;
    const gap = gapOf({ cell, ratio });
    const [left, right] = [gutter, gutter + columns * cell - gap];
    const xOf = (index: number): number => gutter + (index % columns) * cell;
    const yOf = (index: number): number => Math.floor(index / columns) * cell - top;
    const [from, to] = [xOf(first), xOf(last) + cell - gap];
    const [start, end] = [yOf(first), yOf(last) + cell - gap];
    const context = this.#context;
    context.beginPath();
    if (yOf(first) === yOf(last)) {
      context.rect(from, start, to - from, end - start);
    } else {
      const points: [number, number][] = [
        [from, start],
        [right, start],
        [right, yOf(last) - gap],
        [to, yOf(last) - gap],
        [to, end],
        [left, end],
        [left, start + cell],
        [from, start + cell],
      ];
      for (const [x, y] of points) context.lineTo(x, y);
      context.closePath();
    }
    context.lineJoin = 'round';
    context.lineWidth = (weight + 2) * ratio;
    context.strokeStyle = css(this.#palette.ground);
    context.stroke();
    context.lineWidth = weight * ratio;
    context.strokeStyle = css(colour);
    context.stroke();
  }
}

/** For each code of a cell whether it stands back; undefined: none does. */
function dimmed({ picture, highlight }: Scene): Uint8Array | undefined {
  if (highlight === undefined) return undefined;
  const flag = flagOf(highlight);
  return Uint8Array.from({ length: 256 }, (_, code) => {
    const isIt = picture.kinds[code & KIND_MASK] === highlight || (code & flag) !== 0;
    return isIt ? 0 : 1;
  });
}
