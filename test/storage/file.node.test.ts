import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileStorage } from '../../src/command/node/file-storage.ts';
import {
  describeReading,
  describeReadOnly,
  describeWriting,
  pattern,
  type Subject,
} from './conformance.ts';

let folder = '';
let next = 1;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qcow2-workbench-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function subject(name: string, mode: 'read' | 'modify'): Subject {
  return {
    name,
    make: (content) => {
      const path = join(folder, `${next++}`);
      writeFileSync(path, content);
      return FileStorage.open(path, mode);
    },
  };
}

describeReading(subject('file under Node', 'modify'));
describeWriting(subject('file under Node', 'modify'));
describeReadOnly(subject('file under Node, read only', 'read'));

describe('file under Node', () => {
  it('takes no room for holes', async () => {
    const storage = await subject('', 'modify').make(pattern(10));
    await storage.resize(2 ** 36);
    expect(storage.size).toBe(2 ** 36);
    expect((await storage.allocated?.()) ?? Infinity).toBeLessThan(2 ** 20);
    await storage.close();
  });
});
