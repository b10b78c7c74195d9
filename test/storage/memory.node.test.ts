import { describe, expect, it } from 'vitest';
import { isImageError } from '../../src/engine/errors.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import {
  describeReading,
  describeReadOnly,
  describeWriting,
  pattern,
  type Subject,
} from './conformance.ts';

const plain: Subject = {
  name: 'memory',
  make: (content) => Promise.resolve(new MemoryStorage({ content })),
};
const fine: Subject = {
  name: 'memory in pages of 512 bytes',
  make: (content) => Promise.resolve(new MemoryStorage({ content, pageSize: 512 })),
};

for (const subject of [plain, fine]) {
  describeReading(subject);
  describeWriting(subject);
}
describeReadOnly({
  name: 'memory, read only',
  make: (content) => Promise.resolve(new MemoryStorage({ content, writable: false })),
});

describe('memory', () => {
  it('holds 1 TiB of nothing for nothing', async () => {
    const storage = new MemoryStorage();
    await storage.resize(2 ** 40);
    expect(await storage.allocated()).toBe(0);
    await storage.write(2 ** 39, pattern(10));
    expect(await storage.allocated()).toBe(65536);
    expect(storage.size).toBe(2 ** 40);
  });

  it('copies the content it starts with', async () => {
    const content = pattern(10);
    const storage = new MemoryStorage({ content });
    content.fill(0);
    const target = new Uint8Array(10);
    await storage.read(0, target);
    expect(target).toEqual(pattern(10));
  });

  it('refuses offsets beyond exact numbers', async () => {
    const storage = new MemoryStorage();
    const error: unknown = await storage
      .write(Number.MAX_SAFE_INTEGER, pattern(2))
      .catch((reason: unknown) => reason);
    expect(isImageError(error, 'too-large')).toBe(true);
  });
});
