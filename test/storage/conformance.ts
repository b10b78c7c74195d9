import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isImageError } from '../../src/engine/errors.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';

/** A kind of storage that is put to the suite. */
export interface Subject {
  name: string;
  /** Makes a storage that holds `content`. */
  make(content: Uint8Array): Promise<Storage>;
  /**
   * For a storage that cannot be read itself: finishes it and opens what was written. The default
   * reads the storage itself.
   */
  readBack?: (storage: Storage) => Promise<Storage>;
  /** Random programs to try. Default 60. */
  runs?: number;
}

const GIB = 2 ** 30;

/** Bytes in which no position looks like another nearby. */
export function pattern(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

async function bytesOf(storage: Storage, offset = 0, length = storage.size): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  const count = await storage.read(offset, target);
  return target.subarray(0, count);
}

/** Faster and with a clearer failure than comparing megabytes by `toEqual`. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  let equal = 0;
  while (equal < actual.length && actual[equal] === expected[equal]) equal++;
  expect(equal).toBe(actual.length);
}

/** Runs the suite for everything that reads. */
export function describeReading(subject: Subject): void {
  describe(`${subject.name}: reading`, () => {
    it('knows its size', async () => {
      for (const length of [0, 1, 511, 512, 70_000]) {
        const storage = await subject.make(pattern(length));
        expect(storage.size).toBe(length);
        expect(storage.name).not.toBe('');
        await storage.close();
      }
    });

    it('reads all of it, parts of it, and single bytes', async () => {
      const content = pattern(200_001);
      const storage = await subject.make(content);
      expectBytes(await bytesOf(storage), content);
      expectBytes(await bytesOf(storage, 65_530, 12), content.subarray(65_530, 65_542));
      expectBytes(await bytesOf(storage, 200_000, 1), content.subarray(200_000));
      await storage.close();
    });

    it('reads short where it ends, and leaves the rest of the target alone', async () => {
      const content = pattern(1000);
      const storage = await subject.make(content);
      const target = new Uint8Array(100).fill(0xaa);
      expect(await storage.read(960, target)).toBe(40);
      expectBytes(target.subarray(0, 40), content.subarray(960));
      expect(target.subarray(40).every((byte) => byte === 0xaa)).toBe(true);
      await storage.close();
    });

    it('reads nothing at the end and behind it', async () => {
      const storage = await subject.make(pattern(1000));
      for (const offset of [1000, 1001, 5 * GIB, Number.MAX_SAFE_INTEGER - 16]) {
        const target = new Uint8Array(16).fill(0xaa);
        expect(await storage.read(offset, target)).toBe(0);
        expect(target.every((byte) => byte === 0xaa)).toBe(true);
      }
      await storage.close();
    });

    it('reads nothing when nothing is asked for', async () => {
      const storage = await subject.make(pattern(1000));
      for (const offset of [0, 500, 1000, 2000]) {
        expect(await storage.read(offset, new Uint8Array(0))).toBe(0);
      }
      await storage.close();
    });

    it('fills a view in the middle of a buffer and no other byte', async () => {
      const content = pattern(1000);
      const storage = await subject.make(content);
      const buffer = new Uint8Array(300).fill(0xaa);
      expect(await storage.read(10, buffer.subarray(100, 200))).toBe(100);
      expectBytes(buffer.subarray(100, 200), content.subarray(10, 110));
      expect(buffer.subarray(0, 100).every((byte) => byte === 0xaa)).toBe(true);
      expect(buffer.subarray(200).every((byte) => byte === 0xaa)).toBe(true);
      await storage.close();
    });

    it('answers many reads at once', async () => {
      const content = pattern(300_000);
      const storage = await subject.make(content);
      const reads = Array.from({ length: 32 }, async (_, index) => {
        const offset = (index * 77_777) % 290_000;
        return { offset, bytes: await bytesOf(storage, offset, 9_000) };
      });
      for (const { offset, bytes } of await Promise.all(reads)) {
        expectBytes(bytes, content.subarray(offset, offset + 9_000));
      }
      await storage.close();
    });

    it('reads far more than one request holds', async () => {
      const content = pattern(11 * 1024 * 1024 + 3);
      const storage = await subject.make(content);
      expectBytes(await bytesOf(storage), content);
      expectBytes(
        await bytesOf(storage, 1_234_567, 9_000_000),
        content.subarray(1_234_567, 10_234_567),
      );
      await storage.close();
    });

    it('says when it was written last, in milliseconds, or that it does not know', async () => {
      const before = Date.now();
      const storage = await subject.make(pattern(1000));
      const time = await storage.modified?.();
      // Clocks of media are coarser: FAT counts two seconds.
      if (time !== undefined) {
        expect(time).toBeGreaterThan(before - 5_000);
        expect(time).toBeLessThan(Date.now() + 5_000);
      }
      expect(await storage.modified?.()).toBe(time);
      await storage.close();
    });

    it('does many reads as one, where it can', async () => {
      const content = pattern(100_000);
      const storage = await subject.make(content);
      const places = [
        [90_000, 500],
        [10, 100],
        [10, 100],
        [99_990, 30],
        [5, 0],
        [200_000, 10],
      ] as const;
      const requests = places.map(([offset, length]) => ({
        offset,
        target: new Uint8Array(length).fill(0xaa),
      }));
      await storage.readMany?.(requests);
      for (const { offset, target } of storage.readMany === undefined ? [] : requests) {
        const there = content.subarray(offset, offset + target.length);
        expectBytes(target.subarray(0, there.length), there);
        expect(target.subarray(there.length).every((byte) => byte === 0xaa)).toBe(true);
      }
      await storage.readMany?.([]);
      await storage.close();
    });

    it('can be closed twice', async () => {
      const storage = await subject.make(pattern(10));
      await storage.close();
      await storage.close();
    });

    it('reads any ranges as a plain array does', async () => {
      const content = pattern(150_000);
      const storage = await subject.make(content);
      const range = fc.tuple(fc.nat(160_000), fc.nat(70_000));
      await fc.assert(
        fc.asyncProperty(range, async ([offset, length]) => {
          expectBytes(
            await bytesOf(storage, offset, length),
            content.subarray(offset, offset + length),
          );
        }),
        { numRuns: subject.runs ?? 60 },
      );
      await storage.close();
    });
  });
}

