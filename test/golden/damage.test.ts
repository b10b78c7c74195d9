import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FOUND_BY_CHECK, HEADERS, LATER, makeBases, type Base, type Damage } from './damage.ts';
import { available, expectSame, hashOf, ours, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
let bases: Record<Base, string> | undefined;

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'damage-'));
  bases = await makeBases(folder);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

function damaged({ base, edit }: Damage): { path: string; sound: string } {
  const sound = bases?.[base] ?? '';
  const path = join(folder, 'damaged.qcow2');
  const editor = new Qcow2Editor(sound);
  edit(editor);
  editor.save(path);
  return { path, sound };
}

async function expectSameAnswers(path: string): Promise<void> {
  for (const command of ['info', 'check', 'map']) {
    await expectSame([command, '-f', 'qcow2', path]);
    await expectSame([command, '--output=json', path]);
  }
}

async function expectSameContent(path: string, sound: string): Promise<void> {
  const real = join(folder, 'real.raw');
  const own = join(folder, 'own.raw');
  // One after the other: of several readers, any may be the first to complain.
  const convert = ['convert', '-m', '1', '-O', 'raw', path];
  const [expected, actual] = await Promise.all([
    qemuImg([...convert, real]),
    ours([...convert, own]),
  ]);
  expect(actual).toEqual(expected);
  if (expected.exitCode === 0) expect(await hashOf(own)).toBe(await hashOf(real));
  await expectSame(['compare', path, sound]);
}

/** As above, without the messages of everything that reads. */
async function expectSameResults(path: string, sound: string): Promise<void> {
  await expectSame(['check', path]);
  await expectSame(['check', '--output=json', path]);
  for (const args of [
    ['map', path],
    ['map', '--output=json', path],
    ['compare', path, sound],
  ]) {
    const [expected, actual] = await Promise.all([qemuImg(args), ours(args)]);
    expect({ ...actual, stderr: '' }).toEqual({ ...expected, stderr: '' });
  }
}

describe.skipIf(!available)('damage that a check finds', () => {
  it.each(FOUND_BY_CHECK.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const { path, sound } = damaged(one);
    if (one.otherMessages !== undefined) return expectSameResults(path, sound);
    await expectSameAnswers(path);
    await expectSameContent(path, sound);
  });
});

describe.skipIf(!available)('headers at their limits', () => {
  it.each(HEADERS.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const { path } = damaged(one);
    await expectSameAnswers(path);
  });
});

describe.skipIf(!available)('what is not copied', () => {
  /** The real program adds to the size and gets a small one; what it says then is about that. */
  it('a size of all ones is too big, and said to be', async () => {
    const { path } = damaged({
      name: '',
      base: 'big',
      edit: (image) => {
        image.set('size', 2n ** 64n - 1n);
      },
    });
    const stderr = `qemu-img: Could not open '${path}': Image is too big\n`;
    expect((await qemuImg(['info', path])).exitCode).toBe(1);
    expect(await ours(['info', path])).toEqual({ stdout: '', stderr, exitCode: 1 });
  });
});

describe.skipIf(!available)('features that are read later', () => {
  it.each(LATER.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    const { path } = damaged(one);
    await expectSame(['info', path]);
    await expectSame(['info', '--output=json', path]);
    await expectSame(['check', path]);
  });
});
