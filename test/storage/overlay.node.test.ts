import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { OverlayStorage } from '../../src/engine/storage/overlay.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';
import {
  describeReading,
  describeWriting,
  expectBytes,
  pattern,
  type Subject,
} from './conformance.ts';

const subject: Subject = {
  name: 'overlay over memory',
  make: (content) =>
    Promise.resolve(new OverlayStorage(new MemoryStorage({ content, writable: false }))),
};
describeReading(subject);
describeWriting(subject);
describeWriting({
  name: 'overlay with a scratch storage',
  make: (content) => Promise.resolve(withScratch(content)),
});
describeWriting({
  name: 'overlay written to as to free clusters',
  make: (content) => Promise.resolve(new FreshOverlay(new MemoryStorage({ content }))),
});

/** Hardly anything of it stays in memory. */
function withScratch(content: Uint8Array, scratch = () => new MemoryStorage()): OverlayStorage {
  return new OverlayStorage(new MemoryStorage({ content, writable: false }), {
    budget: 20_000,
    scratch: () => Promise.resolve(scratch()),
  });
}

/** All its writes go to the base at once, where they can. */
class FreshOverlay extends OverlayStorage {
  constructor(base: Storage) {
    super(base, { freshInPlace: true });
  }

  override write(offset: number, source: Uint8Array): Promise<void> {
    return this.writeFresh === undefined || this.#isAside
      ? super.write(offset, source)
      : this.#aside(offset, source);
  }

  #isAside = false;

  /** `writeFresh` falls back to `write`. */
  async #aside(offset: number, source: Uint8Array): Promise<void> {
    this.#isAside = true;
    const writing = this.writeFresh(offset, source);
    this.#isAside = false;
    await writing;
  }
}

async function all(storage: Storage): Promise<Uint8Array> {
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  return bytes;
}

/** Turns a copy of the base into the new state by the list of changes alone. */
async function applied(overlay: OverlayStorage): Promise<Uint8Array> {
  const copy = new MemoryStorage({ content: await all(overlay.base) });
  await copy.resize(overlay.size);
  for (const { kind, offset, length } of overlay.changes()) {
    const bytes = new Uint8Array(length);
    if (kind === 'data') await overlay.read(offset, bytes);
    await copy.write(offset, bytes);
  }
  return all(copy);
}

