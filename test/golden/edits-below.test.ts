/** What lies below an image, changed by the app and by the real program side by side. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { FormatName, ImageId } from '../../src/worker/api.ts';
import { compareStates } from '../../src/worker/view-compare.ts';
import { available, make, qemuImg } from './programs.ts';
import { enterFolder, leaveFolder } from './side-by-side.ts';
import { Case, EditBench, refusal } from './worker-edits.ts';

// There are no threads of a browser here.
vi.mock('../../src/worker/codec-pool.ts', async () => {
  const { InlinePool } = await import('../../src/engine/index.ts');
  const pool = new InlinePool();
  return { codecPool: () => pool };
});

const bench = new EditBench();
const MIB = 1024 * 1024;

beforeAll(() => {
  enterFolder('edits-below');
});
afterAll(leaveFolder);

/** base.qcow2 (8 MiB), mid.qcow2 over it, a.qcow2 over that; other.raw (6 MiB) and short.qcow2. */
async function chain(name: string, format = 'qcow2'): Promise<Case> {
  const at = new Case(bench, name);
  const base = ['write -P 1 0 3M', 'write -P 2 5M 300k'];
  await at.make('base.qcow2', '8M', base, '-f', 'qcow2');
  const mid = ['write -P 3 1M 64k', 'write -z 2M 128k'];
  await at.make('mid.qcow2', '8M', mid, '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2');
  const top = ['write -P 4 4M 1M', 'write -z 256k 64k'];
  await at.make('a.img', '8M', top, '-f', format, '-b', 'mid.qcow2', '-F', 'qcow2');
  await at.make('other.raw', '6M', ['write -P 1 0 2M', 'write -P 6 5M 1M'], '-f', 'raw');
  return at;
}

function openAll(at: Case, top = 'a.img') {
  return bench.open(at.path(top), at.path('mid.qcow2'), at.path('base.qcow2'));
}

async function rebase(at: Case, id: ImageId, to: string, format: FormatName, compress = false) {
  const { id: base } = await bench.open(at.path(to), at.path('base.qcow2'));
  const edit = { kind: 'rebase', to: { image: base, name: to, format }, compress } as const;
  const takes = await bench.foresee(id, edit);
  const result = await bench.edit(id, edit);
  return { ...result, takes: takes.takes };
}

