import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import { BlobStorage } from '../../src/engine/storage/blob.ts';
import { WritableStorage } from '../../src/engine/storage/writable.ts';
import { Scratch } from './browser-files.ts';
import { describeWriting, pattern } from './conformance.ts';

const scratch = new Scratch('writable');
beforeAll(() => scratch.clear());
afterAll(() => scratch.clear());

const handles = new WeakMap<WritableStorage, FileSystemFileHandle>();

async function start(old = new Uint8Array(0)): Promise<WritableStorage> {
  const handle = await scratch.file(old);
  const storage = await WritableStorage.open(handle);
  handles.set(storage, handle);
  return storage;
}

async function content(storage: WritableStorage): Promise<Uint8Array> {
  const file = await handles.get(storage)?.getFile();
  return new Uint8Array((await file?.arrayBuffer()) ?? new ArrayBuffer(0));
}

describeWriting({
  name: 'writable file',
  make: async (bytes) => {
    const storage = await start();
    await storage.write(0, bytes);
    return storage;
  },
  readBack: async (storage) => {
    if (!(storage instanceof WritableStorage)) throw new Error('not a writable file');
    await storage.close();
    const file = await handles.get(storage)?.getFile();
    if (file === undefined) throw new Error('no file');
    return new BlobStorage(file);
  },
  runs: 20,
});

describe('writable file', () => {
  it('shows nothing before it is closed, and all of it then', async () => {
    const storage = await start(pattern(100));
    await storage.write(0, pattern(50, 2));
    await storage.flush();
    expect(await content(storage)).toEqual(pattern(100));
    await storage.close();
    expect(await content(storage)).toEqual(pattern(50, 2));
    await storage.close();
  });

  it('leaves the old content when it is aborted, and no file beside it', async () => {
    const storage = await start(pattern(100));
    const names = await scratch.names();
    expect(names.some((name) => name.endsWith('.crswap'))).toBe(true);
    await storage.write(0, pattern(20 << 20, 2));
    await storage.abort();
    await storage.close();
    expect(await content(storage)).toEqual(pattern(100));
    expect(await scratch.names()).toEqual(names.filter((name) => !name.endsWith('.crswap')));
  });

  it('takes scattered small writes in any order', async () => {
    const expected = pattern(2000 * 64);
    const storage = await start();
    for (let index = 0; index < 2000; index++) {
      const at = ((index * 1237) % 2000) * 64;
      await storage.write(at, expected.subarray(at, at + 64));
    }
    await storage.close();
    expect(await content(storage)).toEqual(expected);
  });

  it('cannot be read', async () => {
    const storage = await start();
    await storage.write(0, pattern(10));
    const error = await failure(storage.read(0, new Uint8Array(10)));
    expect(error.code).toBe('read-failed');
    await storage.abort();
  });
});

/** The error that a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}
