import { describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import { OpfsStorage, type SyncAccess } from '../../src/engine/storage/opfs.ts';
import { WritableStorage, type WritableTarget } from '../../src/engine/storage/writable.ts';
import { expectBytes, pattern } from './conformance.ts';

/** The error that a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}

function exception(name: string): DOMException {
  return new DOMException('whatever', name);
}

/** A synchronous handle on an array, with the faults of real ones. */
class FakeHandle implements SyncAccess {
  bytes = new Uint8Array(0);
  closed = 0;
  /** What write, read and truncate do instead; undefined: what they should. */
  write_: ((offset: number, source: Uint8Array) => number) | undefined;
  read_: (() => number) | undefined;
  truncate_: (() => void) | undefined;

  read(target: AllowSharedBufferSource, options?: FileSystemReadWriteOptions): number {
    if (this.read_ !== undefined) return this.read_();
    const at = options?.at ?? 0;
    const part = this.bytes.subarray(at, at + target.byteLength);
    (target as Uint8Array).set(part);
    return part.length;
  }

  write(source: AllowSharedBufferSource, options?: FileSystemReadWriteOptions): number {
    const at = options?.at ?? 0;
    const bytes = source as Uint8Array;
    return this.write_ === undefined ? this.store(at, bytes) : this.write_(at, bytes);
  }

  store(offset: number, source: Uint8Array): number {
    if (offset + source.length > this.bytes.length) this.grow(offset + source.length);
    this.bytes.set(source, offset);
    return source.length;
  }

  grow(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
  }

  truncate(size: number): void {
    if (this.truncate_ === undefined) this.grow(size);
    else this.truncate_();
  }

  getSize(): number {
    return this.bytes.length;
  }

  flush(): void {
    // Nothing is ever late here.
  }

  close(): void {
    this.closed++;
  }
}

function opfs(): { handle: FakeHandle; storage: OpfsStorage } {
  const handle = new FakeHandle();
  return { handle, storage: new OpfsStorage(handle, 'out.raw') };
}

describe('private storage with faults', () => {
  it('writes the rest after a short write', async () => {
    const { handle, storage } = opfs();
    handle.write_ = (at, source) => handle.store(at, source.subarray(0, 7));
    await storage.write(5, pattern(100));
    expect(handle.bytes.subarray(5)).toEqual(pattern(100));
    expect(storage.size).toBe(105);
  });

  it('fails when nothing more is written, and counts what was', async () => {
    const { handle, storage } = opfs();
    handle.write_ = (at, source) => (at === 0 ? handle.store(at, source.subarray(0, 7)) : 0);
    const error = await failure(storage.write(0, pattern(100)));
    expect([error.code, error.details]).toEqual([
      'write-failed',
      { name: 'out.raw', offset: 7, length: 93, reason: '0 bytes written' },
    ]);
    expect(storage.size).toBe(7);
  });

  it('makes the hole first where a write far behind the end does nothing', async () => {
    const { handle, storage } = opfs();
    handle.write_ = (at, source) => (at > handle.bytes.length ? 0 : handle.store(at, source));
    await storage.write(1000, pattern(10));
    expect(handle.bytes.length).toBe(1010);
    expect(handle.bytes.subarray(1000)).toEqual(pattern(10));
  });

  it.each([
    [4294967288, 'private-window'],
    [4294967295, 'write-failed'],
    [101, 'write-failed'],
  ])('is not deceived by a write of 100 bytes that returns %i', async (count, code) => {
    const { handle, storage } = opfs();
    handle.write_ = () => count;
    expect((await failure(storage.write(0, pattern(100)))).code).toBe(code);
    expect(storage.size).toBe(0);
  });

  it('notices that truncate did nothing', async () => {
    const { handle, storage } = opfs();
    handle.truncate_ = () => undefined;
    const large = await failure(storage.resize(3 * 2 ** 30));
    expect([large.code, large.details]).toEqual(['private-window', { needed: 3 * 2 ** 30 }]);
    const small = await failure(storage.resize(1000));
    expect([small.code, small.details]).toEqual(['disk-full', { name: 'out.raw', needed: 1000 }]);
    expect(storage.size).toBe(0);
    await storage.write(0, pattern(100));
    expect((await failure(storage.resize(10))).code).toBe('write-failed');
  });

  it.each([
    ['QuotaExceededError', 'disk-full', { name: 'out.raw', needed: 1100 }],
    ['InvalidStateError', 'write-failed', { name: 'out.raw', offset: 1000, length: 100 }],
    ['NotAllowedError', 'permission-lost', { name: 'out.raw' }],
  ])('says of a %s when writing: %s', async (name, code, details) => {
    const { handle, storage } = opfs();
    handle.write_ = () => {
      throw exception(name);
    };
    const error = await failure(storage.write(1000, pattern(100)));
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject(details);
  });

  it('says that there is no room when extending', async () => {
    const { handle, storage } = opfs();
    handle.truncate_ = () => {
      throw exception('QuotaExceededError');
    };
    const error = await failure(storage.resize(5000));
    expect([error.code, error.details]).toEqual(['disk-full', { name: 'out.raw', needed: 5000 }]);
  });

  it.each([0, 101, 4294967288])('is not deceived by a read that returns %i', async (count) => {
    const { handle, storage } = opfs();
    await storage.write(0, pattern(100));
    handle.read_ = () => count;
    expect((await failure(storage.read(0, new Uint8Array(100)))).code).toBe('read-failed');
  });

  it('closes the handle once', async () => {
    const { handle, storage } = opfs();
    await storage.close();
    await storage.close();
    expect(handle.closed).toBe(1);
  });

  it('lets other events in while it is busy', async () => {
    const { storage } = opfs();
    let heard = false;
    setTimeout(() => {
      heard = true;
    });
    const start = performance.now();
    while (!heard && performance.now() - start < 2000) await storage.write(0, pattern(1000));
    expect(heard).toBe(true);
  });
});

/** A stream into an array, with the faults of real ones. */
class FakeStream implements WritableTarget {
  bytes = new Uint8Array(0);
  closed = false;
  aborted = false;
  writes: { position: number; length: number }[] = [];
  /** Bytes that it takes before it fails, and how. */
  room = Infinity;
  full = 'QuotaExceededError';
  refusal: string | undefined;

  async write({ position, data }: Parameters<WritableTarget['write']>[0]): Promise<void> {
    await Promise.resolve();
    const end = position + data.length;
    if (end > this.room) throw exception(this.full);
    this.writes.push({ position, length: data.length });
    if (end > this.bytes.length) await this.truncate(end);
    this.bytes.set(data, position);
  }

  truncate(size: number): Promise<void> {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    this.bytes = bytes;
    return Promise.resolve();
  }

  close(): Promise<void> {
    if (this.refusal !== undefined) return Promise.reject(exception(this.refusal));
    this.closed = true;
    return Promise.resolve();
  }

  abort(): Promise<void> {
    this.aborted = true;
    return Promise.resolve();
  }
}

function writable(): { stream: FakeStream; storage: WritableStorage } {
  const stream = new FakeStream();
  return { stream, storage: new WritableStorage(stream, 'out.raw') };
}

const MIB = 1 << 20;

describe('writable file with faults', () => {
  it('makes few large writes of many small ones', async () => {
    const { stream, storage } = writable();
    const expected = pattern(20 * MIB);
    for (let at = 0; at < expected.length; at += 65536) {
      await storage.write(at, expected.subarray(at, at + 65536));
    }
    await storage.close();
    expectBytes(stream.bytes, expected);
    expect(stream.writes.length).toBe(5);
  });

  it('joins neighbours that come in another order', async () => {
    const { stream, storage } = writable();
    const expected = pattern(4 * MIB);
    for (const at of [3, 1, 0, 2]) {
      await storage.write(at * MIB, expected.subarray(at * MIB, (at + 1) * MIB));
    }
    await storage.close();
    expect(stream.writes).toEqual([{ position: 0, length: 4 * MIB }]);
    expectBytes(stream.bytes, expected);
  });

  it('says that there is no room, at the next call at the latest, and publishes nothing', async () => {
    const { stream, storage } = writable();
    stream.room = 30 * MIB;
    const part = pattern(8 * MIB);
    const writing = async (): Promise<void> => {
      for (let at = 0; at < 80 * MIB; at += part.length) await storage.write(at, part);
    };
    const error = await failure(writing());
    expect([error.code, error.details]).toEqual([
      'disk-full',
      { name: 'out.raw', needed: 32 * MIB },
    ]);
    expect(await failure(storage.close())).toBe(error);
    expect([stream.closed, stream.aborted]).toEqual([false, true]);
    await storage.close();
  });

  it('says at the end what went wrong with the last bytes', async () => {
    const { stream, storage } = writable();
    stream.room = 0;
    await storage.write(0, pattern(100));
    expect((await failure(storage.close())).code).toBe('disk-full');
    expect([stream.closed, stream.aborted]).toEqual([false, true]);
  });

  it.each([
    ['AbortError', 'finish-refused'],
    ['NotAllowedError', 'permission-lost'],
    ['QuotaExceededError', 'disk-full'],
    ['InvalidStateError', 'write-failed'],
  ])('says of a %s when it is finished: %s', async (name, code) => {
    const { stream, storage } = writable();
    stream.refusal = name;
    await storage.write(0, pattern(100));
    const error = await failure(storage.close());
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ name: 'out.raw' });
  });

  it('takes nothing after it was aborted', async () => {
    const { stream, storage } = writable();
    await storage.write(0, pattern(100));
    await storage.abort();
    expect((await failure(storage.write(0, pattern(100)))).code).toBe('read-only');
    expect([stream.closed, stream.writes.length]).toEqual([false, 0]);
  });
});
