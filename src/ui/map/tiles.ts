/** Cells drawn beforehand, one of each look, which a picture is made of. Device pixels. */
import type { CellKind } from '../../worker/api.ts';
import { HAS_DAMAGE, HAS_LEAK, KIND_MASK } from '../../app/map-cells.ts';
import { LOOKS, type Pattern } from '../../app/map-kinds.ts';
import { css, inkOn, mix, type Colour, type Palette } from './palette.ts';

/** CSS pixels of a cell without its gap from which on something fits on it. */
const PATTERN_FROM = 8;
const LETTER_FROM = 17;
const ROUND_FROM = 12;

/** What is dimmed keeps so much of its colour. */
const DIMMED = 0.8;
/** A table of tiles has all cells as they are, then all of them dimmed. */
export const DIM = 0x100;

export interface TileSize {
  /** Of a cell with the gap behind it. */
  cell: number;
  ratio: number;
}

/** Pixels of the gap between cells. */
export function gapOf({ cell, ratio }: TileSize): number {
  if (cell < 5 * ratio) return 0;
  return Math.max(1, Math.round(cell >= 24 * ratio ? 2 * ratio : ratio));
}

/** Draws a cell of a kind at a place of a canvas. */
export function drawCell(
  context: CanvasRenderingContext2D,
  palette: Palette,
  kind: CellKind,
  { cell, ratio }: TileSize,
  dim = false,
): void {
  const size = cell - gapOf({ cell, ratio });
  const faded = (colour: Colour): Colour => (dim ? mix(colour, palette.ground, DIMMED) : colour);
  const fill = faded(palette.kinds[kind]);
  const { letter, pattern } = LOOKS[kind];
  context.save();
  context.beginPath();
  if (size >= ROUND_FROM * ratio) context.roundRect(0, 0, size, size, 2 * ratio);
  else context.rect(0, 0, size, size);
  context.clip();
  context.fillStyle = css(fill);
  context.fillRect(0, 0, size, size);
  if (size >= PATTERN_FROM * ratio) {
    const ink = faded(patternInk(palette, kind));
    drawPattern(context, pattern, size, ratio, css(ink));
  }
  if (letter !== '' && size >= LETTER_FROM * ratio) {
    drawLetter(context, letter, size, ratio, fill, css(faded(inkOn(palette.kinds[kind]))));
  }
  context.restore();
}

/** Patterns that say that something is wrong are strong; where nothing is, they are hardly there. */
function patternInk(palette: Palette, kind: CellKind): Colour {
  const fill = palette.kinds[kind];
  if (kind === 'compressed') return mix(fill, palette.kinds.data, 0.85);
  if (LOOKS[kind].pattern === 'ring') return mix(fill, inkOn(fill), 0.2);
  const isStrong = kind === 'damaged' || kind === 'leaked' || kind === 'unknown';
  return mix(fill, inkOn(fill), isStrong ? 0.85 : 0.4);
}

function drawPattern(
  context: CanvasRenderingContext2D,
  pattern: Pattern,
  size: number,
  ratio: number,
  ink: string,
): void {
  const width = Math.max(1, Math.round(ratio));
  const step = Math.max(3 * width, Math.round(size / 4));
  context.strokeStyle = ink;
  context.fillStyle = ink;
  context.lineWidth = width;
  context.beginPath();
  switch (pattern) {
    case 'plain':
      break;
    case 'rising':
    case 'falling':
      for (let at = -size; at < 2 * size; at += step) {
        const [from, to] = pattern === 'rising' ? [size, 0] : [0, size];
        context.moveTo(at, from);
        context.lineTo(at + size, to);
      }
      break;
    case 'upright':
      for (let at = step; at < size; at += step) context.rect(at, 0, width, size);
      break;
    case 'level':
      for (let at = step; at < size; at += step) context.rect(0, at, size, width);
      break;
    case 'dots':
      for (let y = step / 2; y < size; y += step) {
        for (let x = step / 2; x < size; x += step) context.rect(x, y, width, width);
      }
      break;
    case 'frame':
      context.rect(width, width, size - 2 * width, size - 2 * width);
      break;
    case 'ring':
      context.rect(width / 2, width / 2, size - width, size - width);
      break;
    case 'cross':
      context.moveTo(0, 0);
      context.lineTo(size, size);
      context.moveTo(size, 0);
      context.lineTo(0, size);
      break;
  }
  if (pattern === 'dots' || pattern === 'upright' || pattern === 'level') context.fill();
  else context.stroke();
}