/** Runs the suite for what cannot be written. */
export function describeReadOnly(subject: Subject): void {
  describe(`${subject.name}: refusing to write`, () => {
    it('says read-only and stays as it is', async () => {
      const content = pattern(1000);
      const storage = await subject.make(content);
      expect(storage.writable).toBe(false);
      const attempts = [
        () => storage.write(0, new Uint8Array(10)),
        () => storage.write(1000, new Uint8Array(10)),
        () => storage.resize(10),
      ];
      for (const attempt of attempts) {
        const error: unknown = await attempt().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(isImageError(error, 'read-only') && error.details).toEqual({ name: storage.name });
      }
      await storage.flush();
      expectBytes(await bytesOf(storage), content);
      await storage.close();
    });
  });
}

/** What a random program does to a storage. */
type Step = { write: [offset: number, length: number] } | { resize: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ write: fc.tuple(fc.nat(200_000), fc.nat(30_000)) }),
    },
    { weight: 1, arbitrary: fc.record({ resize: fc.nat(230_000) }) },
  ),
  { maxLength: 12 },
);

/** The same program on a plain array: what must come out. */
class Plain {
  bytes: Uint8Array;

  constructor(content: Uint8Array) {
    this.bytes = content.slice();
  }

  write(offset: number, source: Uint8Array): void {
    if (source.length === 0) return;
    if (offset + source.length > this.bytes.length) this.resize(offset + source.length);
    this.bytes.set(source, offset);
  }

  resize(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }
}