describe.skipIf(!available)('rebase', () => {
  test.each([
    ['other.raw', 'raw', false],
    ['other.raw', 'raw', true],
    ['base.qcow2', 'qcow2', false],
  ] as const)('onto %s (%s), packed: %s', async (to, format, compress) => {
    const at = await chain(`onto-${to}-${String(compress)}`);
    const { id } = await openAll(at);
    const before = await bench.images.disk(id);
    expect(before.backing?.backing).toBeDefined();
    const { opened, takes } = await rebase(at, id, to, format, compress);
    expect(opened.info.backing).toMatchObject({ name: to, format });
    expect(opened.chain.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'a.img open',
      `${to} open`,
    ]);
    expect(takes?.exact).toBe(false);
    // Of the base itself, nothing is read: only what the image between has.
    if (to === 'base.qcow2') expect(takes).toMatchObject({ data: 192 * 1024, zeros: 0 });
    await at.really('rebase', '-f', 'qcow2', '-b', to, '-F', format, 'a.img');
    await at.expectSame(id, 'a.img');
    const { chain: back } = await bench.changes.undo(id, 1);
    expect(back.map(({ name }) => name)).toEqual(['a.img', 'mid.qcow2', 'base.qcow2']);
    const { chain: again } = await bench.changes.redo(id);
    expect(again).toEqual(opened.chain);
  });

  test('onto an image with a chain of its own', async () => {
    const at = await chain('onto-chain');
    await make('qemu-img', [
      'rebase',
      '-f',
      'qcow2',
      '-b',
      'other.raw',
      '-F',
      'raw',
      at.path('a.img'),
    ]);
    at.copy('a.img');
    const { id } = await bench.open(at.path('a.img'), at.path('other.raw'));
    const { opened } = await rebase(at, id, 'mid.qcow2', 'qcow2');
    expect(opened.chain.map(({ name, state }) => `${name} ${state}`)).toEqual([
      ...['a.img open', 'mid.qcow2 open', 'base.qcow2 open'],
    ]);
    await at.really('rebase', '-f', 'qcow2', '-b', 'mid.qcow2', '-F', 'qcow2', 'a.img');
    await at.expectSame(id, 'a.img');
  });

  test('onto nothing', async () => {
    const at = await chain('onto-nothing');
    const { id } = await openAll(at);
    const { opened } = await bench.edit(id, { kind: 'rebase', to: undefined, compress: false });
    expect(opened.chain).toHaveLength(1);
    await at.really('rebase', '-f', 'qcow2', '-b', '', 'a.img');
    await at.expectSame(id, 'a.img');
  });

  test('QED', async () => {
    const at = await chain('qed', 'qed');
    const { id } = await openAll(at);
    await rebase(at, id, 'other.raw', 'raw');
    await at.really('rebase', '-f', 'qed', '-b', 'other.raw', '-F', 'raw', 'a.img');
    await at.expectSame(id, 'a.img', 'qed');
  });

  test('refused', async () => {
    const at = await chain('refused');
    const alone = await bench.open(at.path('a.img'));
    const whole = await openAll(at);
    const base = await bench.open(at.path('base.qcow2'));
    const to = { image: base.id, name: 'base.qcow2', format: 'qcow2' } as const;
    const rebaseTo = (image: ImageId, more: object) =>
      refusal(bench.edit(image, { kind: 'rebase', to: { ...to, ...more }, compress: false }));
    expect(await rebaseTo(alone.id, {})).toBe('backing-missing');
    expect(await rebaseTo(base.id, {})).toBe('backing-loop');
    expect(await rebaseTo(base.id, { image: whole.id, name: 'a.img' })).toBe('backing-loop');
    expect(await rebaseTo(whole.id, { format: 'raw' })).toBe('edit-refused backing-format');
    expect(await rebaseTo(whole.id, { name: 'x'.repeat(1024) })).toBe('edit-refused backing-name');
    await bench.edit(base.id, { kind: 'resize', size: 16 * MIB });
    expect(await rebaseTo(whole.id, {})).toBe('edit-refused unsaved');
    expect(bench.images.hasChanges(whole.id)).toBe(false);
  });
});