function drawLetter(
  context: CanvasRenderingContext2D,
  letter: string,
  size: number,
  ratio: number,
  plate: Colour,
  ink: string,
): void {
  const height = Math.min(size * 0.5, 15 * ratio);
  context.font = `600 ${height}px system-ui, sans-serif`;
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  const box = context.measureText(letter);
  const up = box.actualBoundingBoxAscent;
  const down = box.actualBoundingBoxDescent;
  const pad = height * 0.22;
  const middle = size / 2;
  // The letter stands on the plain colour: no pattern runs through it.
  context.fillStyle = css(plate);
  context.fillRect(
    middle - box.width / 2 - pad,
    middle - (up + down) / 2 - pad,
    box.width + 2 * pad,
    up + down + 2 * pad,
  );
  context.fillStyle = ink;
  context.fillText(letter, middle, middle + (up - down) / 2);
}

/** Tiles of one size and palette, made when they are first needed, each to be repeated. */
export class Tiles {
  readonly size: TileSize;
  readonly #palette: Palette;
  readonly #kinds: readonly CellKind[];
  readonly #made: (CanvasPattern | undefined)[] = new Array<undefined>(2 * DIM).fill(undefined);

  constructor(palette: Palette, kinds: readonly CellKind[], size: TileSize) {
    this.size = size;
    this.#palette = palette;
    this.#kinds = kinds;
  }

  /** Whether a cell is too small for more than its colour. */
  get isPlain(): boolean {
    return this.size.cell - gapOf(this.size) < PATTERN_FROM * this.size.ratio;
  }

  /** What fills cells of a code; with {@link DIM} the same, dimmed. Begins where a cell does. */
  tile(code: number): CanvasPattern {
    const known = this.#made[code];
    if (known !== undefined) return known;
    const made = this.#draw(code);
    this.#made[code] = made;
    return made;
  }

  /** The colour of a cell of a code, as {@link Tiles.tile} takes it. */
  colour(code: number): Colour {
    const kind = this.#kinds[code & KIND_MASK];
    if (kind === undefined) return this.#palette.ground;
    const colour = this.#palette.kinds[kind];
    return (code & DIM) === 0 ? colour : mix(colour, this.#palette.ground, DIMMED);
  }

  /** Only the gaps of a cell; undefined: there are none. */
  gaps(): CanvasPattern | undefined {
    const { cell } = this.size;
    const gap = gapOf(this.size);
    if (gap === 0) return undefined;
    const context = this.#context();
    context.fillStyle = css(this.#palette.ground);
    context.fillRect(cell - gap, 0, gap, cell);
    context.fillRect(0, cell - gap, cell, gap);
    return repeated(context);
  }

  #context(): CanvasRenderingContext2D {
    const canvas = document.createElement('canvas');
    canvas.width = this.size.cell;
    canvas.height = this.size.cell;
    return contextOf(canvas);
  }

  #draw(code: number): CanvasPattern {
    const { cell } = this.size;
    const context = this.#context();
    context.fillStyle = css(this.#palette.ground);
    context.fillRect(0, 0, cell, cell);
    const kind = this.#kinds[code & KIND_MASK];
    if (kind !== undefined) {
      drawCell(context, this.#palette, kind, this.size, (code & DIM) !== 0);
      const also: CellKind[] = [];
      if ((code & HAS_DAMAGE) !== 0 && kind !== 'damaged') also.push('damaged');
      if ((code & HAS_LEAK) !== 0 && kind !== 'leaked') also.push('leaked');
      this.#ring(context, also);
    }
    return repeated(context);
  }

  /** What else is in the cell stands around it: seen at every size. */
  #ring(context: CanvasRenderingContext2D, kinds: CellKind[]): void {
    const { cell, ratio } = this.size;
    const size = cell - gapOf(this.size);
    const width = Math.max(1, Math.min(Math.round(3 * ratio), Math.round(size / 5)));
    for (const [index, kind] of kinds.entries()) {
      context.strokeStyle = css(this.#palette.kinds[kind]);
      context.lineWidth = width;
      const inset = width * (index + 0.5);
      context.strokeRect(inset, inset, size - 2 * inset, size - 2 * inset);
    }
  }
}

function repeated(context: CanvasRenderingContext2D): CanvasPattern {
  const pattern = context.createPattern(context.canvas, 'repeat');
  if (pattern === null) throw new Error('no pattern');
  return pattern;
}

/** @throws where the browser has no canvas at all */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('no canvas');
  return context;
}
