/** The map on the screen: what of a picture is seen, scrolling, zooming, what is below a point. */
import type { CellKind, Picture } from '../../worker/api.ts';
import { cellBytes, cellCount, type Span } from '../../app/map-cells.ts';
import { rowCount, zoomsOf, type Zoom } from '../../app/map-layout.ts';
import { gutterFor, NARROW_GUTTER, Painter } from './painter.ts';
import { onThemeChange, readPalette, type Palette } from './palette.ts';
import { paintStrip } from './strip.ts';

/** What the view draws on and scrolls in. */
export interface Parts {
  scroller: HTMLElement;
  /** Sticks to the top of the scroller and is as large as what is seen of it. */
  canvas: HTMLCanvasElement;
  /** Behind the canvas: makes the scroller as high as the picture. */
  spacer: HTMLElement;
  strip: HTMLCanvasElement;
  /** On the strip: what is seen now. */
  frame: HTMLElement;
  /** Takes colours on, for reading them. */
  probe: HTMLElement;
}

/** What is seen, for whoever shows it in words. */
export interface Seen {
  zoom: Zoom;
  /** Of the steps of the zoom, 0 for the whole picture. */
  step: number;
  steps: number;
  from: number;
  to: number;
}

/** CSS pixels. */
export interface Outer {
  width: number;
  /** At most. */
  height: number;
}

/** CSS pixels; the strip has its own distance in it. */
const STRIP = 32;
const NARROW = 440;

export class MapView {
  readonly #parts: Parts;
  readonly #painter: Painter;
  readonly #onseen: (seen: Seen) => void;
  #palette: Palette;
  #picture: Picture | undefined;
  #outer: Outer = { width: 0, height: 0 };
  #zooms: Zoom[] = [];
  #step = 0;
  #gutter = 0;
  #ratio = 1;
  #pending = 0;
  #stripOf: unknown[] = [];
  #stop: () => void;
  #highlight: CellKind | undefined;
  #selected: Span | undefined;
  #hovered: number | undefined;
  /** Milliseconds that the last frame took to draw: for measuring. */
  drawn = 0;

  constructor(parts: Parts, onseen: (seen: Seen) => void) {
    this.#parts = parts;
    this.#onseen = onseen;
    this.#palette = readPalette(parts.probe);
    this.#painter = new Painter(parts.canvas, this.#palette);
    const changed = (): void => this.#changeTheme();
    const scrolled = (): void => this.#schedule();
    const stopTheme = onThemeChange(changed);
    parts.scroller.addEventListener('scroll', scrolled, { passive: true });
    this.#stop = () => {
      stopTheme();
      parts.scroller.removeEventListener('scroll', scrolled);
      cancelAnimationFrame(this.#pending);
    };
  }

  /** Lets go of everything that it listens to. */
  end(): void {
    this.#stop();
  }

  /** Shows a picture in as much room as there is, from `step` of the zoom and `from` on. */
  show(picture: Picture, outer: Outer, step: number, from: number): void {
    this.#picture = picture;
    this.#outer = outer;
    this.#step = step;
    this.#layOut();
    this.#scrollTo(from, 0);
  }

