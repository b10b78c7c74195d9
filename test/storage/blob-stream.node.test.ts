import { describe, expect, it } from 'vitest';
import { BlobStorage } from '../../src/engine/storage/blob.ts';
import { readPadded } from '../../src/engine/storage/storage.ts';
import { pattern } from './conformance.ts';

const MIB = 2 ** 20;
const CONTENT = pattern(24 * MIB + 777);

/** A blob that counts how often it is opened as a stream. */
function counted(change: (stream: ReadableStream) => ReadableStream = (same) => same) {
  const blob = new Blob([CONTENT]);
  const slice = blob.slice.bind(blob);
  const opened: number[] = [];
  blob.slice = (start = 0, end = CONTENT.length) => {
    const part = slice(start, end);
    const stream = part.stream.bind(part);
    part.stream = (() => {
      opened.push(start);
      return change(stream());
    }) as Blob['stream'];
    return part;
  };
  return { blob, opened };
}

/** Takes pieces by their offsets and lengths, `atOnce` under way, and compares each. */
async function takeAll(
  storage: BlobStorage,
  pieces: readonly (readonly [number, number])[],
  atOnce = 1,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let piece = pieces[next++]; piece !== undefined; piece = pieces[next++]) {
      const [offset, length] = piece;
      const bytes = await readPadded(storage, offset, length);
      expect(bytes.length).toBe(length);
      expect(Buffer.compare(bytes, CONTENT.subarray(offset, offset + length))).toBe(0);
      storage.recycle(bytes);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

function row(start: number, end: number, length: number, gap = 0): [number, number][] {
  const pieces: [number, number][] = [];
  for (let at = start; at < end; at += length + gap) pieces.push([at, Math.min(length, end - at)]);
  return pieces;
}

describe('taking one piece behind the other', () => {
  it.each([1, 4])('opens one stream for all of it, %i at once', async (atOnce) => {
    const { blob, opened } = counted();
    const storage = new BlobStorage(blob, 'disk.raw');
    await takeAll(storage, row(0, CONTENT.length, 2 * MIB), atOnce);
    expect(opened).toEqual([8 * MIB]);
    await storage.close();
  });

  it('reads through short gaps, whatever lies between', async () => {
    const { blob, opened } = counted();
    const storage = new BlobStorage(blob, 'disk.raw');
    await takeAll(storage, row(0, 16 * MIB, MIB + 5, 65_536), 3);
    await takeAll(storage, row(16 * MIB + MIB / 2, 24 * MIB, 3 * MIB), 2);
    expect(opened.length).toBe(1);
  });

  it('does without for single pieces, small ones and those that lie apart', async () => {
    const { blob, opened } = counted();
    const storage = new BlobStorage(blob, 'disk.raw');
    await takeAll(storage, [...row(0, 12 * MIB, 4096)], 4);
    await takeAll(storage, row(0, CONTENT.length - 2 * MIB, MIB, 2 * MIB).reverse(), 4);
    expect(opened).toEqual([]);
  });

  it('begins anew elsewhere, also while the first is still under way', async () => {
    const { blob, opened } = counted();
    const storage = new BlobStorage(blob, 'disk.raw');
    await takeAll(storage, row(0, 14 * MIB, MIB), 2);
    await takeAll(storage, row(3 * MIB, CONTENT.length, MIB), 4);
    await Promise.all([
      takeAll(storage, row(12 * MIB, CONTENT.length, MIB), 2),
      takeAll(storage, row(0, 12 * MIB, MIB), 2),
    ]);
    expect(opened.slice(0, 2)).toEqual([8 * MIB, 11 * MIB]);
  });

  it('can be closed in the middle, and read on', async () => {
    const { blob, opened } = counted();
    const storage = new BlobStorage(blob, 'disk.raw');
    await takeAll(storage, row(0, 12 * MIB, MIB));
    const pending = takeAll(storage, row(12 * MIB, 16 * MIB, MIB), 3);
    await storage.close();
    await pending;
    await takeAll(storage, row(4 * MIB, CONTENT.length, MIB));
    expect(opened.length).toBe(2);
  });
});

describe('streams that do not work', () => {
  it.each<[string, (stream: ReadableStream) => ReadableStream]>([
    ['are not there', () => new ReadableStream()],
    ['fail', () => failing(new DOMException('whatever', 'NotReadableError'))],
    ['end too early', () => failing(undefined)],
    ['fall silent', () => new ReadableStream({ type: 'bytes' })],
  ])('%s: requests do it', async (_name, change) => {
    const { blob, opened } = counted(change);
    const storage = new BlobStorage(blob, 'disk.raw', { patience: 40 });
    await takeAll(storage, row(0, CONTENT.length, MIB), 3);
    // Once and not again.
    expect(opened.length).toBe(1);
  });
});

/** A stream of a few bytes that then fails, or ends. */
function failing(error: DOMException | undefined): ReadableStream {
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      if (error !== undefined) {
        controller.error(error);
        return;
      }
      controller.close();
      controller.byobRequest?.respond(0);
    },
  });
}