/** Runs the suite for everything that writes. */
export function describeWriting(subject: Subject): void {
  const readBack = subject.readBack ?? ((storage: Storage) => Promise.resolve(storage));

  async function outcome(storage: Storage, check: (read: Storage) => Promise<void>): Promise<void> {
    const read = await readBack(storage);
    await check(read);
    await read.close();
    await storage.close();
  }

  async function expectContent(storage: Storage, expected: Uint8Array): Promise<void> {
    expect(storage.size).toBe(expected.length);
    await outcome(storage, async (read) => {
      expect(read.size).toBe(expected.length);
      expectBytes(await bytesOf(read), expected);
    });
  }

  describe(`${subject.name}: writing`, () => {
    it('overwrites in place', async () => {
      const storage = await subject.make(pattern(1000));
      expect(storage.writable).toBe(true);
      const expected = new Plain(pattern(1000));
      for (const [offset, length] of [
        [0, 10],
        [500, 100],
        [990, 10],
      ] as const) {
        const bytes = pattern(length, offset + 2);
        await storage.write(offset, bytes);
        expected.write(offset, bytes);
      }
      await storage.flush();
      await expectContent(storage, expected.bytes);
    });

    it('grows by writing at the end and across it', async () => {
      const storage = await subject.make(new Uint8Array(0));
      await storage.write(0, pattern(100));
      await storage.write(100, pattern(50, 2));
      await storage.write(140, pattern(60, 3));
      const expected = new Plain(pattern(100));
      expected.write(100, pattern(50, 2));
      expected.write(140, pattern(60, 3));
      await expectContent(storage, expected.bytes);
    });

    it('reads zeros in the gap before what was written behind the end', async () => {
      const storage = await subject.make(pattern(10));
      await storage.write(70_000, pattern(5));
      const expected = new Plain(pattern(10));
      expected.write(70_000, pattern(5));
      await expectContent(storage, expected.bytes);
    });

    it('writes beyond 4 GiB, with a hole before', async () => {
      const storage = await subject.make(pattern(100));
      const far = 5 * GIB + 7;
      await storage.write(far, pattern(3));
      expect(storage.size).toBe(far + 3);
      await outcome(storage, async (read) => {
        expect(read.size).toBe(far + 3);
        expectBytes(await bytesOf(read, far - 4, 20), new Uint8Array([0, 0, 0, 0, ...pattern(3)]));
        expectBytes(
          await bytesOf(read, 0, 200),
          new Uint8Array([...pattern(100), ...new Uint8Array(100)]),
        );
        expectBytes(await bytesOf(read, GIB + 5, 100), new Uint8Array(100));
      });
    });

    it('does nothing when nothing is written', async () => {
      const storage = await subject.make(pattern(100));
      for (const offset of [0, 50, 100, 5000]) await storage.write(offset, new Uint8Array(0));
      await expectContent(storage, pattern(100));
    });

    it('keeps what was written when the caller uses its buffer again', async () => {
      const storage = await subject.make(new Uint8Array(0));
      const buffer = new Uint8Array(300);
      const expected = new Plain(new Uint8Array(0));
      for (let turn = 0; turn < 5; turn++) {
        buffer.set(pattern(300, turn + 1));
        await storage.write(turn * 100, buffer.subarray(100, 200));
        expected.write(turn * 100, buffer.subarray(100, 200));
      }
      buffer.fill(0);
      await expectContent(storage, expected.bytes);
    });

    it('is cut', async () => {
      const storage = await subject.make(pattern(100_000));
      await storage.resize(70_001);
      await expectContent(storage, pattern(100_000).subarray(0, 70_001));
    });

    it('is cut to nothing', async () => {
      const storage = await subject.make(pattern(1000));
      await storage.resize(0);
      await expectContent(storage, new Uint8Array(0));
    });

    it('is extended with zeros', async () => {
      const storage = await subject.make(pattern(1000));
      await storage.resize(100_000);
      const expected = new Plain(pattern(1000));
      expected.resize(100_000);
      await expectContent(storage, expected.bytes);
    });

    it('reads zeros where it was cut and extended again', async () => {
      const storage = await subject.make(pattern(100_000));
      await storage.write(50_000, pattern(20, 2));
      await storage.resize(40_000);
      await storage.resize(100_000);
      await storage.write(90_000, pattern(20, 3));
      const expected = new Plain(pattern(100_000));
      expected.resize(40_000);
      expected.resize(100_000);
      expected.write(90_000, pattern(20, 3));
      await expectContent(storage, expected.bytes);
    });

    it('takes many writes at once', async () => {
      const storage = await subject.make(new Uint8Array(0));
      const content = pattern(40 * 7000);
      const order = Array.from({ length: 40 }, (_, index) => (index * 17) % 40);
      await Promise.all(
        order.map((part) =>
          storage.write(part * 7000, content.subarray(part * 7000, part * 7000 + 7000)),
        ),
      );
      await expectContent(storage, content);
    });

    it('takes far more than one request holds, in any order', async () => {
      const storage = await subject.make(new Uint8Array(0));
      const content = pattern(21 * 1024 * 1024 + 5);
      const half = 10 * 1024 * 1024 + 1;
      await storage.write(half, content.subarray(half));
      await storage.write(0, content.subarray(0, half));
      await expectContent(storage, content);
    });

    it('ends as a plain array after any program', async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(100_000), steps, async (start, program) => {
          const storage = await subject.make(pattern(start));
          const expected = new Plain(pattern(start));
          for (const [index, step] of program.entries()) {
            if ('resize' in step) {
              await storage.resize(step.resize);
              expected.resize(step.resize);
            } else {
              const bytes = pattern(step.write[1], index + 2);
              await storage.write(step.write[0], bytes);
              expected.write(step.write[0], bytes);
            }
            expect(storage.size).toBe(expected.bytes.length);
          }
          await expectContent(storage, expected.bytes);
        }),
        { numRuns: subject.runs ?? 60 },
      );
    });
  });
}
