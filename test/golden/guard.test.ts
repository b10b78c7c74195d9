/** `guard`: what is remembered of a backing file outlives the real program, and a change is noticed. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';

let folder = '';
let base = '';
let overlay = '';

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'guard-'));
  const writes = ['write -P 1 0 1M', 'write -P 2 20M 3M'].flatMap((one) => ['-c', one]);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', at('base.clean'), '64M']);
  await make('qemu-io', ['-f', 'qcow2', ...writes, at('base.clean')]);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  if (!available) return;
  base = at('base.qcow2');
  overlay = at('over.qcow2');
  copyFileSync(at('base.clean'), base);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', overlay]);
});

const at = (name: string) => join(folder, name);

const io = (file: string, ...commands: string[]) =>
  make('qemu-io', ['-f', 'qcow2', ...commands.flatMap((one) => ['-c', one]), file]);

async function verified(): Promise<{ exitCode: unknown; status: string; changes?: string[] }> {
  const { stdout, exitCode } = await ours(['guard', '--output=json', overlay]);
  return { exitCode, ...(JSON.parse(stdout) as { status: string; changes?: string[] }) };
}

/** The real program finds nothing to say of the image. */
async function expectQuiet(): Promise<void> {
  const info = await qemuImg(['info', '--backing-chain', overlay]);
  expect(info).toMatchObject({ stderr: '', exitCode: 0 });
  const check = await qemuImg(['check', overlay]);
  expect(check).toMatchObject({ stderr: '', exitCode: 0 });
  expect(check.stdout).toMatch(/^No errors were found/);
}

describe.skipIf(!available)('guard', () => {
  it('remembers, and notices nothing where nothing has changed', async () => {
    expect(await verified()).toMatchObject({ exitCode: 3, status: 'nothing' });
    expect(await ours(['guard', '--keep', overlay])).toMatchObject({ exitCode: 0, stderr: '' });
    await expectQuiet();
    expect(await verified()).toMatchObject({ exitCode: 0, status: 'same', changes: [] });
    // Once more is the same, and not two of them.
    expect((await ours(['guard', '--keep', overlay])).exitCode).toBe(0);
    const marks = readFileSync(overlay).subarray(0, 65536).toString('latin1').split('Qbfp');
    expect(marks).toHaveLength(2);
  });

  const REWRITES: Record<string, () => Promise<unknown>> = {
    'amend -o lazy_refcounts': () =>
      make('qemu-img', ['amend', '-o', 'lazy_refcounts=on', overlay]),
    'amend -o compat=0.10': () => make('qemu-img', ['amend', '-o', 'compat=0.10', overlay]),
    'rebase -u': () => make('qemu-img', ['rebase', '-u', '-b', base, '-F', 'qcow2', overlay]),
    'snapshot -c': () => make('qemu-img', ['snapshot', '-c', 'one', overlay]),
    resize: () => make('qemu-img', ['resize', '-q', overlay, '96M']),
    'bitmap --add': () => make('qemu-img', ['bitmap', '--add', overlay, 'b0']),
    'writing from the guest': () => io(overlay, 'write -P 9 5M 2M'),
    'our own resize and snapshot': async () => {
      await ours(['resize', '-q', overlay, '96M']);
      await ours(['snapshot', '-c', 'one', overlay]);
    },
  };
  it.each(Object.keys(REWRITES))('outlives %s', async (name) => {
    await ours(['guard', '--keep', overlay]);
    const header = () => readFileSync(overlay).subarray(0, 65536);
    const before = header();
    await REWRITES[name]?.();
    if (name !== 'writing from the guest') {
      const same = name === 'rebase -u' || !header().equals(before);
      expect(same).toBe(true);
    }
    await expectQuiet();
    expect(await verified()).toMatchObject({ exitCode: 0, status: 'same' });
  });

  const CHANGES: Record<string, [string[], () => Promise<unknown>]> = {
    'new clusters': [['metadata'], () => io(base, 'write -P 7 40M 64k')],
    'a discarded cluster': [['metadata'], () => io(base, 'discard 20M 64k')],
    'the first sector in place': [['content'], () => io(base, 'write -P 7 0 512')],
    'another size': [['virtual-size'], () => make('qemu-img', ['resize', '-q', base, '80M'])],
  };
  it.each(Object.keys(CHANGES))('notices %s', async (name) => {
    await ours(['guard', '--keep', overlay]);
    const [changes, change] = CHANGES[name]!;
    await change();
    const found = await verified();
    expect(found).toMatchObject({ exitCode: 2, status: 'changed' });
    expect(found.changes).toEqual(expect.arrayContaining(changes));
    const { stdout } = await ours(['guard', overlay]);
    expect(stdout).toMatch(/HAS CHANGED since 20\d\d-/);
  });

  it('does not mind a snapshot of the base, which no overlay sees', async () => {
    await ours(['guard', '--keep', overlay]);
    await make('qemu-img', ['snapshot', '-c', 'one', base]);
    expect((await verified()).changes ?? []).not.toContain('metadata');
    expect((await verified()).changes ?? []).not.toContain('content');
  });

  it('says that the image was given another base, and forgets', async () => {
    await ours(['guard', '--keep', overlay]);
    copyFileSync(base, at('moved.qcow2'));
    const moved = ['-b', at('moved.qcow2'), '-F', 'qcow2'];
    await make('qemu-img', ['rebase', '-u', ...moved, overlay]);
    expect(await verified()).toMatchObject({ status: 'same', 'other-base': true });
    expect(await ours(['guard', '--drop', overlay])).toMatchObject({ exitCode: 0 });
    expect((await ours(['guard', '--drop', overlay])).exitCode).toBe(3);
    expect(await verified()).toMatchObject({ exitCode: 3 });
    await expectQuiet();
  });

  it('guards other formats below', async () => {
    for (const format of ['raw', 'vmdk', 'vhdx']) {
      const below = at(`base.${format}`);
      await make('qemu-img', ['convert', '-O', format, at('base.clean'), below]);
      await make('qemu-img', ['rebase', '-u', '-b', below, '-F', format, overlay]);
      expect(await ours(['guard', '--keep', overlay]), format).toMatchObject({ exitCode: 0 });
      expect(await verified(), format).toMatchObject({ exitCode: 0 });
      await make('qemu-io', ['-f', format, '-c', 'write -P 7 40M 64k', below]);
      const found = await verified();
      // A raw disk has no tables: a write that no sample meets is not seen.
      if (format !== 'raw') expect(found, format).toMatchObject({ exitCode: 2 });
      await make('qemu-io', ['-f', format, '-c', 'write -P 7 63.5M 64k', below]);
      expect(await verified(), format).toMatchObject({ exitCode: 2 });
    }
  });

  it('refuses a header without room, and changes nothing', async () => {
    const tiny = at('tiny.qcow2');
    const long = at(`${'x'.repeat(180)}.qcow2`);
    copyFileSync(base, long);
    const options = ['-o', 'cluster_size=512', '-b', long, '-F', 'qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, tiny]);
    const before = readFileSync(tiny);
    const { exitCode, stderr } = await ours(['guard', '--keep', tiny]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe('qemu-img: No space left in the file header\n');
    expect(readFileSync(tiny).equals(before)).toBe(true);
  });

  it('says what it cannot do', async () => {
    expect(await ours(['guard', base])).toMatchObject({
      exitCode: 1,
      stderr: `qemu-img: '${base}' has no backing file\n`,
    });
    expect((await ours(['guard', '--keep', '--drop', overlay])).exitCode).toBe(1);
    rmSync(base);
    expect((await ours(['guard', overlay])).exitCode).toBe(1);
  });
});