  /** Another room, the same place. */
  resize(outer: Outer): void {
    if (this.#picture === undefined) return;
    const { from } = this.#span();
    const before = this.#zoom;
    this.#outer = outer;
    this.#layOut();
    this.#step = this.#step === 0 ? 0 : nearest(this.#zooms, before);
    this.#size();
    this.#scrollTo(from, 0);
  }

  set highlight(kind: CellKind | undefined) {
    this.#highlight = kind;
    this.#schedule();
  }

  set selected(span: Span | undefined) {
    this.#selected = span;
    this.#schedule();
  }

  /** The cell of the level that is shown, at a point of the canvas in CSS pixels. */
  cellAt(x: number, y: number): number | undefined {
    const picture = this.#picture;
    if (picture === undefined) return undefined;
    const { level, columns, cell } = this.#zoom;
    const column = Math.floor((x * this.#ratio - this.#gutter) / cell);
    const row = Math.floor((y * this.#ratio + this.#top) / cell);
    if (column < 0 || column >= columns || row < 0) return undefined;
    const index = row * columns + column;
    return index < cellCount(picture, level) ? index : undefined;
  }

  set hovered(index: number | undefined) {
    if (this.#hovered === index) return;
    this.#hovered = index;
    this.#schedule();
  }

  /** Cells in a row and rows that are seen whole. */
  get page(): { columns: number; rows: number } {
    const { columns, cell } = this.#zoom;
    const rows = Math.max(1, Math.floor(this.#parts.canvas.height / cell));
    return { columns, rows };
  }

  /** Goes to a step of the zoom; the address `at` stays where it is, or comes to the middle. */
  zoomTo(step: number, at?: { offset: number; y: number }): void {
    const next = Math.max(0, Math.min(this.#zooms.length - 1, step));
    if (next === this.#step) return;
    const anchor = at ?? this.#middle();
    this.#step = next;
    this.#hovered = undefined;
    this.#size();
    this.#scrollTo(anchor.offset, anchor.y);
  }

  /** Zooms one step at a point of the canvas. */
  zoomAt(y: number, direction: 1 | -1, index: number | undefined): void {
    const picture = this.#picture;
    if (picture === undefined) return;
    const offset = index === undefined ? undefined : index * cellBytes(picture, this.#zoom.level);
    const anchor = offset === undefined ? undefined : { offset, y };
    this.zoomTo(this.#step + direction, anchor);
  }

  /** Zooms one step, an address in the middle. */
  zoomInto(offset: number): void {
    this.zoomTo(this.#step + 1, { offset, y: this.#parts.canvas.clientHeight / 2 });
  }

  /** Scrolls so far that an address is seen. */
  reveal(offset: number): void {
    const { from, to } = this.#span();
    if (offset >= from && offset < to) {
      this.#schedule();
      return;
    }
    this.#scrollTo(offset, this.#parts.canvas.clientHeight / 2);
  }

  /** Scrolls to an address, and zooms in so far that a cell is as little as it can be. */
  focusOn(offset: number): void {
    const fine = this.#zooms.findIndex(({ level }) => level === 0);
    if (this.#zoom.level > 0 && fine >= 0) {
      this.zoomTo(fine, { offset, y: this.#parts.canvas.clientHeight / 2 });
    } else {
      this.reveal(offset);
    }
  }

  /** Brings an address, as a share of the whole, to the middle. */
  center(share: number): void {
    const picture = this.#picture;
    if (picture === undefined) return;
    const offset = Math.max(0, Math.min(1, share)) * picture.size;
    this.#scrollTo(offset, this.#parts.canvas.clientHeight / 2);
  }

  get #zoom(): Zoom {
    return this.#zooms[this.#step] ?? { level: 0, columns: 1, cell: 1 };
  }

  /** Device pixels above what is seen. */
  get #top(): number {
    return Math.round(this.#parts.scroller.scrollTop * this.#ratio);
  }

  #middle(): { offset: number; y: number } {
    const selected = this.#selected;
    const { from, to } = this.#span();
    const y = this.#parts.canvas.clientHeight / 2;
    const isSeen = selected !== undefined && selected.offset >= from && selected.offset < to;
    return { offset: isSeen ? selected.offset : (from + to) / 2, y };
  }

  /** The addresses that are seen. */
  #span(): { from: number; to: number } {
    const picture = this.#picture;
    if (picture === undefined) return { from: 0, to: 0 };
    const { level, columns, cell } = this.#zoom;
    const row = cellBytes(picture, level) * columns;
    const from = Math.floor(this.#top / cell) * row;
    const to = Math.ceil((this.#top + this.#parts.canvas.height) / cell) * row;
    return { from: Math.min(from, picture.size), to: Math.min(to, picture.size) };
  }

  #layOut(): void {
    const picture = this.#picture;
    if (picture === undefined) return;
    this.#ratio = devicePixelRatio;
    const { width, height } = this.#outer;
    const gutter = width < NARROW ? NARROW_GUTTER : gutterFor(picture, this.#palette.mono);
    this.#gutter = Math.round(gutter * this.#ratio);
    const room = {
      width: Math.floor((width - STRIP) * this.#ratio) - this.#gutter,
      height: Math.floor(height * this.#ratio),
      ratio: this.#ratio,
    };
    this.#zooms = zoomsOf(picture, room);
    this.#step = Math.min(this.#step, this.#zooms.length - 1);
    this.#size();
  }

  /** Gives everything its size. */
  #size(): void {
    const picture = this.#picture;
    if (picture === undefined) return;
    const { canvas, spacer, strip, scroller } = this.#parts;
    const ratio = this.#ratio;
    const zoom = this.#zoom;
    const content = rowCount(picture, zoom) * zoom.cell;
    const most = Math.floor(this.#outer.height * ratio);
    const high = Math.max(...this.#zooms.map((one) => rowCount(picture, one) * one.cell));
    // The whole picture leaves no room empty; the steps behind it share their height.
    const height = Math.min(most, this.#step === 0 ? content : high);
    resizeCanvas(canvas, this.#gutter + zoom.columns * zoom.cell, height, ratio);
    scroller.style.height = `${height / ratio}px`;
    spacer.style.height = `${Math.max(0, content - height) / ratio}px`;
    resizeCanvas(strip, Math.round((STRIP - 8) * ratio), height, ratio);
    this.#schedule();
  }

  /** Puts the row of an address at a distance of `y` CSS pixels from the top. */
  #scrollTo(offset: number, y: number): void {
    const picture = this.#picture;
    if (picture === undefined) return;
    const { level, columns, cell } = this.#zoom;
    const row = Math.floor(offset / (cellBytes(picture, level) * columns));
    const middle = y === 0 ? 0 : cell / 2;
    this.#parts.scroller.scrollTop = (row * cell + middle) / this.#ratio - y;
    this.#schedule();
  }

  #changeTheme(): void {
    this.#palette = readPalette(this.#parts.probe);
    this.#painter.use(this.#palette);
    this.#stripOf = [];
    this.#schedule();
  }

  #schedule(): void {
    if (this.#pending !== 0) return;
    this.#pending = requestAnimationFrame(() => {
      this.#pending = 0;
      this.#draw();
    });
  }

  #draw(): void {
    const picture = this.#picture;
    if (picture === undefined) return;
    const started = performance.now();
    this.#painter.paint({
      picture,
      zoom: this.#zoom,
      top: this.#top,
      ratio: this.#ratio,
      gutter: this.#gutter,
      highlight: this.#highlight,
      selected: this.#selected,
      hovered: this.#hovered,
    });
    this.#drawStrip(picture);
    this.drawn = performance.now() - started;
    const steps = this.#zooms.length;
    this.#onseen({ zoom: this.#zoom, step: this.#step, steps, ...this.#span() });
  }

  /** The strip only changes with the picture; what is seen of it moves. */
  #drawStrip(picture: Picture): void {
    const { strip, frame } = this.#parts;
    const of = [picture, strip.width, strip.height];
    if (of.some((one, index) => one !== this.#stripOf[index])) {
      paintStrip(strip, picture, this.#palette, this.#ratio);
      this.#stripOf = of;
    }
    const { from, to } = this.#span();
    const high = strip.clientHeight;
    const top = picture.size === 0 ? 0 : (from / picture.size) * high;
    const length = picture.size === 0 ? high : ((to - from) / picture.size) * high;
    const shown = Math.max(6, length);
    frame.style.top = `${Math.min(top, high - shown)}px`;
    frame.style.height = `${shown}px`;
    frame.hidden = to - from >= picture.size;
  }
}

/** The step whose cells stand for about as much on as much room. */
function nearest(zooms: Zoom[], { level, cell }: Zoom): number {
  const fineness = (zoom: Zoom): number => 2 * zoom.level - 2 * Math.log2(zoom.cell);
  const wanted = 2 * level - 2 * Math.log2(cell);
  let best = 0;
  for (const [index, zoom] of zooms.entries()) {
    const old = zooms[best];
    if (old === undefined) continue;
    if (Math.abs(fineness(zoom) - wanted) < Math.abs(fineness(old) - wanted)) best = index;
  }
  return best;
}

function resizeCanvas(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  ratio: number,
): void {
  // Setting a size clears the canvas, even when it is the same.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${width / ratio}px`;
  canvas.style.height = `${height / ratio}px`;
}
