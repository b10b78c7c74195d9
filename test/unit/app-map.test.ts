import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cellCount,
  findNext,
  flagOf,
  indexAt,
  otherSide,
  sharesOf,
  spanOf,
  sumsOf,
} from '../../src/app/map-cells.ts';
import { KIND_ORDER } from '../../src/app/map-kinds.ts';
import { rowCount, zoomsOf } from '../../src/app/map-layout.ts';
import { enMap } from '../../src/app/text/en-map.ts';
import { zhMap } from '../../src/app/text/zh-CN-map.ts';
import type { Place } from '../../src/worker/api.ts';
import { pictureOf, randomPicture } from '../images/pictures.ts';

const cells = (...given: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(given);

describe('cells', () => {
  it('know their bytes, the last one only those that are there', () => {
    const picture = { ...pictureOf(cells(0, 1, 2)), size: 2 * 65536 + 512 };
    expect(spanOf(picture, 0, 1)).toEqual({ offset: 65536, length: 65536 });
    expect(spanOf(picture, 0, 2)).toEqual({ offset: 131072, length: 512 });
    expect(indexAt(picture, 131072 + 511)).toBe(2);
    expect(indexAt(picture, 2 ** 50)).toBe(2);
  });

  it('add up to what a stretch is made of', () => {
    const picture = { ...pictureOf(cells(2, 2, 3, 2)), size: 3 * 65536 + 512 };
    expect(sharesOf(picture, { offset: 65536, length: 3 * 65536 })).toEqual([
      { kind: 'data', bytes: 65536 + 512 },
      { kind: 'compressed', bytes: 65536 },
    ]);
    expect(sumsOf(pictureOf(cells(2, 2, 3)))).toEqual([
      { kind: 'data', bytes: 2 * 65536 },
      { kind: 'compressed', bytes: 65536 },
    ]);
  });
});

describe('looking for a kind', () => {
  it('finds each fault, in both directions, and goes round', () => {
    const picture = pictureOf(cells(2, 5, 5, 2, 6, 2, 5));
    expect(findNext(picture, 'leaked', undefined, 1)).toBe(1);
    expect(findNext(picture, 'leaked', 1, 1)).toBe(2);
    expect(findNext(picture, 'leaked', 2, 1)).toBe(6);
    expect(findNext(picture, 'leaked', 6, 1)).toBe(1);
    expect(findNext(picture, 'leaked', 1, -1)).toBe(6);
    expect(findNext(picture, 'damaged', 0, 1)).toBe(4);
    expect(findNext(picture, 'damaged', 4, -1)).toBe(4);
  });

  it('goes by runs where a kind is content', () => {
    const picture = pictureOf(cells(2, 2, 3, 2, 2));
    expect(findNext(picture, 'data', undefined, 1)).toBe(0);
    expect(findNext(picture, 'data', 0, 1)).toBe(3);
    expect(findNext(picture, 'data', 4, -1)).toBe(1);
    expect(findNext(picture, 'data', 3, 1)).toBe(0);
    expect(findNext(picture, 'header', 0, 1)).toBeUndefined();
  });

  it('finds by the coarse levels what a walk over the finest finds', () => {
    const sizes = fc.integer({ min: 1, max: 70_000 });
    fc.assert(
      fc.property(sizes, fc.nat(), fc.constantFrom(1, -1), (count, seed, step) => {
        const picture = randomPicture(count, seed);
        const finest = picture.levels[0] ?? cells();
        const at = seed % count;
        let walked = at;
        for (let left = count; left > 0; left--) {
          walked = (walked + step + count) % count;
          if (((finest[walked] ?? 0) & flagOf('leaked')) !== 0) break;
        }
        const isThere = ((finest[walked] ?? 0) & flagOf('leaked')) !== 0;
        expect(findNext(picture, 'leaked', at, step)).toBe(isThere ? walked : undefined);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the steps of the zoom', () => {
  const room = { width: 1500, height: 1000, ratio: 2 };

  it('begin with all of the picture and end with single clusters, a quarter at a time', () => {
    const picture = randomPicture(1_000_000);
    const zooms = zoomsOf(picture, room);
    const [whole] = zooms;
    if (whole === undefined) throw new Error('no zoom');
    expect(rowCount(picture, whole) * whole.cell).toBeLessThanOrEqual(room.height);
    expect(zooms.at(-1)?.level).toBe(0);
    expect(zooms.at(-1)?.cell).toBeGreaterThanOrEqual(24 * room.ratio);
    for (const [index, zoom] of zooms.entries()) {
      expect(zoom.columns * zoom.cell).toBeLessThanOrEqual(room.width);
      expect(Math.log2(zoom.columns) % 1).toBe(0);
      const next = zooms[index + 1];
      if (next === undefined) continue;
      const onScreen = (one: typeof zoom): number => 4 ** one.level / one.cell ** 2;
      expect(onScreen(zoom) / onScreen(next)).toBeCloseTo(4);
    }
  });

  it('fit any picture into any room', () => {
    const anyRoom = fc.record({
      width: fc.integer({ min: 40, max: 4000 }),
      height: fc.integer({ min: 100, max: 3000 }),
      ratio: fc.constantFrom(1, 1.25, 2, 3),
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), anyRoom, (count, given) => {
        const picture = pictureOf(new Uint8Array(count));
        for (const zoom of zoomsOf(picture, given)) {
          expect(zoom.cell).toBeGreaterThan(0);
          expect(zoom.cell).toBeLessThanOrEqual(48 * given.ratio);
          expect(cellCount(picture, zoom.level)).toBeGreaterThan(0);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('make no toys of the cells of a small file', () => {
    const [whole, ...finer] = zoomsOf(pictureOf(new Uint8Array(24)), room);
    expect(whole?.cell).toBeLessThanOrEqual(96);
    expect(whole?.cell).toBeGreaterThan(48);
    expect(finer).toEqual([]);
  });
});

describe('the other side of a place', () => {
  const place: Place = {
    space: 'guest',
    offset: 0x10000,
    length: 0x10000,
    kind: 'data',
    uses: [],
    moreUses: false,
    refcount: undefined,
    node: undefined,
  };
  const use = { guestOffset: 0x10000, snapshot: '', entry: undefined, node: undefined };

  it('is in this file only where this file has the bytes', () => {
    const own = { ...place, uses: [{ ...use, fileOffset: 0x50000, layer: '' }] };
    expect(otherSide(own, 'file')).toEqual({ space: 'file', offset: 0x50000, length: 0x10000 });
    const below = { ...place, uses: [{ ...use, fileOffset: 0x50000, layer: 'backing' }] };
    expect(otherSide(below, 'file')).toBeUndefined();
    expect(otherSide(own, 'guest')).toBeUndefined();
    expect(otherSide(place, 'file')).toBeUndefined();
  });
});

describe('the texts of the map', () => {
  it('name and explain every kind', () => {
    for (const text of [enMap, zhMap]) {
      for (const kind of KIND_ORDER) {
        expect(text.kinds[kind].name.length, kind).toBeGreaterThan(0);
        expect(text.kinds[kind].note.length, kind).toBeGreaterThan(5);
      }
      const names = KIND_ORDER.map((kind) => text.kinds[kind].name);
      expect(new Set(names).size).toBe(names.length);
    }
  });
});
