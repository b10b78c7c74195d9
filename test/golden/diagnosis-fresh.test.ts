/** What the real programs make is healthy, and says so: no false alarm about health or readers. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  diagnose,
  MemoryStorage,
  openImage,
  type DiagnosisFinding,
} from '../../src/engine/index.ts';
import { available, make } from './programs.ts';

const DATA = ['write -P 1 0 1M', 'write -P 2 5M 100k', 'write -z 6M 64k', 'discard 0 64k'];

/** Format, options, and what is said of such an image. */
const FRESH: [format: string, options: string, codes: string[]][] = [
  ['qcow2', 'compat=1.1', []],
  ['qcow2', 'compat=0.10', ['old-version']],
  ['qcow2', 'cluster_size=512', []],
  ['qcow2', 'refcount_bits=8', ['refcount-width-unusual']],
  ['qcow2', 'extended_l2=on', ['readers-limited']],
  ['qcow2', 'compression_type=zstd', ['readers-limited']],
  ['qcow2', 'lazy_refcounts=on', ['lazy-refcounts-elsewhere']],
  ['qcow2', 'preallocation=metadata', []],
  ['qed', 'cluster_size=64k', []],
  ['vdi', 'static=off', []],
  ['vhdx', 'subformat=dynamic', []],
  ['vmdk', 'subformat=monolithicSparse', []],
  ['vpc', 'subformat=dynamic', []],
  ['parallels', 'cluster_size=1M', []],
];

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fresh-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function said(name: string): Promise<DiagnosisFinding[]> {
  const storage = () => new MemoryStorage({ content: readFileSync(at(name)), name });
  const checked = await openImage(storage(), { mode: 'check' });
  const readable = await openImage(storage());
  const { findings } = await diagnose({ checked, readable }, { now: 0 });
  return findings.filter(({ area }) => area === 'health' || area === 'portability');
}

describe.skipIf(!available)('fresh images', () => {
  it.each(FRESH)('%s with %s', async (format, options, codes) => {
    await make('qemu-img', ['create', '-q', '-f', format, '-o', options, at('fresh'), '16M']);
    const commands = DATA.flatMap((command) => ['-c', command]);
    expect((await said('fresh')).map(({ code }) => code)).toEqual(codes);
    await make('qemu-io', ['-f', format, ...commands, at('fresh')]);
    const findings = await said('fresh');
    expect(findings.map(({ code }) => code)).toEqual(codes);
    expect(findings.filter(({ grade }) => grade !== 'note')).toEqual([]);
  });

  it('packed, with snapshots and a bitmap', async () => {
    const convert = ['convert', '-q', '-c', '-O', 'qcow2'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', at('source'), '16M']);
    await make('qemu-io', [...DATA.flatMap((command) => ['-c', command]), at('source')]);
    await make('qemu-img', [...convert, at('source'), at('packed')]);
    expect(await said('packed')).toEqual([]);
    await make('qemu-img', ['snapshot', '-c', 'one', at('packed')]);
    await make('qemu-io', ['-c', 'write -P 9 64k 512k', at('packed')]);
    await make('qemu-img', ['bitmap', '--add', at('packed'), 'daily']);
    const findings = await said('packed');
    expect(findings.map(({ code, grade }) => [code, grade])).toEqual([
      ['snapshots-stay-behind', 'note'],
    ]);
  });
});
