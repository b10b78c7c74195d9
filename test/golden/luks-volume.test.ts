/** LUKS volumes: made, read and changed, by ours and by the real program in turn. */
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secrets } from './luks.ts';
import { noise } from './make-images.ts';
import { available, expectSame, hashOf, make, makeEncrypted, ours, qemuImg } from './programs.ts';
import { both, enterFolder, fork, inOwn, leaveFolder } from './side-by-side.ts';

const ALL = secrets('first', 'second', 'third');
const SIZE = 2 ** 20 + 1536;

beforeAll(async () => {
  if (!available) return;
  enterFolder('luks-volume');
  const raw = new Uint8Array(SIZE);
  raw.set(noise(200_000, 1), 70_000);
  raw.set(noise(1000, 2), SIZE - 1000);
  writeFileSync('src.raw', raw);
  await makeEncrypted([
    ...['convert', '-O', 'luks', ...ALL, '-o', 'key-secret=s0,iter-time=10'],
    ...['src.raw', 'v.luks'],
  ]);
});

afterAll(leaveFolder);

function node(name: string, secret = 's0'): string[] {
  return ['--image-opts', `driver=luks,key-secret=${secret},file.filename=${name}`];
}

/** Both read a volume as `src.raw`. */
async function expectContent(name: string, secret = 's0'): Promise<void> {
  for (const run of [qemuImg, ours]) {
    const { stderr } = await run([
      'convert',
      ...ALL,
      ...node(name, secret),
      '-O',
      'raw',
      'out.raw',
    ]);
    expect(stderr).toBe('');
    expect(await hashOf('out.raw')).toBe(await hashOf('src.raw'));
  }
}

describe.skipIf(!available)('a volume', () => {
  it('is described without a passphrase and with one', async () => {
    for (const output of ['human', 'json']) {
      await expectSame(['info', `--output=${output}`, 'v.luks']);
      await expectSame(['info', `--output=${output}`, ...ALL, ...node('v.luks')]);
      await expectSame(['map', `--output=${output}`, ...ALL, ...node('v.luks')]);
    }
    await expectContent('v.luks');
  });

  it.each([
    ['check', ...node('v.luks')],
    ['check', 'v.luks'],
    ['map', 'v.luks'],
    ['measure', '-O', 'qcow2', ...node('v.luks')],
    ['info', '-f', 'luks', 'src.raw'],
    ['info', ...node('v.luks', 's2')],
    ['map', ...node('v.luks', 's2')],
    ['map', ...node('v.luks', 's9')],
    ['info', '--image-opts', 'driver=luks,file.filename=v.luks,encrypt.key-secret=s0'],
    ['convert', '-O', 'raw', 'v.luks', 'out.raw'],
    ['snapshot', '-l', 'v.luks'],
    ['compare', '-f', 'luks', 'v.luks', 'v.luks'],
    ['resize', 'v.luks', '+1M'],
  ])('%s %s %s %s %s', async (command, ...args) => {
    await expectSame([command, ...ALL, ...args.filter((one) => one !== undefined)]);
  });

  it('cut short', async () => {
    const { length } = readFileSync('v.luks');
    copyFileSync('v.luks', 'cut.luks');
    for (const size of [length - SIZE + 700, length - SIZE, length - SIZE - 1, 5000, 600, 100, 7]) {
      truncateSync('cut.luks', size);
      await expectSame(['info', 'cut.luks']);
      await expectSame(['map', '--output=json', ...ALL, ...node('cut.luks')]);
    }
  });
});

describe.skipIf(!available)('making one', () => {
  it.each([
    'iter-time=10',
    'iter-time=10,cipher-alg=aes-128,hash-alg=sha1',
    'iter-time=10,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256',
  ])('%s', async (options) => {
    const list = `key-secret=s0,${options}`;
    const create = ['create', ...ALL, '-f', 'luks', '-o', list, 'new.luks', '1000000'];
    await makeEncrypted(create);
    const { size } = statSync('new.luks');
    const made = await ours(create);
    expect(made.stderr).toBe('');
    expect(made.stdout).toContain("Formatting 'new.luks', fmt=luks size=1000000 key-secret=s0");
    expect(statSync('new.luks').size).toBe(size);
    await expectSame(['info', 'new.luks']);
    const convert = ['convert', ...ALL, '-O', 'luks', '-o', list, 'src.raw', 'new.luks'];
    expect((await ours(convert)).stderr).toBe('');
    await expectContent('new.luks');
  });

  it.each([
    ['-f', 'luks', 'new.luks', '1M'],
    ['-f', 'luks', '-o', 'key-secret=s9', 'new.luks', '1M'],
    ['-f', 'luks', '-o', 'key-secret=s0,cipher-alg=foo', 'new.luks', '1M'],
    ['-f', 'luks', '-o', 'key-secret=s0,cipher-mode=xts,cipher-alg=cast5-128', 'new.luks', '1M'],
    ['-f', 'luks', '-o', 'key-secret=s0,preallocation=foo', 'new.luks', '1M'],
    ['-f', 'luks', '-o', 'encrypt.key-secret=s0', 'new.luks', '1M'],
    ['-f', 'luks', '-o', 'key-secret=s0', '-b', 'src.raw', '-F', 'raw', 'new.luks', '1M'],
  ])('refuses %s %s %s %s', async (...args) => {
    await expectSame(['create', ...ALL, ...args.filter((one) => one !== undefined)]);
  });

  it('measured as it is', async () => {
    await expectSame([
      'measure',
      '-O',
      'luks',
      ...ALL,
      '-o',
      'key-secret=s0,iter-time=10',
      'src.raw',
    ]);
  });
});

