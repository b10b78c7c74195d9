import { describe, expect, it } from 'vitest';
import { zoomsOf } from '../../src/app/map-layout.ts';
import { KIND_ORDER } from '../../src/app/map-kinds.ts';
import { Painter } from '../../src/ui/map/painter.ts';
import { luminance, readPalette, type Colour } from '../../src/ui/map/palette.ts';
import '../../src/ui/style/tokens.css';
import { pictureOf, randomPicture } from '../images/pictures.ts';

const RATIO = 1;
const ROOM = { width: 900, height: 700, ratio: RATIO };

function canvasOf(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  document.body.append(canvas);
  return canvas;
}

function pixel(canvas: HTMLCanvasElement, x: number, y: number): number[] {
  return [...(canvas.getContext('2d')?.getImageData(x, y, 1, 1).data ?? [])].slice(0, 3);
}

function contrast(one: Colour, other: Colour): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const still = { highlight: undefined, selected: undefined, hovered: undefined };

describe('the map', () => {
  it('has a colour of its own for every kind that a file or a disk can be beside', () => {
    const palette = readPalette(document.body);
    const together = KIND_ORDER.filter((kind) => !['unallocated', 'free'].includes(kind));
    const colours = together.map((kind) => palette.kinds[kind].join());
    expect(new Set(colours).size).toBe(together.length);
    document.body.style.color = '';
  });

  it.each(['light', 'dark'])('tells what is there from what is not: %s', (theme) => {
    document.documentElement.style.colorScheme = theme;
    const palette = readPalette(document.body);
    const nothing = ['free', 'unallocated', 'zero'];
    for (const kind of KIND_ORDER.filter((one) => !nothing.includes(one))) {
      for (const ground of [palette.ground, palette.kinds.free]) {
        expect(contrast(palette.kinds[kind], ground), kind).toBeGreaterThanOrEqual(3);
      }
    }
    document.documentElement.style.colorScheme = '';
  });

  it('shows each cell in the colour of its kind, in its place', () => {
    const palette = readPalette(document.body);
    const picture = pictureOf(new Uint8Array([2, 2, 4, 2, 4, 2]));
    const canvas = canvasOf(10 + 4 * 6, 12);
    const zoom = { level: 0, columns: 4, cell: 6 };
    const scene = { picture, zoom, top: 0, ratio: 1, gutter: 10, ...still };
    new Painter(canvas, palette).paint(scene);
    const { data, free } = palette.kinds;
    const colours = [0, 1, 2, 3].map((column) => pixel(canvas, 10 + column * 6 + 2, 2));
    expect(colours).toEqual([data, data, free, data]);
    expect([0, 1].map((column) => pixel(canvas, 10 + column * 6 + 2, 8))).toEqual([free, data]);
    expect(pixel(canvas, 10 + 2 * 6 + 2, 8)).toEqual(palette.ground);
  });

  it('never hides a fault in a coarse cell', () => {
    const palette = readPalette(document.body);
    const cells = new Uint8Array(20_000).fill(2);
    cells[9_999] = 6;
    const picture = pictureOf(cells);
    const index = Math.floor(9_999 / 4);
    const canvas = canvasOf(10 + 64 * 5, 200);
    const zoom = { level: 1, columns: 64, cell: 5 };
    const scene = { picture, zoom, top: 0, ratio: 1, gutter: 10, ...still };
    new Painter(canvas, palette).paint(scene);
    const [x, y] = [10 + (index % 64) * 5, Math.floor(index / 64) * 5];
    expect(pixel(canvas, x, y)).toEqual(palette.kinds.damaged);
    expect(pixel(canvas, x + 1, y + 1)).toEqual(palette.kinds.data);
    expect(pixel(canvas, x - 5, y)).toEqual(palette.kinds.data);
  });

  it('draws any window of ten million cells within a frame', () => {
    const picture = randomPicture(10_000_000);
    const canvas = canvasOf(ROOM.width, ROOM.height);
    const painter = new Painter(canvas, readPalette(document.body));
    const best = zoomsOf(picture, ROOM).map((zoom) => {
      const times = Array.from({ length: 15 }, (_, frame) => {
        const started = performance.now();
        painter.paint({ picture, zoom, top: frame * 37, ratio: RATIO, gutter: 80, ...still });
        // What is drawn is only done when it is read.
        pixel(canvas, 100, 100);
        return performance.now() - started;
      });
      // What else the machine does at the same time is not what is measured.
      return Math.min(...times);
    });
    expect(best.length).toBeGreaterThan(5);
    expect(Math.max(...best), String(best)).toBeLessThan(16);
  });
});
