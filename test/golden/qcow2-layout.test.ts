/** New qcow2 files: the same bytes as the real program writes, cluster for cluster. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { MemoryStorage, openImage, readPadded } from '../../src/engine/index.ts';
import { createQcow2, type Qcow2Options } from '../../src/engine/formats/qcow2/edit/create.ts';
import {
  convertToQcow2,
  type ConvertQcow2Options,
} from '../../src/engine/operations/convert-qcow2.ts';
import { available, make } from './programs.ts';

const MIB = 1024 * 1024;

/** Options as both sides want them. */
const OPTIONS: readonly (readonly [string, Partial<Qcow2Options>])[] = [
  ['cluster_size=64k', {}],
  ['cluster_size=512', { clusterSize: 512 }],
  // The refcount table of 64 entries, each of 64 clusters, is outgrown at 2 MiB.
  ['cluster_size=512,refcount_bits=64', { clusterSize: 512, refcountBits: 64 }],
  ['cluster_size=2M,refcount_bits=1', { clusterSize: 2 * MIB, refcountBits: 1 }],
  ['cluster_size=4k,refcount_bits=32', { clusterSize: 4096, refcountBits: 32 }],
  ['lazy_refcounts=on,refcount_bits=8', { lazyRefcounts: true, refcountBits: 8 }],
  ['extended_l2=on', { extendedL2: true }],
  ['extended_l2=on,cluster_size=16k', { extendedL2: true, clusterSize: 16384 }],
  ['compat=0.10', { version: 2 }],
];

let folder = '';
const host = new NodeHost(
  () => undefined,
  () => undefined,
);
const at = (name: string) => join(folder, name);

async function image(name: string, size: string, options: string, ...commands: string[]) {
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, at(name), size]);
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), at(name)]);
}

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'layout-'));
  const data = ['write -P 1 0 3M', 'write -P 2 5M 100k', 'write -P 3 6000k 4k', 'write -z 7M 64k'];
  await image(
    'plain',
    '24M',
    'cluster_size=64k',
    ...data,
    'write -P 5 20M 512',
    'write -P 0 21M 1M',
  );
  await image('empty', '24M', 'cluster_size=64k', 'write -z 0 1M');
  await image('small', '8M', 'cluster_size=512', ...data, 'write -P 5 8191k 512');
  await image('packed', '24M', 'cluster_size=64k', 'write -c -P 1 0 1M', ...data.slice(1));
  await image('parts', '24M', 'extended_l2=on', 'write -P 1 3k 10k', 'write -P 2 1M 5M');
  const base = `backing_file=${at('plain')},backing_fmt=qcow2`;
  await image('overlay', '30M', base, 'write -P 8 4M 2M', 'write -P 9 29M 3k');
  const noise = Buffer.alloc(5_000_000);
  for (let i = 0; i < noise.length; i++) {
    noise[i] = (i >>> 12) % 3 === 0 ? 0 : Math.imul(i, 2654435761) >>> 24;
  }
  writeFileSync(at('noise.raw'), noise);
  // Something that is worth packing: a program's own text.
  const own = ['programs.ts', 'qcow2-editor.ts', 'make-images.ts', 'qcow2-layout.test.ts'];
  const text = own.map((name) => readFileSync(join(import.meta.dirname, name)));
  writeFileSync(at('text.raw'), Buffer.concat(Array.from({ length: 8 }, () => text).flat()));
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

async function bytesOf(storage: MemoryStorage): Promise<Buffer> {
  return Buffer.from(await readPadded(storage, 0, storage.size));
}

/** Says where they differ, and not all that they hold. */
function expectEqual(own: Buffer, real: Buffer): void {
  expect(own.length).toBe(real.length);
  if (own.equals(real)) return;
  expect(own.findIndex((byte, index) => byte !== real[index])).toBe(-1);
}

