/** Every change that the app makes of an open image, beside what the real program makes of a copy. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Edit } from '../../src/worker/api.ts';
import { bitmapContents } from '../../src/worker/bitmap.ts';
import { available, make } from './programs.ts';
import { enterFolder, leaveFolder } from './side-by-side.ts';
import { Case, EditBench, refusal } from './worker-edits.ts';

// There are no threads of a browser here.
vi.mock('../../src/worker/codec-pool.ts', async () => {
  const { InlinePool } = await import('../../src/engine/index.ts');
  const pool = new InlinePool();
  return { codecPool: () => pool };
});

const MIB = 1024 * 1024;
const bench = new EditBench();

beforeAll(() => {
  enterFolder('edits');
});
afterAll(leaveFolder);

const IO = ['write -P 1 0 1M', 'write -P 2 3M 300k', 'write -z 5M 64k'];

describe.skipIf(!available)('edits of options', () => {
  test('another name below', async () => {
    const at = new Case(bench, 'rename');
    await at.make('base.qcow2', '8M', IO, '-f', 'qcow2');
    await at.make(
      'a.qcow2',
      '8M',
      ['write -P 9 2M 1M'],
      '-f',
      'qcow2',
      '-b',
      'base.qcow2',
      '-F',
      'qcow2',
    );
    const { id } = await bench.open(at.path('a.qcow2'), at.path('base.qcow2'));
    const name = './base.qcow2';
    const { opened } = await bench.edit(id, { kind: 'rename-backing', name, format: 'qcow2' });
    expect(opened.info.backing?.name).toBe(name);
    // The file that lies there still goes by that name.
    expect(opened.chain.map(({ state }) => state)).toEqual(['open', 'open']);
    await at.really('rebase', '-u', '-b', name, '-F', 'qcow2', 'a.qcow2');
    await at.expectSame(id, 'a.qcow2');
    const none = await bench.edit(id, { kind: 'rename-backing', name: '', format: '' });
    expect(none.opened.info.backing).toBeUndefined();
    expect(none.opened.chain).toHaveLength(1);
    await at.really('rebase', '-u', '-b', '', 'a.qcow2');
    await at.expectSame(id, 'a.qcow2');
  });

  test('version, reference counts, lazy', async () => {
    const at = new Case(bench, 'amend');
    await at.make('a.qcow2', '64M', IO, '-f', 'qcow2', '-o', 'compat=0.10');
    const { id } = await bench.open(at.path('a.qcow2'));
    const options = { compat: '1.1', refcount_bits: '32', lazy_refcounts: 'on' };
    const { opened } = await bench.edit(id, { kind: 'amend', options });
    expect(opened.pending?.after.findings).toMatchObject({ corruptions: 0, leaks: 0 });
    await at.really('amend', '-o', 'compat=1.1,refcount_bits=32,lazy_refcounts=on', 'a.qcow2');
    await at.expectSame(id, 'a.qcow2');
    await bench.edit(id, { kind: 'amend', options: { refcount_bits: '16', compat: '0.10' } });
    await at.really('amend', '-o', 'refcount_bits=16,compat=0.10', 'a.qcow2');
    await at.expectSame(id, 'a.qcow2');
    await bench.edit(id, { kind: 'amend', options: { size: '96M' } });
    await at.really('amend', '-o', 'size=96M', 'a.qcow2');
    await at.expectSame(id, 'a.qcow2');
  });

  test.each([
    [{ compat: '1.2' }, 'edit-refused option'],
    [{ cluster_size: '4096' }, 'edit-refused option'],
    [{ refcount_bits: '3' }, 'edit-refused option'],
    [{ size: 'much' }, 'edit-refused option'],
    [{ lazy_refcounts: 'on' }, 'amend-refused lazy'],
    [{ data_file: 'x' }, 'amend-refused no-data-file'],
    [{ refcount_bits: '8' }, 'amend-refused narrow-in-v2'],
    [{ backing_file: 'x' }, 'amend-refused backing'],
  ] as [Record<string, string>, string][])('refused: %o', async (options, said) => {
    const at = new Case(bench, `refused-${Object.entries(options).join()}`);
    await at.make('a.qcow2', '1M', [], '-f', 'qcow2', '-o', 'compat=0.10');
    const { id } = await bench.open(at.path('a.qcow2'));
    expect(await refusal(bench.edit(id, { kind: 'amend', options }))).toBe(said);
    expect(await refusal(Promise.resolve().then(() => bench.changes.pending(id)))).toContain(
      'internal',
    );
  });

  test('bitmaps', async () => {
    const at = new Case(bench, 'bitmaps');
    await at.make('a.qcow2', '64M', IO, '-f', 'qcow2');
    const path = at.path('a.qcow2');
    await make('qemu-img', ['bitmap', '--add', path, 'one']);
    await make('qemu-io', ['-f', 'qcow2', '-c', 'write -P 3 10M 1M', path]);
    at.copy('a.qcow2');
    const { id } = await bench.open(path);
    const steps: [Edit, string[]][] = [
      [
        { kind: 'add-bitmap', name: 'two', granularity: 131072, disabled: true },
        ['--add', '--disable', '-g', '128k', 'a.qcow2', 'two'],
      ],
      [{ kind: 'merge-bitmap', name: 'two', from: 'one' }, ['--merge', 'one', 'a.qcow2', 'two']],
      [{ kind: 'enable-bitmap', name: 'two' }, ['--enable', 'a.qcow2', 'two']],
      [{ kind: 'disable-bitmap', name: 'one' }, ['--disable', 'a.qcow2', 'one']],
      [{ kind: 'add-bitmap', name: 'three' }, ['--add', 'a.qcow2', 'three']],
      [{ kind: 'clear-bitmap', name: 'one' }, ['--clear', 'a.qcow2', 'one']],
      [{ kind: 'remove-bitmap', name: 'three' }, ['--remove', 'a.qcow2', 'three']],
    ];
    for (const [edit, command] of steps) {
      await bench.edit(id, edit);
      await at.really('bitmap', ...command);
    }
    await at.expectSame(id, 'a.qcow2');
    const marked = await bitmapContents(await bench.images.disk(id), 'two');
    expect(marked.first).toEqual([{ offset: 10 * MIB, length: MIB }]);
    expect((await bitmapContents(await bench.images.disk(id), 'one')).marked).toBe(0);
    const again = bench.edit(id, { kind: 'add-bitmap', name: 'two' });
    expect(await refusal(again)).toBe('bitmap-refused exists');
    const none = bench.edit(id, { kind: 'merge-bitmap', name: 'two', from: 'nobody' });
    expect(await refusal(none)).toBe('bitmap-missing');
  });
});

describe.skipIf(!available)('edits made again', () => {
  test('in turn, until another one is made', async () => {
    const at = new Case(bench, 'redo');
    await at.make('a.qcow2', '8M', IO, '-f', 'qcow2');
    const { id } = await bench.open(at.path('a.qcow2'));
    await bench.edit(id, { kind: 'resize', size: 16 * MIB });
    await bench.edit(id, { kind: 'create-snapshot', name: 'then' });
    const { opened } = await bench.edit(id, { kind: 'add-bitmap', name: 'b' });
    expect(opened.undone).toEqual([]);

    const back = await bench.changes.undo(id, Infinity);
    expect(back.pending).toBeUndefined();
    expect(back.undone.map(({ edit: { kind } }) => kind)).toEqual([
      ...['resize', 'create-snapshot', 'add-bitmap'],
    ]);
    const one = await bench.changes.redo(id);
    expect(one.info.virtualSize).toBe(16 * MIB);
    expect(one.undone).toHaveLength(2);
    await bench.changes.redo(id);
    const all = await bench.changes.redo(id);
    expect(all.pending).toEqual(opened.pending);
    expect(await refusal(bench.changes.redo(id))).toContain('internal');

    await bench.changes.undo(id, 1);
    await bench.edit(id, { kind: 'add-bitmap', name: 'c' });
    expect(await refusal(bench.changes.redo(id))).toContain('internal');
    await at.really('resize', '-q', 'a.qcow2', '16M');
    await at.really('snapshot', '-c', 'then', 'a.qcow2');
    await at.really('bitmap', '--add', 'a.qcow2', 'c');
    const { pending } = await bench.changes.undo(id, 0);
    expect(pending?.edits).toHaveLength(3);
    await at.expectContent(id, 'a.qcow2');
  });
});
