import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { available, make, makeEncrypted, ours, qemuImg, qemuIo } from './programs.ts';
import { both, enterFolder, expectSameImage, fork, leaveFolder, writeTo } from './side-by-side.ts';

beforeEach(() => {
  if (available) enterFolder('resize');
});
afterEach(leaveFolder);

interface Info {
  'virtual-size': number;
}

const create = (name: string, size: string, options = 'compat=1.1') =>
  make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, name, size]);

describe.skipIf(!available)('resize', () => {
  it('of images with snapshots keeps them', async () => {
    await create('x', '4M', 'cluster_size=4k');
    await writeTo('x', ['write -P 1 0 4M']);
    await make('qemu-img', ['snapshot', '-c', 'one', 'x']);
    await writeTo('x', ['write -P 2 1M 1M']);
    await make('qemu-img', ['snapshot', '-c', 'two', 'x']);
    await writeTo('x', ['write -P 3 2M 1M']);
    fork('x');
    for (const size of ['3M', '1500k', '6M', '2M']) {
      await both(['resize', '--shrink', 'x', size]);
      await expectSameImage('x');
      for (const snapshot of ['one', 'two']) {
        for (const side of ['real', 'own']) {
          const copy = `${side}-copy`;
          await make('qemu-img', ['convert', '-l', snapshot, '-O', 'raw', `${side}/x`, copy]);
        }
        const identical = readFileSync('own-copy').equals(readFileSync('real-copy'));
        expect(identical).toBe(true);
      }
    }
  });

  it('of packed images', async () => {
    writeFileSync('raw', Buffer.alloc(5_000_192, 'some text that packs well, over and over '));
    await make('qemu-img', ['convert', '-c', '-O', 'qcow2', 'raw', 'x']);
    fork('x');
    for (const size of ['3M', '983040', '6M']) {
      await both(['resize', '--shrink', 'x', size]);
      await expectSameImage('x');
    }
  });

  it('shows no old bytes of the cluster that the disk ended in, unlike the real program', async () => {
    for (const options of ['cluster_size=64k', 'extended_l2=on', 'compat=0.10']) {
      writeFileSync('raw', Buffer.alloc(256 * 1024, 'old'));
      const how = options === 'compat=0.10' ? ['-c'] : [];
      await make('qemu-img', ['convert', ...how, '-O', 'qcow2', '-o', options, 'raw', 'y']);
      for (const size of ['100352', '256k']) {
        expect((await ours(['resize', '--shrink', 'y', size])).exitCode).toBe(0);
      }
      await make('qemu-img', ['convert', '-O', 'raw', 'y', 'y.raw']);
      const expected = Buffer.alloc(256 * 1024);
      expected.fill('old', 0, 100352);
      expect(readFileSync('y.raw').equals(expected), options).toBe(true);
      expect((await qemuImg(['check', 'y'])).stdout).toMatch(/^No errors/);
    }
  });

  it('that crosses L2 tables and refcount blocks', async () => {
    await create('x', '30M', 'cluster_size=512,refcount_bits=64');
    await writeTo('x', ['write -P 1 0 5M', 'write -P 2 10M 3M', 'write -P 3 29M 1M']);
    fork('x');
    for (const size of ['20M', '+10M', '11M', '100k', '60M', '7M']) {
      await both(['resize', '--shrink', '--', 'x', size]);
      await expectSameImage('x');
    }
  });

  it('fits persistent bitmaps', async () => {
    await create('x', '40M');
    await make('qemu-img', ['bitmap', '--add', '-g', '512', 'x', 'fine']);
    await make('qemu-img', ['bitmap', '--add', '-g', '2M', 'x', 'coarse']);
    await make('qemu-img', ['bitmap', '--add', '--disable', '-g', '64k', 'x', 'off']);
    await writeTo('x', ['write -P 1 0 40M']);
    fork('x');
    for (const size of ['33619968', '+10M', '600M', '1M', '512']) {
      await both(['resize', '--shrink', 'x', size]);
      // The real program writes bitmaps anew at each opening, and so elsewhere.
      await expectSameImage('x', { isAsLong: false });
      for (const name of ['fine', 'coarse', 'off']) {
        const marks = ['real', 'own'].map((side) => ours(['map', '--bitmap', name, `${side}/x`]));
        const [real, own] = await Promise.all(marks);
        expect(own, `${name} at ${size}`).toEqual(real);
        expect(own?.exitCode).toBe(0);
      }
    }
  });

  it('says no to bitmaps that were not saved cleanly', async () => {
    await create('x', '4M');
    await make('qemu-img', ['bitmap', '--add', 'x', 'b']);
    await qemuIo(['-f', 'qcow2', '-c', 'abort', 'x']);
    fork('x');
    const { exitCode } = await both(['resize', 'x', '8M']);
    expect(exitCode).toBe(1);
  });

  it.each(['data_file=d', 'data_file=d,data_file_raw=on'])('with %s', async (options) => {
    fork();
    for (const side of ['real', 'own']) {
      process.chdir(side);
      await create('x', '1049088', options);
      await writeTo('x', ['write -P 1 0 100k', 'write -P 2 1M 512']);
      process.chdir('..');
    }
    for (const change of ['+100k', '5M', '--shrink 512k', '--preallocation=falloc 2M']) {
      const words = change.split(' ');
      await both(['resize', ...words.slice(0, -1), 'x', words.at(-1) ?? '']);
      process.chdir('own');
      const { exitCode, stdout } = await qemuImg(['check', 'x']);
      expect(exitCode, stdout).toBe(0);
      process.chdir('..');
      // As a raw disk it has to have the very size; the real program's may end with its cluster.
      const info = JSON.parse((await qemuImg(['info', '--output=json', 'own/x'])).stdout) as Info;
      expect(statSync('own/d').size).toBe(info['virtual-size']);
      const contents = await Promise.all(['real', 'own'].map(contentOf));
      expect(contents[1]).toBe(contents[0]);
    }
  });

  /** The name of a data file is seen from where the program runs. */
  async function contentOf(side: string): Promise<string> {
    const { stdout, stderr } = await qemuImg(['map', '--output=json', 'x'], side);
    await qemuImg(['convert', '-O', 'raw', 'x', 'copy'], side);
    return stdout + stderr + readFileSync(`${side}/copy`).toString('latin1');
  }

  it('of encrypted images', async () => {
    const secret = ['--object', 'secret,id=s,data=pass'];
    await makeEncrypted([
      ...['create', '-q', '-f', 'qcow2', ...secret, '-o', 'encrypt.iter-time=10'],
      ...['-o', 'encrypt.format=luks,encrypt.key-secret=s', 'x', '3M'],
    ]);
    const image = 'driver=qcow2,file.filename=x,encrypt.key-secret=s';
    await make('qemu-io', [...secret, '--image-opts', '-c', 'write -P 1 1M 2M', image]);
    fork('x');
    for (const size of ['2M', '5M']) {
      await both(['resize', ...secret, '--image-opts', '--shrink', image, size]);
      const checked = await qemuImg(['check', ...secret, '--image-opts', image], 'own');
      expect(checked.exitCode, checked.stdout + checked.stderr).toBe(0);
      const opened = ['real', 'own'].map((side) => image.replace('=x', `=${side}/x`));
      const compared = await qemuImg(['compare', ...secret, '--image-opts', ...opened]);
      expect(compared.stdout).toBe('Images are identical.\n');
    }
  });

  it.each([
    ['1M'],
    ['+1000'],
    ['1000'],
    ['--shrink', '1000'],
    ['--shrink', '512'],
    ['--preallocation=falloc', '1M'],
    ['--preallocation=full', '1M'],
    ['--preallocation=metadata', '1M'],
  ])('of raw images: %s %s', async (...change) => {
    writeFileSync('x', Buffer.alloc(5000, 'raw'));
    fork('x');
    await both(['resize', '-f', 'raw', ...change.slice(0, -1), 'x', change.at(-1) ?? '']);
    expect(readFileSync('own/x').equals(readFileSync('real/x'))).toBe(true);
    expect(statSync('own/x').blocks).toBe(statSync('real/x').blocks);
  });
});
