import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../src/engine/binary/crc32c.ts';
import { ImageError, isImageError } from '../../src/engine/errors.ts';
import { Change, writePatch } from '../../src/engine/storage/change.ts';
import { recover, type JournalPlace } from '../../src/engine/storage/journal.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { OverlayStorage } from '../../src/engine/storage/overlay.ts';
import { applyPatch, openPatch, PatchFile } from '../../src/engine/storage/patch-file.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';
import { expectBytes, pattern } from './conformance.ts';

async function all(storage: Storage): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  return bytes;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isImageError(error) ? error.code : 'none';
}

/** A journal in memory that can be looked at. */
class Place implements JournalPlace {
  readonly name = 'disk.journal';
  readonly owner = 'somebody';
  journal: MemoryStorage | undefined;
  alive = false;

  find(): Promise<Storage | undefined> {
    return Promise.resolve(this.journal);
  }

  create(): Promise<Storage> {
    this.journal = new MemoryStorage({ name: this.name });
    return Promise.resolve(this.journal);
  }

  remove(): Promise<void> {
    this.journal = undefined;
    return Promise.resolve();
  }

  isAlive(owner: string): boolean {
    return this.alive && owner === this.owner;
  }
}

/** A file whose writes begin to fail. */
class Failing extends MemoryStorage {
  /** Writes that still work. */
  left = Infinity;

  override write(offset: number, source: Uint8Array): Promise<void> {
    if (this.left-- <= 0) {
      return Promise.reject(new ImageError('disk-full', { name: 'disk', needed: offset }));
    }
    return super.write(offset, source);
  }
}

const step = fc.record({
  cut: fc.option(fc.nat(30_000), { freq: 4 }),
  offset: fc.nat(25_000),
  length: fc.nat(4000),
});