describe.skipIf(!available)('an empty image', () => {
  const sizes = [0, 512, MIB, 1024 * MIB, 100 * MIB + 1536, 2 ** 40];
  const cases = sizes.flatMap((size) =>
    OPTIONS.map(([text, options]) => ({ size, text, options })),
  );

  it.each(cases)('of $size bytes, $text', async ({ size, text, options }) => {
    const args = ['create', '-q', '-f', 'qcow2', '-o', text, at('real'), String(size)];
    const storage = new MemoryStorage({ name: 'own' });
    const own = createQcow2(storage, size, options).then((writer) => writer.flush());
    if (text.includes('=512') && size === 2 ** 40) {
      await expect(own).rejects.toMatchObject({ code: 'too-large' });
      await expect(make('qemu-img', args)).rejects.toThrow('too large');
      return;
    }
    await own;
    await make('qemu-img', args);
    expectEqual(await bytesOf(storage), readFileSync(at('real')));
  });

  it.each(
    (['metadata', 'falloc', 'full'] as const).flatMap((preallocation) =>
      OPTIONS.map(([text, options]) => ({ preallocation, text, options })),
    ),
  )('with its clusters taken ($preallocation, $text)', async ({ preallocation, text, options }) => {
    const size = 9 * MIB + 1536;
    const all = `${text},preallocation=${preallocation}`;
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', all, at('real'), String(size)]);
    const storage = new MemoryStorage({ name: 'own' });
    await (await createQcow2(storage, size, { ...options, preallocation })).flush();
    expectEqual(await bytesOf(storage), readFileSync(at('real')));
  });
});

describe.skipIf(!available)('a conversion', () => {
  async function convert(name: string, options: ConvertQcow2Options): Promise<Buffer> {
    const open = (path: string) => host.open(path);
    const disk = await openImage(await open(at(name)), {
      gate: (request) => open(request.name),
      ...(name.endsWith('.raw') ? { format: 'raw' } : {}),
    });
    const storage = new MemoryStorage({ name: 'own' });
    await convertToQcow2([disk], storage, options);
    await disk.close();
    return bytesOf(storage);
  }

  const names = ['plain', 'empty', 'small', 'packed', 'parts', 'overlay', 'noise.raw'];
  const modes: readonly (readonly [string[], ConvertQcow2Options])[] = [
    [[], {}],
    [['-S', '64k'], { sparse: 65536 }],
    [['-S', '0'], { sparse: 0 }],
    [['-c'], { compress: true }],
  ];
  const cases = names.flatMap((name, index) =>
    modes.flatMap(([args, options]) =>
      // Every source meets every mode, and every third of the formats with each.
      OPTIONS.filter((_, which) => (which + index) % 3 === 0).map(([text, format]) => ({
        name,
        text,
        mode: args.join(' '),
        args,
        options: { ...options, image: format },
      })),
    ),
  );

  it.each(cases)('of $name to $text $mode', async ({ name, text, args, options }) => {
    const format = name.endsWith('.raw') ? 'raw' : 'qcow2';
    const command = ['convert', '-f', format, '-O', 'qcow2', '-o', text, ...args];
    await make('qemu-img', [...command, at(name), at('real')]);
    expectEqual(await convert(name, options), readFileSync(at('real')));
  });

  it.each(['plain', 'small', 'parts', 'overlay', 'noise.raw', 'text.raw'])(
    'of %s with zstd is read by the real program, and hardly larger than its own',
    async (name) => {
      const format = name.endsWith('.raw') ? 'raw' : 'qcow2';
      const command = ['convert', '-c', '-f', format, '-O', 'qcow2', '-o', 'compression_type=zstd'];
      await make('qemu-img', [...command, at(name), at('real')]);
      const own = await convert(name, { compress: true, image: { compressionType: 'zstd' } });
      writeFileSync(at('own'), own);
      await make('qemu-img', ['check', '-q', at('own')]);
      await make('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', format, at('own'), at(name)]);
      expect(own.length).toBeLessThanOrEqual(readFileSync(at('real')).length * 1.15);
    },
  );
});
