import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { errnoText } from '../../src/command/node/errno.ts';
import { FileStorage } from '../../src/command/node/file-storage.ts';
import { NodeHost } from '../../src/command/node/host.ts';
import { isImageError } from '../../src/engine/errors.ts';
import { BlobStorage } from '../../src/engine/storage/blob.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { OverlayStorage } from '../../src/engine/storage/overlay.ts';
import { PassingStorage } from '../../src/engine/storage/passing.ts';
import { SliceStorage } from '../../src/engine/storage/slice.ts';
import { describeReading, describeReadOnly, describeWriting, pattern } from './conformance.ts';

const folder = mkdtempSync(join(tmpdir(), 'file-storage-'));
let count = 0;

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function fileWith(content: Uint8Array): string {
  const path = join(folder, `file-${++count}`);
  writeFileSync(path, content);
  return path;
}

const subject = {
  name: 'file',
  make: (content: Uint8Array) => FileStorage.open(fileWith(content), 'modify'),
};
describeReading(subject);
describeWriting(subject);
describeReadOnly({
  name: 'file, read only',
  make: (content) => FileStorage.open(fileWith(content), 'read'),
});

describe('file: when it was written', () => {
  it('is what the system says, also through what lies over it', async () => {
    const path = fileWith(pattern(1000));
    utimesSync(path, 1_500_000_000, 1_400_000_000.25);
    const file = await FileStorage.open(path, 'read');
    const layers = [
      ...[file, new SliceStorage(file, 10, 10), new OverlayStorage(file)],
      new PassingStorage(new SliceStorage(file, 10, 10)),
    ];
    for (const one of layers) expect(await one.modified()).toBe(1_400_000_000_250);
    await file.close();
    expect(await file.modified()).toBeUndefined();
    expect(await new OverlayStorage(new MemoryStorage()).modified()).toBeUndefined();
  });

  it('is what a picked file says', async () => {
    const picked = new File(['x'], 'x', { lastModified: 1_400_000_000_250 });
    expect(await new BlobStorage(picked).modified()).toBe(1_400_000_000_250);
    expect(await new BlobStorage(new Blob(['x'])).modified()).toBeUndefined();
  });
});

async function reasonOf(opening: Promise<unknown>): Promise<string> {
  try {
    await opening;
  } catch (error) {
    if (isImageError(error, 'open-failed')) return error.details.reason;
    if (isImageError(error)) return error.code;
  }
  return 'none';
}

describe('files under Node', () => {
  it('leave holes', async () => {
    const storage = await FileStorage.open(fileWith(new Uint8Array()), 'modify');
    await storage.resize(2 ** 40);
    await storage.write(2 ** 39, pattern(10));
    expect(await storage.allocated()).toBeLessThan(2 ** 20);
    expect(storage.size).toBe(2 ** 40);
    await storage.close();
  });

  it('that cannot be opened say why as the system does', async () => {
    expect(await reasonOf(FileStorage.open(join(folder, 'nothing'), 'read'))).toBe(
      'No such file or directory',
    );
    const file = fileWith(pattern(1));
    expect(await reasonOf(FileStorage.open(join(file, 'x'), 'read'))).toBe('Not a directory');
    expect(await reasonOf(FileStorage.open(join(folder, 'x', 'y'), 'create'))).toBe(
      'No such file or directory',
    );
    expect(await reasonOf(FileStorage.open(folder, 'create'))).toBe('Is a directory');
    expect(await reasonOf(FileStorage.open(folder, 'read'))).toBe('Not a regular file');
  });

  it('that may not be read say so', () => {
    // Root may read everything, so the system's answer is made up.
    expect(errnoText(Object.assign(new Error(), { code: 'EACCES' }))).toBe('Permission denied');
    expect(errnoText(new Error('something else'))).toBe('something else');
  });

  it('that are pipes are refused at once and not waited for', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(await reasonOf(FileStorage.open(pipe, 'read'))).toBe('Not a regular file');
    expect(await reasonOf(FileStorage.open(pipe, 'create'))).toBe('Not a regular file');
  });

  it('are never replaced by what is made from them, whatever they are called', async () => {
    const source = fileWith(pattern(1000));
    const other = join(folder, 'link');
    symlinkSync(source, other);
    const host = new NodeHost(
      () => undefined,
      () => undefined,
    );
    const storage = await host.open(source);
    for (const name of [source, join(folder, '.', 'link')]) {
      expect(await reasonOf(host.create(name))).toBe('same-file');
      expect(await reasonOf(host.modify(name))).toBe('same-file');
    }
    expect(statSync(source).size).toBe(1000);
    await storage.close();
  });
});
