import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checksumDisk,
  checksumFile,
  MemoryStorage,
  openImage,
  type Progress,
} from '../../src/engine/index.ts';
import { RawDisk } from '../../src/engine/formats/raw.ts';
import { RecordingStorage, WrittenDisk } from '../../src/worker/written.ts';
import { anyImage } from '../images/arbitrary.ts';
import { buildQcow2, guestContent } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';

const MIB = 2 ** 20;
/** What is read together; the tests put things at its edges. */
const WINDOW = 8 * MIB;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A file that counts what is read of it and how much is asked for at once. */
class CountingStorage extends MemoryStorage {
  bytes = 0;
  most = 0;
  #open = 0;

  override async read(offset: number, target: Uint8Array): Promise<number> {
    this.#open += target.length;
    this.bytes += target.length;
    this.most = Math.max(this.most, this.#open);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.#open -= target.length;
    return super.read(offset, target);
  }
}

/** A raw disk of `size` bytes, written at some places and known to be zero elsewhere. */
async function sparseDisk(size: number, writes: readonly (readonly [number, number])[]) {
  const storage = new CountingStorage();
  const target = new RecordingStorage(storage, size);
  await target.resize(size);
  for (const [at, length] of writes) await target.write(at, noise(length, at));
  return { disk: new WrittenDisk(storage, target.written), storage };
}

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Int32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed, 2654435761) | 1;
  return new Uint8Array(words.buffer, 0, length);
}

async function contentOf(storage: MemoryStorage, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  await storage.read(0, bytes);
  return bytes;
}

describe('checksum of a disk', () => {
  it('is that of its content, for any image', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, async (spec) => {
        const disk = await openImage(await memory(buildQcow2(spec).bytes));
        const model = guestContent(spec);
        expect(await checksumDisk(disk)).toEqual({
          algorithm: 'sha256',
          digest: sha256(model),
          size: model.length,
        });
      }),
      { numRuns: 200 },
    );
  });

  it.each<[string, number, (readonly [number, number])[]]>([
    ['nothing at all', 0, []],
    ['zeros only', 3 * WINDOW, []],
    ['an end within a window', 2 * WINDOW + 512, [[2 * WINDOW, 512]]],
    ['data on both sides of an edge', 3 * WINDOW, [[WINDOW - 3 * MIB, 6 * MIB]]],
    [
      'data at both ends, zeros between',
      5 * WINDOW,
      [
        [0, 1],
        [5 * WINDOW - 1, 1],
      ],
    ],
    ['data over several windows', 5 * WINDOW, [[MIB, 4 * WINDOW]]],
    [
      'a little in each window',
      6 * WINDOW,
      [0, 1, 2, 3, 4, 5].map((n) => [n * WINDOW + n * MIB, 9]),
    ],
    [
      'holes within a window',
      2 * WINDOW,
      [
        [0, MIB],
        [3 * MIB, MIB],
        [WINDOW + MIB, 5],
      ],
    ],
  ])('%s', async (_, size, writes) => {
    const { disk, storage } = await sparseDisk(size, writes);
    const { digest } = await checksumDisk(disk);
    expect(digest).toBe(sha256(await contentOf(storage, size)));
  });

  it('does not read zeros, and holds few windows at once', async () => {
    const { disk, storage } = await sparseDisk(40 * WINDOW, [[8 * WINDOW, 6 * WINDOW]]);
    const before = storage.bytes;
    await checksumDisk(disk);
    expect(storage.bytes - before).toBe(6 * WINDOW);
    expect(storage.most).toBeLessThanOrEqual(3 * WINDOW);
  });

  it('is SHA-512 where that is wanted', async () => {
    const { disk, storage } = await sparseDisk(MIB, [[5, 1000]]);
    const { digest, algorithm } = await checksumDisk(disk, { algorithm: 'sha512' });
    const content = await contentOf(storage, MIB);
    expect([algorithm, digest]).toEqual([
      'sha512',
      createHash('sha512').update(content).digest('hex'),
    ]);
  });

  it('counts every byte once', async () => {
    const { disk } = await sparseDisk(5 * WINDOW, [
      [MIB, WINDOW],
      [4 * WINDOW, 7],
    ]);
    const seen: Progress[] = [];
    await checksumDisk(disk, { progress: (progress) => seen.push(progress) });
    const done = seen.map((progress) => progress.done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect([done[0], done.at(-1)]).toEqual([0, 5 * WINDOW]);
    expect(new Set(seen.map(({ stage, total }) => `${stage} ${total}`))).toEqual(
      new Set([`digesting ${5 * WINDOW}`]),
    );
  });

  it.each<[string, number, (readonly [number, number])[]]>([
    ['zeros', 2 ** 36, []],
    ['data', 12 * WINDOW, [[0, 12 * WINDOW]]],
  ])('lets events in, and nothing more is done after a cancel: %s', async (_, size, writes) => {
    const { disk } = await sparseDisk(size, writes);
    const controller = new AbortController();
    let done = 0;
    let doneAtAbort = -1;
    const running = checksumDisk(disk, {
      signal: controller.signal,
      progress: (progress) => {
        done = progress.done;
      },
    });
    setTimeout(() => {
      doneAtAbort = done;
      controller.abort();
    }, 30);
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect(doneAtAbort).toBeGreaterThan(0);
    expect(done).toBe(doneAtAbort);
  });

  it('is refused where the map says nothing', async () => {
    const { disk } = await sparseDisk(2 * WINDOW, [[0, 5]]);
    disk.map = (offset) =>
      offset > 0 ? Promise.resolve([]) : WrittenDisk.prototype.map.call(disk, 0, MIB);
    await expect(checksumDisk(disk)).rejects.toMatchObject({ code: 'internal' });
  });

  it('is refused where content is unknown, not taken of zeros', async () => {
    const spec = {
      size: 4 * 65536,
      clusters: new Map(),
      backing: { name: 'base.img', format: 'raw' },
    };
    const disk = await openImage(await memory(buildQcow2(spec).bytes));
    expect(disk.backingMissing).toBe(true);
    await expect(checksumDisk(disk)).rejects.toMatchObject({
      code: 'unreadable-cluster',
      details: { guestOffset: 0, reason: 'backing-missing' },
    });
  });
});

describe('checksum of a file', () => {
  it.each([0, 1, 511, WINDOW, WINDOW + 1, 3 * WINDOW + 77])('of %i bytes', async (size) => {
    const content = noise(size, 7);
    const file = await memory(content);
    expect(await checksumFile(file)).toEqual({
      algorithm: 'sha256',
      digest: sha256(content),
      size,
    });
    // A raw disk ends with its last sector, a file with its last byte.
    const whole = new Uint8Array(Math.ceil(size / 512) * 512);
    whole.set(content);
    expect((await checksumDisk(new RawDisk(file))).digest).toBe(sha256(whole));
  });

  it('is refused when the file ends earlier than it did', async () => {
    const file = new MemoryStorage({ content: noise(2 * WINDOW, 1), name: 'shrinking' });
    const running = checksumFile(file);
    await file.resize(WINDOW + 5);
    await expect(running).rejects.toMatchObject({
      code: 'file-changed',
      details: { name: 'shrinking' },
    });
  });

  it('is refused when reading fails', async () => {
    const file = new MemoryStorage({ content: noise(3 * WINDOW, 1) });
    file.read = () => Promise.reject(new Error('broken'));
    await expect(checksumFile(file)).rejects.toThrow('broken');
  });
});
