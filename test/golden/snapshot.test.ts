import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, expectSame, hashOf, make, ours, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
  process.chdir(folder);
  const create = (name: string, ...options: string[]) =>
    make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, name, '1M']);
  await create('none.qcow2');
  await create('base.qcow2');
  await create('some.qcow2', '-b', 'base.qcow2', '-F', 'qcow2');
  await create('old.qcow2', '-o', 'compat=0.10');
  for (const tag of ['one', 'zwei ü', 'a name that is longer than its column', 'one', '']) {
    await make('qemu-img', ['snapshot', '-c', tag, 'some.qcow2']);
  }
  await make('qemu-img', ['snapshot', '-c', 'x', 'old.qcow2']);
  await create('orphan.qcow2', '-u', '-b', 'gone.qcow2', '-F', 'qcow2');
  // Fields that only a running machine fills in.
  const machine = new Qcow2Editor('some.qcow2');
  const entry = machine.get('snapshotsOffset');
  machine.bytes.writeUInt32BE(0xfffffff0, entry + 16);
  machine.setEntry(entry + 24, 987_654_321_987_654n);
  machine.setEntry(entry + 40, 3n * 2n ** 32n + 12_345n);
  machine.setEntry(entry + 56, 2n ** 63n + 5n);
  machine.save('machine.qcow2');
  const corrupt = new Qcow2Editor('some.qcow2');
  corrupt.setBit('incompatible', 1);
  corrupt.save('corrupt.qcow2');
  const dirty = new Qcow2Editor('some.qcow2');
  dirty.setBit('incompatible', 0);
  dirty.save('dirty.qcow2');
  writeFileSync('r.raw', 'no image at all');
  writeFileSync('empty', '');
  mkdirSync('folder');
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

function words(line: string): string[] {
  return line === '' ? [] : line.split(' ').map((word) => (word === "''" ? '' : word));
}

const SAME = [
  ...[
    '',
    '--what',
    '-z',
    '-lz',
    '-f qcow2 -l some.qcow2',
    '-U=3',
    '--force=3',
    '--list some.qcow2',
  ],
  ...['-a', '-c', '-d', '-q', '-l', '-l a b', 'a b', '-l --object x some.qcow2'],
  ...['-l -a x some.qcow2', '-a x -l some.qcow2', '-a x -a y some.qcow2', '-l -l some.qcow2'],
  ...['-d x -l', '-c x -l', '-a one -c two', '-c x -d x -z'],
  ...['-l some.qcow2', '-lq some.qcow2', '-U -l some.qcow2', '-l machine.qcow2', '-l old.qcow2'],
  ...[
    '-l none.qcow2',
    '-l base.qcow2',
    '-l r.raw',
    '-l empty',
    '-l corrupt.qcow2',
    '-l dirty.qcow2',
  ],
  ...[
    '-l nothing',
    "-l ''",
    '-l /',
    '-l folder',
    '-l strange:x',
    '-l orphan.qcow2',
    '-l file:some.qcow2',
  ],
  '-l --image-opts driver=qcow2,file.filename=some.qcow2',
  // Without an action nothing is done, and the image must be there
  ...['none.qcow2', '-q none.qcow2', 'r.raw', 'file:r.raw', 'empty', 'corrupt.qcow2'],
  ...['nothing', "''", 'strange:x', 'orphan.qcow2', '-U none.qcow2', '-U nothing'],
];

describe.skipIf(!available)('snapshot: the same answer to', () => {
  it.each(SAME)('%s', async (line) => {
    await expectSame(['snapshot', ...words(line)]);
  });

  it('info says the same of them', async () => {
    await expectSame(['info', 'machine.qcow2']);
    await expectSame(['info', '--output=json', 'machine.qcow2']);
  });

  it('changes nothing, also where the real program would', async () => {
    const hash = await hashOf('dirty.qcow2');
    expect(await ours(['snapshot', 'dirty.qcow2'])).toEqual({
      stdout: '',
      stderr: '',
      exitCode: 0,
    });
    expect(await hashOf('dirty.qcow2')).toBe(hash);
    expect((await qemuImg(['snapshot', 'dirty.qcow2'])).exitCode).toBe(0);
    expect(await hashOf('dirty.qcow2')).not.toBe(hash);
  });
});