describe.skipIf(!available)('changing one', () => {
  it('another size', async () => {
    for (const size of ['+1M', '1500k', '+0']) {
      fork('v.luks');
      await both(['resize', ...ALL, ...node('v.luks'), size]);
      await both(['resize', '--shrink', ...ALL, ...node('v.luks'), '300k']);
      expect(await hashOf('own/v.luks')).toBe(await hashOf('real/v.luks'));
    }
  });

  it('as a base of others', async () => {
    fork('v.luks');
    const create = ['create', '-q', '-u', '-f', 'qcow2', '-b', 'v.luks', '-F', 'luks'];
    await both([...create, 'top.qcow2', String(SIZE)]);
    const top = [
      ...['driver=qcow2,file.filename=top.qcow2,backing.driver=luks,backing.key-secret=s0'],
      'backing.file.filename=v.luks',
    ].join();
    for (const side of ['real', 'own']) {
      const io = ['-c', 'write -P 7 100k 5k', '-c', 'write -z 600k 200k', ...ALL];
      process.chdir(side);
      await make('qemu-io', [...io, '--image-opts', top]);
      process.chdir('..');
    }
    await both(['commit', '-q', ...ALL, '--image-opts', top]);
    expect(await hashOf('own/v.luks')).toBe(await hashOf('real/v.luks'));
  });

  it('written into', async () => {
    fork('v.luks', 'src.raw');
    for (const side of ['real', 'own']) writeFileSync(join(side, 'part.raw'), noise(SIZE, 9));
    const target = 'driver=luks,key-secret=s0,file.filename=v.luks';
    await both(['dd', 'if=part.raw', 'of=part2.raw']);
    await both(['convert', '-n', ...ALL, '--target-image-opts', 'part.raw', target]);
    const real = await hashOf('real/v.luks');
    expect(await hashOf('own/v.luks')).toBe(real);
  });

  it('its passphrases', async () => {
    copyFileSync('v.luks', 'k.luks');
    const amend = (options: string, secret = 's0', ...more: string[]) =>
      ours(['amend', ...ALL, ...more, ...node('k.luks', secret), '-o', options]);
    const silent = { stdout: '', stderr: '', exitCode: 0 };
    expect(await amend('state=active,new-secret=s1,iter-time=10')).toEqual(silent);
    await expectContent('k.luks', 's1');
    expect(await amend('state=active,new-secret=s2,keyslot=5,iter-time=10', 's1')).toEqual(silent);
    await expectSame(['info', 'k.luks']);
    expect(await amend('state=inactive,old-secret=s0', 's1')).toEqual(silent);
    await expectSame(['map', ...ALL, ...node('k.luks')]);
    await expectContent('k.luks', 's2');
    expect(await amend('state=inactive,keyslot=1', 's2')).toEqual(silent);
    await expectContent('k.luks', 's2');
  });

  it.each([
    'size=1M',
    'encrypt.state=active',
    'keyslot=1',
    'state=foo',
    'state=active',
    'state=active,new-secret=s9',
    'state=active,new-secret=s1,old-secret=s0',
    'state=active,new-secret=s1,keyslot=9',
    'state=active,new-secret=s1,keyslot=0',
    'state=inactive',
    'state=inactive,keyslot=0',
    'state=inactive,old-secret=s0',
    'state=inactive,old-secret=s2',
    'state=inactive,iter-time=3,keyslot=1',
    'nonsense=1',
  ])('refuses amend -o %s', async (options) => {
    fork('v.luks');
    await both(['amend', ...ALL, ...node('v.luks'), '-o', options]);
    expect(await hashOf('own/v.luks')).toBe(await hashOf('v.luks'));
  });

  it('is not possible without a passphrase', async () => {
    fork('v.luks');
    await both(['amend', ...ALL, '-f', 'luks', '-o', 'state=inactive,keyslot=0', 'v.luks']);
    expect((await inOwn(['amend', '-f', 'luks', '-o', 'help'])).stdout).toContain('keyslot=<num>');
  });
});
