import { describe, expect, it, vi } from 'vitest';
import type { Dropped } from '../../src/app/files.ts';

/** Handles as far as folders are walked through; the browser's own cannot be made. */
const { FakeFile, FakeFolder } = vi.hoisted(() => {
  class FakeFile {
    readonly kind = 'file';
    readonly name: string;
    opened = 0;

    constructor(name: string) {
      this.name = name;
    }

    getFile(): Promise<File> {
      this.opened++;
      return Promise.resolve(new File(['x'], this.name));
    }
  }

  class FakeFolder {
    readonly kind = 'directory';
    readonly name: string;
    readonly children: (FakeFile | FakeFolder)[];
    readonly readable: boolean;

    constructor(name: string, children: (FakeFile | FakeFolder)[], readable = true) {
      this.name = name;
      this.children = children;
      this.readable = readable;
    }

    async *values(): AsyncGenerator<FakeFile | FakeFolder> {
      for (const child of this.children) yield await Promise.resolve(child);
      if (!this.readable) throw new DOMException('no', 'NotAllowedError');
    }
  }
  vi.stubGlobal('FileSystemFileHandle', FakeFile);
  return { FakeFile, FakeFolder };
});

const { MOST_NAMES, readDrop, withImages } = await import('../../src/app/folder.ts');

function dropped(handle: InstanceType<typeof FakeFile | typeof FakeFolder>): Dropped {
  return {
    file: null,
    handle: Promise.resolve(handle as unknown as FileSystemHandle),
    entry: null,
  };
}

describe('a folder that is given', () => {
  it('is walked through to its depths, the nearest first, without opening a file', async () => {
    const deep = new FakeFile('base.raw');
    const near = new FakeFile('top.qcow2');
    const folder = new FakeFolder('vm', [
      new FakeFolder('a', [new FakeFolder('b', [deep])]),
      near,
      new FakeFolder('secret', [new FakeFile('seen.img')], false),
    ]);
    const found = await readDrop([dropped(folder)]);
    expect(found.all.map(({ path }) => path)).toEqual([
      'vm/top.qcow2',
      'vm/secret/seen.img',
      'vm/a/b/base.raw',
    ]);
    expect([found.files, found.cut, found.looked]).toEqual([[], false, 7]);
    expect([deep.opened, near.opened]).toEqual([0, 0]);
    // Of its images, those that lie highest are opened.
    const { files } = await withImages(found);
    expect(files.map(({ file }) => file.name)).toEqual(['top.qcow2']);
    expect([deep.opened, near.opened]).toEqual([0, 1]);
  });

  it('is looked at up to a limit', async () => {
    const many = Array.from({ length: MOST_NAMES + 5 }, (_, index) => new FakeFile(`${index}.txt`));
    const found = await readDrop([dropped(new FakeFolder('vm', many))]);
    expect([found.cut, found.looked, found.all.length]).toEqual([true, MOST_NAMES, MOST_NAMES - 1]);
  });

  it('with nothing that looks like an image opens nothing', async () => {
    const found = await readDrop([dropped(new FakeFolder('vm', [new FakeFile('notes.txt')]))]);
    expect((await withImages(found)).files).toEqual([]);
  });
});