describe('a change', () => {
  it('has the checksum that others have', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    const bytes = pattern(1000);
    for (const at of [0, 1, 7, 8, 9, 500, 1000]) {
      expect(crc32c(bytes.subarray(at), crc32c(bytes, 0, 0, at))).toBe(crc32c(bytes));
    }
  });

  it('is put into the file and can be taken back, after any program', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(20_000),
        fc.array(step, { maxLength: 12 }),
        async (start, program) => {
          const place = new Place();
          const base = new MemoryStorage({ content: pattern(start) });
          const change = new Change(base, { journal: place });
          for (const [index, { cut, offset, length }] of program.entries()) {
            if (cut !== null) await change.storage.resize(cut);
            else await change.storage.write(offset, pattern(length, index + 2));
          }
          const expected = await all(change.storage);
          const patch = new MemoryStorage({ name: 'patch' });
          await writePatch(change.storage, patch);
          const undo = new MemoryStorage({ name: 'undo' });
          await change.apply({ undo });
          expectBytes(await all(base), expected);
          expectBytes(await all(change.storage), expected);
          expect(place.journal).toBe(undefined);
          const back = new Change(base, { journal: place });
          await applyPatch(await openPatch(undo, ['undo']), back.storage);
          await back.apply();
          expectBytes(await all(base), pattern(start));
          const again = new Change(base);
          await applyPatch(await openPatch(patch, ['patch']), again.storage);
          await again.apply();
          expectBytes(await all(base), expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('writes only what differs', async () => {
    const place = new Place();
    const content = pattern(4_000_000);
    const base = new MemoryStorage({ content });
    const change = new Change(base, { journal: place });
    const same = content.slice();
    same[1_500_001] = 1;
    same[3_000_000] = 2;
    await change.storage.write(0, same);
    expect(await change.apply()).toEqual({ bytes: 1024, runs: 2 });
    expectBytes(await all(base), same);
  });

  it('that changes nothing leaves no journal', async () => {
    const place = new Place();
    const change = new Change(new MemoryStorage({ content: pattern(100) }), { journal: place });
    const undo = new MemoryStorage();
    expect(await change.apply({ undo })).toEqual({ bytes: 0, runs: 0 });
    expect(place.journal).toBe(undefined);
    expect((await openPatch(undo, ['undo'])).count).toBe(0);
  });

  it('is refused when somebody else has changed the file', async () => {
    const base = new MemoryStorage({ content: pattern(100) });
    const checked = Object.assign(base, {
      checkUnchanged: () => Promise.reject(new ImageError('file-changed', { name: 'disk' })),
    });
    const change = new Change(checked);
    await change.storage.write(0, pattern(10, 2));
    expect(await codeOf(change.apply())).toBe('file-changed');
    expectBytes(await all(base), pattern(100));
  });

  it('can be stopped until it has happened', async () => {
    const place = new Place();
    const base = new MemoryStorage({ content: pattern(100) });
    const change = new Change(base, { journal: place });
    await change.storage.write(0, pattern(10, 2));
    expect(await codeOf(change.apply({ signal: AbortSignal.abort() }))).toBe('cancelled');
    expect(place.journal).toBe(undefined);
    expectBytes(await all(base), pattern(100));
  });
});

describe('no room', () => {
  it('for the journal: nothing has changed', async () => {
    const place = new Place();
    place.create = () => {
      place.journal = Object.assign(new Failing(), { left: 0 });
      return Promise.resolve(place.journal);
    };
    const base = new MemoryStorage({ content: pattern(100) });
    const change = new Change(base, { journal: place, freshInPlace: true });
    await change.storage.writeFresh(200, pattern(50, 3));
    await change.storage.write(0, pattern(10, 2));
    expect(await codeOf(change.apply())).toBe('disk-full');
    await change.storage.close();
    expect(place.journal).toBe(undefined);
    expectBytes(await all(base), pattern(100));
  });

  it('for the undo file: nothing has changed', async () => {
    const base = new MemoryStorage({ content: pattern(100) });
    const change = new Change(base);
    await change.storage.write(0, pattern(10, 2));
    const undo = Object.assign(new Failing(), { left: 0 });
    expect(await codeOf(change.apply({ undo }))).toBe('disk-full');
    expectBytes(await all(base), pattern(100));
  });

  it('behind the end of the file: nothing has changed', async () => {
    const place = new Place();
    const base = new Failing({ content: pattern(10_000) });
    const change = new Change(base, { journal: place });
    await change.storage.write(0, pattern(10, 2));
    await change.storage.write(20_000, pattern(10, 2));
    base.left = 0;
    expect(await codeOf(change.apply())).toBe('disk-full');
    expect(place.journal).toBe(undefined);
    expectBytes(await all(base), pattern(10_000));
  });

  it('in the middle of it: the rest is kept, and finished later', async () => {
    const place = new Place();
    const base = new Failing({ content: pattern(300_000) });
    const change = new Change(base, { journal: place });
    for (let at = 0; at < 300_000; at += 100_000) await change.storage.write(at, pattern(10, 2));
    const expected = await all(change.storage);
    base.left = 1;
    expect(await codeOf(change.apply())).toBe('change-unfinished');
    expect(Buffer.compare(await all(base), expected)).not.toBe(0);
    base.left = Infinity;
    const recovery = await recover(place, () => Promise.resolve(base));
    expect(recovery).toEqual({ outcome: 'finished', journal: 'disk.journal', runs: 3 });
    expectBytes(await all(base), expected);
    expect(place.journal).toBe(undefined);
  });
});

/** A file in the middle of a change: what is on the medium, and the journal. */
async function interrupted(): Promise<{ base: MemoryStorage; place: Place; old: Uint8Array }> {
  const place = new Place();
  const old = pattern(200_000);
  const base = new Failing({ content: old });
  const change = new Change(base, { journal: place });
  for (let at = 0; at < 200_000; at += 50_000) await change.storage.write(at, pattern(600, 2));
  base.left = 1;
  expect(await codeOf(change.apply())).toBe('change-unfinished');
  base.left = Infinity;
  return { base, place, old };
}

describe('a journal', () => {
  const never = () => Promise.reject(new Error('nothing is to be opened'));

  it('without an end is dropped', async () => {
    const { base, place } = await interrupted();
    const journal = place.journal;
    if (journal === undefined) throw new Error('no journal');
    const before = await all(base);
    for (const cut of [0, 1, 511, 512, 513, 1000, journal.size - 1]) {
      place.journal = new MemoryStorage({ content: (await all(journal)).subarray(0, cut) });
      expect((await recover(place, never)).outcome).toBe('dropped');
      expect(place.journal).toBe(undefined);
    }
    expectBytes(await all(base), before);
  });

  it('that is damaged is refused and touches nothing', async () => {
    const { base, place } = await interrupted();
    const journal = place.journal;
    if (journal === undefined) throw new Error('no journal');
    const before = await all(base);
    const content = await all(journal);
    for (let at = 20; at < content.length - 32; at += 97) {
      const broken = content.slice();
      broken[at] = (broken[at] ?? 0) ^ 0x10;
      place.journal = new MemoryStorage({ content: broken });
      expect(await codeOf(recover(place, () => Promise.resolve(base)))).toBe('patch-invalid');
      expect(place.journal).not.toBe(undefined);
    }
    expectBytes(await all(base), before);
  });

  it('of another file, or one that has changed since, is refused and touches nothing', async () => {
    const { base, place, old } = await interrupted();
    const other = old.slice();
    other[50_100] = (other[50_100] ?? 0) ^ 1;
    for (const content of [other, old.subarray(1), pattern(200_000, 9), new Uint8Array(0)]) {
      const file = new MemoryStorage({ content });
      expect(await codeOf(recover(place, () => Promise.resolve(file)))).toBe('journal-foreign');
      expectBytes(await all(file), content.slice());
    }
    expect((await recover(place, () => Promise.resolve(base))).outcome).toBe('finished');
  });

  it('whose owner is at work is left alone', async () => {
    const { place } = await interrupted();
    place.alive = true;
    expect(await codeOf(recover(place, never))).toBe('being-changed');
    expect(place.journal).not.toBe(undefined);
  });

  it('that is a file of somebody else is left alone', async () => {
    const place = new Place();
    place.journal = new MemoryStorage({ content: pattern(5000) });
    expect((await recover(place, never)).outcome).toBe('none');
    expect(place.journal.size).toBe(5000);
  });
});

describe('an undo file', () => {
  async function changed() {
    const base = new MemoryStorage({ content: pattern(100_000) });
    const change = new Change(base);
    await change.storage.write(500, pattern(2000, 2));
    await change.storage.resize(50_000);
    const undo = new MemoryStorage({ name: 'undo' });
    await change.apply({ undo });
    return { base, undo };
  }

  it('refuses a file that has changed since', async () => {
    const { base, undo } = await changed();
    const patch = await openPatch(undo, ['undo']);
    for (const at of [500, 2499]) {
      const content = await all(base);
      content[at] = (content[at] ?? 0) ^ 1;
      const overlay = new OverlayStorage(new MemoryStorage({ content }));
      expect(await codeOf(applyPatch(patch, overlay))).toBe('patch-mismatch');
      expect(overlay.changed).toBe(false);
    }
    const longer = new OverlayStorage(base);
    await longer.resize(50_001);
    expect(await codeOf(applyPatch(patch, longer))).toBe('patch-mismatch');
  });

  it('is refused when it is cut off, damaged, of another kind or something else', async () => {
    const { base, undo } = await changed();
    const content = await all(undo);
    const attempt = async (bytes: Uint8Array, kind: 'undo' | 'patch' = 'undo') => {
      const storage = new MemoryStorage({ content: bytes });
      try {
        await applyPatch(await openPatch(storage, [kind]), new OverlayStorage(base));
      } catch (error) {
        if (isImageError(error, 'patch-invalid')) return error.details.problem;
        throw error;
      }
      return 'none';
    };
    const flipped = content.slice();
    flipped[900] = (flipped[900] ?? 0) ^ 1;
    const newer = content.slice();
    newer[11] = 9;
    expect(await attempt(content)).toBe('none');
    expect(await attempt(content.subarray(0, -1))).toBe('unfinished');
    expect(await attempt(flipped)).toBe('damaged');
    expect(await attempt(content, 'patch')).toBe('kind');
    expect(await attempt(pattern(5000))).toBe('not-a-patch');
    expect(await attempt(new Uint8Array(0))).toBe('not-a-patch');
    expect(await attempt(newer)).toBe('not-a-patch');
    expect((await PatchFile.open(undo))?.header.kind).toBe('undo');
  });
});