describe.skipIf(!available)('commit', () => {
  test.each([
    ['base.qcow2', ['-b', 'base.qcow2'], 'qcow2'],
    ['mid.qcow2', ['-d'], 'qcow2'],
  ])('into %s', async (name, where, format) => {
    const at = await chain(`into-${name}`);
    await make('qemu-img', ['resize', '-q', '-f', 'qcow2', at.path('a.img'), '9M']);
    await make('qemu-img', ['bitmap', '--add', at.path(name), 'since']);
    at.copy('a.img');
    at.copy(name);
    const over = await openAll(at);
    const { id } = await bench.open(at.path(name), at.path('base.qcow2'));
    const edit = { kind: 'commit', from: over.id } as const;
    const { takes, resize } = await bench.foresee(id, edit);
    expect(takes?.exact).toBe(true);
    expect(takes?.data).toBe(MIB + (name === 'base.qcow2' ? 64 * 1024 : 0));
    expect(resize).toMatchObject({ oldSize: 8 * MIB, newSize: 9 * MIB });
    const { opened } = await bench.edit(id, edit);
    expect(opened.info.virtualSize).toBe(9 * MIB);
    expect(opened.pending?.edits[0]?.oldSize).toBe(8 * MIB);
    await at.really('commit', '-q', '-f', 'qcow2', ...where, 'a.img');
    await at.expectSame(id, name, format);
  });

  test('into a raw disk that is shorter, and empties what was above it', async () => {
    const at = new Case(bench, 'into-raw');
    await at.make('base.raw', '3M', ['write -P 1 0 3M'], '-f', 'raw');
    const io = ['write -P 2 1M 64k', 'write -z 2M 64k', 'write -P 5 3M 1M'];
    await at.make('a.img', '4M', io, '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw');
    const over = await bench.open(at.path('a.img'), at.path('base.raw'));
    const { id } = await bench.open(at.path('base.raw'));
    const { opened } = await bench.edit(id, { kind: 'commit', from: over.id });
    expect(opened.info.virtualSize).toBe(4 * MIB);
    expect(opened.pending?.after.findings).toBeUndefined();

    // As long as the base is not saved, it would be gone.
    const lost = await bench.foresee(over.id, { kind: 'empty' });
    expect(lost.different).toBe(64 * 1024 + 64 * 1024 + MIB);
    await at.really('commit', '-q', '-f', 'qcow2', 'a.img');
    await at.expectSame(id, 'base.raw', 'raw');
    const now = await bench.open(at.path('a.img'), at.path('base.raw'));
    const { different, freed } = await bench.foresee(now.id, { kind: 'empty' });
    expect(different).toBe(0);
    const emptied = await bench.edit(now.id, { kind: 'empty' });
    expect(freed).toBe(emptied.opened.pending?.edits[0]?.freed);
    expect(freed).toBeGreaterThan(MIB);
    await at.expectSame(now.id, 'a.img');
  });

  test('from a folder with files of the same name', async () => {
    const at = new Case(bench, 'same-name');
    const below = new Case(bench, 'same-name/below');
    await below.make('a.img', '2M', ['write -P 1 0 1M'], '-f', 'qcow2');
    const create = ['create', '-q', '-f', 'qcow2', '-b', below.path('a.img'), '-F', 'qcow2'];
    await make('qemu-img', [...create, at.path('a.img')]);
    await make('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 512k 100k', at.path('a.img')]);
    const { id: from, chain: places } = await bench.open(at.path('a.img'));
    const key = places[1]?.key ?? '';
    const { id } = await bench.open(below.path('a.img'));
    await bench.images.attach(from, key, bench.images.file(id));
    await bench.edit(id, { kind: 'commit', from });
    const io = ['-f', 'qcow2', '-c', 'write -P 7 512k 100k', `${below.real}/a.img`];
    await make('qemu-io', io);
    await below.expectContent(id, 'a.img');
  });

  test('refused', async () => {
    const at = await chain('commit-refused');
    const over = await openAll(at);
    const stranger = await bench.open(at.path('other.raw'));
    const into = (id: ImageId, from: ImageId) => refusal(bench.edit(id, { kind: 'commit', from }));
    expect(await into(stranger.id, over.id)).toBe('edit-refused not-below');
    expect(await into(over.id, over.id)).toBe('edit-refused not-below');
    const base = await bench.open(at.path('base.qcow2'));
    expect(await refusal(bench.edit(base.id, { kind: 'empty' }))).toBe(
      'edit-refused nothing-below',
    );
    await bench.edit(over.id, { kind: 'resize', size: 16 * MIB });
    expect(await into(base.id, over.id)).toBe('edit-refused unsaved');
  });
});

describe.skipIf(!available)('comparing', () => {
  test('states of an image, and images', async () => {
    const at = await chain('compare');
    const { id } = await openAll(at);
    await bench.edit(id, { kind: 'create-snapshot', name: 'then' });
    await bench.save(id, at.path('then.img'));
    await make('qemu-io', ['-f', 'qcow2', '-c', 'write -P 9 100k 1000', at.path('then.img')]);
    const now = await openAll(at, 'then.img');
    const [snapshot] = now.info.snapshots;
    const then = { image: now.id, snapshot: { id: snapshot?.id ?? '', name: 'then' } };
    const report = await compareStates(
      { kind: 'compare', first: { image: now.id }, second: then },
      bench.context,
    );
    const bytes = Math.ceil((100 * 1024 + 1000) / 512) * 512 - 100 * 1024;
    expect(report).toMatchObject({
      ...{ identical: false, different: bytes, ranges: 1 },
      first: [{ offset: 100 * 1024, length: bytes }],
    });
    const { id: other } = await bench.open(at.path('other.raw'));
    const two = await compareStates(
      { kind: 'compare', first: { image: id }, second: { image: other } },
      bench.context,
    );
    expect(two.sizes).toEqual([8 * MIB, 6 * MIB]);
    expect(two.different).toBeGreaterThan(0);
    const real = await qemuImg(
      ['compare', '-f', 'qcow2', '-F', 'raw', 'a.img', 'other.raw'],
      at.own,
    );
    const [, offset] = /offset (\d+)/.exec(real.stdout) ?? [];
    expect(two.first[0]?.offset).toBe(Number(offset));
    const same = await compareStates(
      { kind: 'compare', first: { image: id }, second: then },
      bench.context,
    );
    expect(same).toMatchObject({ identical: true, different: 0, ranges: 0, first: [] });
  });
});
