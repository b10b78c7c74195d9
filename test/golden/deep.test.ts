/** The deep look at what the real programs wrote. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage, type DeepFacts } from '../../src/engine/index.ts';
import { lookDeep } from '../../src/engine/diagnosis/deep.ts';
import { memory } from '../images/memory.ts';
import { available, make, qemuImg } from './programs.ts';

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'deep-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const create = (name: string, ...options: string[]) =>
  make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, at(name), '16M']);
const io = (name: string, ...commands: string[]) =>
  make('qemu-io', [...commands.flatMap((command) => ['-c', command]), at(name)]);

async function look(name: string, change?: (bytes: Buffer) => void): Promise<DeepFacts> {
  const bytes = readFileSync(at(name));
  change?.(bytes);
  const gate = (asked: { name: string }) =>
    memory(readFileSync(join(folder, asked.name)), asked.name);
  return lookDeep(await openImage(await memory(bytes, name), { gate }), {});
}

describe.skipIf(!available)('the deep look', () => {
  it.each(['zlib', 'zstd'])('finds the one packed cluster that is broken: %s', async (type) => {
    await create('source.qcow2');
    await io('source.qcow2', 'write -P 7 0 3M', 'write -P 8 5M 1M', 'write -z 8M 1M');
    const options = ['-o', `compression_type=${type}`];
    await make('qemu-img', [
      ...['convert', '-c', '-O', 'qcow2', ...options, at('source.qcow2'), at('packed.qcow2')],
    ]);
    const sound = await look('packed.qcow2');
    expect(sound).toMatchObject({ packedClusters: 64, brokenPacked: 0, bytesRead: 4 * 2 ** 20 });
    expect(sound).toMatchObject({ zeroFilled: 0, stale: 0, unreadable: 0, secrets: [] });
    const { stdout } = await qemuImg(['check', '--output=json', at('packed.qcow2')]);
    const { 'compressed-clusters': counted } = JSON.parse(stdout) as Record<string, number>;
    expect(sound.packedClusters).toBe(counted);
    // The first byte of the stream of the last cluster but one.
    const disk = await openImage(await memory(readFileSync(at('packed.qcow2'))));
    const extents = (await disk.map(0, disk.size)).filter(({ kind }) => kind === 'compressed');
    const broken = extents.at(-2);
    const damaged = await look('packed.qcow2', (bytes) => {
      bytes[broken?.hostOffset ?? 0] = 0xff;
    });
    expect(damaged).toMatchObject({ packedClusters: 64, brokenPacked: 1 });
    expect(damaged.brokenPlaces).toEqual([{ offset: broken?.offset, length: 65536 }]);
  });

  it.each(['', 'extended_l2=on', 'cluster_size=4k', 'cluster_size=2M'])(
    'counts zeros that were written, and what equals the image below: %s',
    async (options) => {
      const more = options === '' ? [] : ['-o', options];
      await create('base.qcow2', ...more);
      await io('base.qcow2', 'write -P 1 0 4M', 'write -P 2 4M 4M');
      await create('over.qcow2', ...more, '-F', 'qcow2', '-b', 'base.qcow2');
      await io('over.qcow2', 'write -P 1 2M 4M', 'write -P 0 6M 2M', 'write -P 0 10M 4M');
      const facts = await look('over.qcow2');
      const MIB = 2 ** 20;
      // From 2 MiB on the same as below, from 4 MiB on another letter.
      expect(facts).toMatchObject({ zeroFilled: 6 * MIB, equalToBacking: 2 * MIB, stale: 0 });
      // What is written anew as zeros keeps its place, and what was in it.
      await io('over.qcow2', 'write -z 2M 2M');
      const { stale, stalePlaces, equalToBacking } = await look('over.qcow2');
      expect({ stale, equalToBacking }).toEqual({ stale: 2 * MIB, equalToBacking: 0 });
      expect(stalePlaces.reduce((sum, { length }) => sum + length, 0)).toBe(2 * MIB);
    },
  );

  it('reads what only snapshots hold, which is no remains', async () => {
    await create('old.qcow2');
    await io('old.qcow2', 'write -P 3 0 1M');
    await make('qemu-img', ['snapshot', '-c', 'before', at('old.qcow2')]);
    await io('old.qcow2', 'write -P 4 0 1M');
    expect(await look('old.qcow2')).toMatchObject({ stale: 0, bytesRead: 2 * 2 ** 20 });
  });
});
