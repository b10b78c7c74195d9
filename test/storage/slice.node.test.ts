import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { SliceStorage } from '../../src/engine/storage/slice.ts';
import { describeReading, describeReadOnly, pattern, type Subject } from './conformance.ts';

const subject: Subject = {
  name: 'slice',
  make: async (content) => {
    const whole = new MemoryStorage({ content: pattern(content.length + 1000, 9) });
    await whole.write(321, content);
    return new SliceStorage(whole, 321, content.length);
  },
};
describeReading(subject);
describeReadOnly(subject);

describe('slice', () => {
  it('ends where the whole ends', async () => {
    const whole = new MemoryStorage({ content: pattern(100) });
    const slice = new SliceStorage(whole, 90, 50, 'part');
    expect([slice.size, slice.name]).toEqual([10, 'part']);
    const target = new Uint8Array(50);
    expect(await slice.read(4, target)).toBe(6);
    expect(target.subarray(0, 6)).toEqual(pattern(100).subarray(94));
    expect(new SliceStorage(whole, 200, 50).size).toBe(0);
  });

  it('leaves the whole open', async () => {
    const whole = new MemoryStorage({ content: pattern(100) });
    await new SliceStorage(whole, 0, 10).close();
    expect(await whole.read(0, new Uint8Array(10))).toBe(10);
  });
});
