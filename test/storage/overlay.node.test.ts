import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { OverlayStorage } from '../../src/engine/storage/overlay.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';
import { describeReading, describeWriting, pattern, type Subject } from './conformance.ts';

const subject: Subject = {
  name: 'overlay over memory',
  make: (content) =>
    Promise.resolve(new OverlayStorage(new MemoryStorage({ content, writable: false }))),
};
describeReading(subject);
describeWriting(subject);

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
      cut: fc.option(fc.nat(3000), { freq: 4 }),
      offset: fc.nat(2500),
      length: fc.nat(400),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(2000), fc.array(step, { maxLength: 20 }), async (start, program) => {
        const overlay = new OverlayStorage(new MemoryStorage({ content: pattern(start) }));
        for (const [index, { cut, offset, length }] of program.entries()) {
          if (cut !== null) await overlay.resize(cut);
          else await overlay.write(offset, pattern(length, index + 2));
        }
        expect(await applied(overlay)).toEqual(await all(overlay));
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
