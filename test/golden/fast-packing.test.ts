/** Clusters that are packed in bytes of our own are read by the real program. */
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { convertToQcow2, MemoryStorage, openImage } from '../../src/engine/index.ts';
import { available, ours, qemuImg } from './programs.ts';

const SIZE = 2 ** 21 + 512 * 77;
let folder = '';
const at = (name: string) => join(folder, name);

/** Machine code and text out of this very program, with zeros and something random in between. */
beforeAll(() => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'fast-'));
  const bytes = Buffer.alloc(SIZE);
  const program = openSync(process.execPath, 'r');
  readSync(program, bytes, 0, 2 ** 21, 2 ** 24);
  closeSync(program);
  crypto.getRandomValues(bytes.subarray(2 ** 20 + 999, 2 ** 20 + 65_999));
  bytes.fill(0, 1_500_005, 1_700_000);
  writeFileSync(at('raw'), bytes);
});

afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

describe.skipIf(!available)('packed fast', () => {
  it.each([512, 4096, 65_536, 2 ** 21])('in clusters of %d bytes', async (clusterSize) => {
    const source = new MemoryStorage({ content: readFileSync(at('raw')) });
    const target = new MemoryStorage();
    await convertToQcow2([await openImage(source, { format: 'raw' })], target, {
      ...{ image: { clusterSize }, compress: true, packing: 'fast' },
    });
    const made = new Uint8Array(target.size);
    await target.read(0, made);
    writeFileSync(at('fast'), made);
    for (const program of [qemuImg, ours]) {
      const compared = await program(['compare', at('raw'), at('fast')]);
      expect(compared).toMatchObject({ exitCode: 0, stdout: 'Images are identical.\n' });
      const checked = await program(['check', at('fast')]);
      expect(checked, checked.stdout).toMatchObject({ exitCode: 0 });
    }
    const options = ['-c', '-O', 'qcow2', '-o', `cluster_size=${clusterSize}`];
    await qemuImg(['convert', ...options, at('raw'), at('real')]);
    const real = readFileSync(at('real')).length;
    expect(target.size / real).toBeLessThan(1.05);
  });
});
