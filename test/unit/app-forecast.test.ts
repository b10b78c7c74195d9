import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineFacts, ImageInfo } from '../../src/worker/api.ts';

vi.hoisted(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    clear: () => kept.clear(),
  });
});

const { Speeds } = await import('../../src/app/speeds.ts');
const { forecastConvert } = await import('../../src/app/forecast.ts');
const { suggestWhere } = await import('../../src/app/target.ts');

const GIB = 2 ** 30;

/** A raw disk: all that is asked of it is its size. */
function disk(size: number): ImageInfo {
  const info: Partial<ImageInfo> = { format: 'raw', virtualSize: size, fileSize: size };
  return info as ImageInfo;
}

beforeEach(() => localStorage.clear());

describe('where a result better goes', () => {
  const facts = { privateStorage: true, privateStorageInMemory: false } as EngineFacts;

  it('small ones to a place, large ones by the way that is sooner at its end', () => {
    expect(suggestWhere(disk(GIB / 16), facts, true)).toBe('place');
    expect(suggestWhere(disk(GIB), facts, true)).toBe('browser');
    expect(suggestWhere(disk(4 * GIB), facts, true)).toBe('browser');
  });

  it('a short file of a large disk to a place', () => {
    const way = { packs: false, staged: true, length: GIB / 32 };
    const packed = disk(GIB / 8);
    expect(suggestWhere(packed, facts, true, way)).toBe('place');
  });

  it('only where it can', () => {
    expect(suggestWhere(disk(GIB / 16), facts, false)).toBe('browser');
    const memory = { ...facts, privateStorageInMemory: true };
    expect(suggestWhere(disk(4 * GIB), memory, true)).toBe('place');
  });
});

describe('what a conversion takes', () => {
  it('the browser checks, and gives out, the length of the file and not of the disk', () => {
    const way = { packs: false, staged: true, length: GIB };
    const place = forecastConvert(disk(8 * GIB), {}, 'place', false, way);
    expect(place.browserCheckSeconds).toBeCloseTo(GIB / 93e6);
    const browser = forecastConvert(disk(8 * GIB), {}, 'browser', false, way);
    expect(browser.downloadSeconds).toBeCloseTo(GIB / 340e6);
    expect(browser.browserCheckSeconds).toBe(0);
  });

  it('goes by what was learned of each part', () => {
    const usual = forecastConvert(disk(GIB), {}, 'place', true);
    const slow = forecastConvert(disk(GIB), {}, 'place', true, undefined, (work) =>
      work === 'finishing' ? 3 : 1,
    );
    expect(slow.browserCheckSeconds).toBeCloseTo(3 * usual.browserCheckSeconds);
    expect(slow.seconds - usual.seconds).toBeCloseTo(2 * usual.browserCheckSeconds);
    expect(slow.parts).toEqual(usual.parts);
  });
});

describe('speeds of this browser', () => {
  it('are the middle of the newest, and are kept', () => {
    const speeds = new Speeds();
    expect(speeds.factor('plain')).toBe(1);
    for (const took of [100, 100, 20, 30, 20, 10, 30]) speeds.learn('plain', 10, took);
    expect(speeds.factor('plain')).toBe(2);
    expect(new Speeds().factor('plain')).toBe(2);
    expect(speeds.factor('pack')).toBe(1);
  });

  it('short work, work that nobody expected, and sleep say little', () => {
    const speeds = new Speeds();
    speeds.learn('verifying', 0.1, 0.5);
    speeds.learn('finishing', 0, 9);
    expect(speeds.factor('verifying')).toBe(1);
    expect(speeds.factor('finishing')).toBe(1);
    speeds.learn('plain', 2, 40_000);
    expect(speeds.factor('plain')).toBe(20);
  });

  it('what somebody else has written there is not believed', () => {
    for (const text of ['{', '[]', 'null', '{"plain":[-1,"x",null,1e9],"other":[2]}']) {
      localStorage.setItem('speeds-1', text);
      expect(new Speeds().factor('plain')).toBe(1);
    }
  });
});
