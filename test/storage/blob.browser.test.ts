import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import { BlobStorage } from '../../src/engine/storage/blob.ts';
import { OverlayStorage } from '../../src/engine/storage/overlay.ts';
import { Scratch } from './browser-files.ts';
import {
  describeReading,
  describeReadOnly,
  describeWriting,
  expectBytes,
  pattern,
} from './conformance.ts';

const scratch = new Scratch('blob');
beforeAll(() => scratch.clear());
afterAll(() => scratch.clear());

/** The error that a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}

const memory = {
  name: 'blob in memory',
  make: (content: Uint8Array) =>
    Promise.resolve(new BlobStorage(new File([new Uint8Array(content)], 'disk.raw'))),
};
const disk = {
  name: 'file on disk',
  make: async (content: Uint8Array) => {
    const handle = await scratch.file(new Uint8Array(content));
    return new BlobStorage(await handle.getFile());
  },
};
for (const subject of [memory, disk]) {
  describeReading(subject);
  describeReadOnly(subject);
}

const overlay = {
  name: 'overlay over a blob',
  make: async (content: Uint8Array) => new OverlayStorage(await memory.make(content)),
};
describeReading(overlay);
describeWriting(overlay);

describe('file on disk: one piece behind the other', () => {
  it('comes from a stream and is what is in the file', async () => {
    const content = pattern(20 * 2 ** 20 + 99);
    const storage = await disk.make(content);
    const length = 2 ** 20 + 512;
    for (let at = 0; at < content.length; at += length + 70_000) {
      const end = Math.min(content.length, at + length);
      const bytes = await storage.take(at, end - at);
      expectBytes(bytes, content.subarray(at, end));
      storage.recycle(bytes);
    }
    await storage.close();
  });

  it('notices that the real file has another content by now', async () => {
    const handle = await scratch.file(pattern(20 * 2 ** 20), 'long');
    const storage = new BlobStorage(await handle.getFile());
    for (let at = 0; at < 12; at++) await storage.take(at * 2 ** 20, 2 ** 20);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await scratch.file(pattern(500), 'long');
    const readOn = async (): Promise<void> => {
      for (let at = 12; at < 20; at++) await storage.take(at * 2 ** 20, 2 ** 20);
    };
    expect((await failure(readOn())).code).toBe('file-changed');
  });
});

/** A blob whose reads end as `answer` says, in turn; the last one again and again. */
function stubborn(size: number, answers: (() => Promise<ArrayBuffer>)[]): Blob {
  let turn = 0;
  const blob = new Blob([new Uint8Array(size)]);
  blob.slice = (start = 0, end = size) => {
    const part = new Blob([new Uint8Array(Math.min(end, size) - start)]);
    part.arrayBuffer = () => (answers[Math.min(turn++, answers.length - 1)] ?? never)();
    return part;
  };
  return blob;
}

const never = (): Promise<ArrayBuffer> => new Promise(() => undefined);
const fine = (): Promise<ArrayBuffer> => Promise.resolve(new ArrayBuffer(100));
const failing = (name: string) => (): Promise<ArrayBuffer> =>
  Promise.reject(new DOMException('whatever', name));

describe('blob that fails', () => {
  it.each([
    ['NotFoundError', 'file-gone'],
    ['NotReadableError', 'file-changed'],
    ['NotAllowedError', 'permission-lost'],
    ['SecurityError', 'permission-lost'],
    ['UnknownError', 'read-failed'],
  ])('says of a %s: %s', async (name, code) => {
    const storage = new BlobStorage(stubborn(100, [failing(name)]), 'disk.raw');
    const error = await failure(storage.read(0, new Uint8Array(100)));
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ name: 'disk.raw' });
  });

  it('asks once more when a request hangs', async () => {
    const storage = new BlobStorage(stubborn(100, [never, fine]), 'x', { patience: 30 });
    expect(await storage.read(0, new Uint8Array(100))).toBe(100);
  });

  it('gives up when it hangs again, also in the middle of a long read', async () => {
    const one = new BlobStorage(stubborn(100, [never]), 'x', { patience: 30 });
    expect((await failure(one.read(0, new Uint8Array(100)))).code).toBe('read-failed');
    const size = 40 << 20;
    const long = new BlobStorage(stubborn(size, [never]), 'x', { patience: 30 });
    expect((await failure(long.read(0, new Uint8Array(size)))).code).toBe('read-failed');
  });

  it('takes a short answer for a changed file', async () => {
    const short = (): Promise<ArrayBuffer> => Promise.resolve(new ArrayBuffer(99));
    const storage = new BlobStorage(stubborn(100, [short]), 'x');
    expect((await failure(storage.read(0, new Uint8Array(100)))).code).toBe('file-changed');
  });

  it('notices that the real file has another content by now', async () => {
    const handle = await scratch.file(pattern(1000), 'changing');
    const storage = new BlobStorage(await handle.getFile());
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await scratch.file(pattern(500), 'changing');
    const error = await failure(storage.read(0, new Uint8Array(1000)));
    expect([error.code, error.details]).toEqual(['file-changed', { name: 'changing' }]);
  });

  it('notices that the real file is gone', async () => {
    const handle = await scratch.file(pattern(1000), 'going');
    const storage = new BlobStorage(await handle.getFile());
    await (await scratch.folder()).removeEntry('going');
    const error = await failure(storage.read(0, new Uint8Array(1000)));
    expect([error.code, error.details]).toEqual(['file-gone', { name: 'going' }]);
  });
});
