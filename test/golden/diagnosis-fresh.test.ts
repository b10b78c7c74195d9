/** What the real programs make is healthy, and says so: what it uses is named, and no more. */
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

/** Options, and what is said of such an image. */
const FRESH: [options: string, codes: string[]][] = [
  ['compat=1.1', []],
  ['compat=0.10', ['old-version']],
  ['refcount_bits=8', ['refcount-width-unusual']],
  ['extended_l2=on', ['readers-limited']],
  ['compression_type=zstd', ['readers-limited']],
  ['lazy_refcounts=on', ['lazy-refcounts-elsewhere']],
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
  it.each(FRESH)('%s', async (options, codes) => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, at('fresh'), '16M']);
    const commands = DATA.flatMap((command) => ['-c', command]);
    await make('qemu-io', [...commands, at('fresh')]);
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