describe('overlay', () => {
  it('leaves the base as it was', async () => {
    const base = new MemoryStorage({ content: pattern(1000) });
    const overlay = new OverlayStorage(base);
    await overlay.write(10, pattern(100, 2));
    await overlay.write(5000, pattern(10, 3));
    await overlay.resize(500);
    expect(await all(base)).toEqual(pattern(1000));
  });

  it('lists what was changed, neighbours joined', async () => {
    const overlay = new OverlayStorage(new MemoryStorage({ content: pattern(1000) }));
    expect([overlay.changed, overlay.changes()]).toEqual([false, []]);
    await overlay.write(100, pattern(10));
    await overlay.write(300, pattern(10));
    await overlay.write(110, pattern(10));
    await overlay.write(995, pattern(10));
    expect(overlay.changed).toBe(true);
    expect(overlay.changes()).toEqual([
      { kind: 'data', offset: 100, length: 20 },
      { kind: 'data', offset: 300, length: 10 },
      { kind: 'data', offset: 995, length: 10 },
    ]);
  });

  it('lists old bytes that a cut and an extension turned into zeros', async () => {
    const overlay = new OverlayStorage(new MemoryStorage({ content: pattern(1000) }));
    await overlay.resize(400);
    expect([overlay.changed, overlay.changes()]).toEqual([true, []]);
    await overlay.resize(2000);
    await overlay.write(500, pattern(10));
    expect(overlay.changes()).toEqual([
      { kind: 'zero', offset: 400, length: 100 },
      { kind: 'data', offset: 500, length: 10 },
      { kind: 'zero', offset: 510, length: 490 },
    ]);
  });

  it('drops the changes when closed and leaves the base open', async () => {
    const base = new MemoryStorage({ content: pattern(1000) });
    const overlay = new OverlayStorage(base);
    await overlay.write(0, new Uint8Array(2000));
    await overlay.close();
    expect(overlay.changed).toBe(false);
    expect(await all(overlay)).toEqual(pattern(1000));
  });

  it('moves its changes out of memory when they are many, and drops the scratch storage', async () => {
    const scratch: MemoryStorage[] = [];
    let closed = 0;
    const overlay = withScratch(pattern(1000), () => {
      const storage = new MemoryStorage();
      scratch.push(storage);
      storage.close = () => Promise.resolve(void closed++);
      return storage;
    });
    await overlay.write(5, pattern(10, 2));
    expect(scratch.length).toBe(0);
    for (let turn = 0; turn < 50; turn++) await overlay.write(turn * 9000, pattern(100, turn + 2));
    expect(scratch.length).toBe(1);
    expect(await scratch[0]?.allocated()).toBeGreaterThan(100_000);
    for (let turn = 0; turn < 50; turn++) {
      const bytes = new Uint8Array(100);
      await overlay.read(turn * 9000, bytes);
      expect(bytes).toEqual(pattern(100, turn + 2));
    }
    await overlay.close();
    expect(closed).toBe(1);
    expect(await all(overlay)).toEqual(pattern(1000));
  });

  it('counts pages, not writes: the same bytes a thousand times stay in memory', async () => {
    const overlay = withScratch(pattern(1000), () => {
      throw new Error('not needed');
    });
    for (let turn = 0; turn < 1000; turn++) await overlay.write(100, pattern(500, turn));
    expect((await all(overlay)).subarray(100, 600)).toEqual(pattern(500, 999));
  });

  it('puts content of free clusters into the base, and takes it back when it is dropped', async () => {
    const base = new MemoryStorage({ content: pattern(10_000) });
    const overlay = new OverlayStorage(base, { freshInPlace: true });
    await overlay.writeFresh(12_000, pattern(100, 2));
    await overlay.writeFresh(4000, pattern(100, 3));
    expect([base.size, overlay.size, overlay.changes()]).toEqual([12_100, 12_100, []]);
    expect((await all(base)).subarray(12_000)).toEqual(pattern(100, 2));
    expect(overlay.changed).toBe(true);
    await overlay.close();
    expect([base.size, overlay.size, overlay.changed]).toEqual([10_000, 10_000, false]);
  });

  it('leaves the base alone where it may not be written to', async () => {
    const base = new MemoryStorage({ content: pattern(100) });
    for (const overlay of [
      new OverlayStorage(base),
      new OverlayStorage(new MemoryStorage({ content: pattern(100), writable: false }), {
        freshInPlace: true,
      }),
    ]) {
      await overlay.writeFresh(200, pattern(10));
      expect(overlay.changes()).toEqual([{ kind: 'data', offset: 200, length: 10 }]);
      expect(overlay.base.size).toBe(100);
    }
  });

  it('stacks: an overlay over an overlay', async () => {
    const base = new MemoryStorage({ content: pattern(1000) });
    const lower = new OverlayStorage(base);
    await lower.write(0, pattern(100, 2));
    const upper = new OverlayStorage(lower);
    await upper.write(50, pattern(100, 3));
    expect((await all(upper)).subarray(0, 50)).toEqual(pattern(100, 2).subarray(0, 50));
    expect((await all(lower)).subarray(0, 100)).toEqual(pattern(100, 2));
  });

  it('has the same state as its base with the listed changes applied, after any program', async () => {
    const step = fc.record({
      fresh: fc.boolean(),
      cut: fc.option(fc.nat(3000), { freq: 4 }),
      offset: fc.nat(2500),
      length: fc.nat(400),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(2000), fc.array(step, { maxLength: 20 }), async (start, program) => {
        const base = new MemoryStorage({ content: pattern(start) });
        const overlay = new OverlayStorage(base, { freshInPlace: true });
        let plain = pattern(start);
        for (const [index, { fresh, cut, offset, length }] of program.entries()) {
          const bytes = pattern(length, index + 2);
          const end =
            cut ?? (length === 0 ? plain.length : Math.max(plain.length, offset + length));
          const next = new Uint8Array(end);
          next.set(plain.subarray(0, end));
          plain = next;
          if (cut !== null) await overlay.resize(cut);
          else if (fresh) await overlay.writeFresh(offset, bytes);
          else await overlay.write(offset, bytes);
          if (cut === null && length > 0) plain.set(bytes, offset);
        }
        expectBytes(await all(overlay), plain);
        expectBytes(await applied(overlay), plain);
        let end = -1;
        for (const change of overlay.changes()) {
          expect(change.offset >= end && change.length > 0).toBe(true);
          end = change.offset + change.length;
        }
      }),
      { numRuns: 200 },
    );
  });
});
