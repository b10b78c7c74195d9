/** A change is looked at before it is put in: a damaged image is not made worse by it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available, make, ours, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'verify-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** 64 KiB clusters: header, table, block, L1, L2 and data from cluster 5 on. */
async function makeImage(name: string): Promise<string> {
  const path = join(folder, name);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
  await make('qemu-io', ['-c', 'write -P 7 0 256k', path]);
  return path;
}

describe.skipIf(!available)('changes of damaged images', () => {
  test('refcounts that are too low: nothing is written, and it is said why', async () => {
    const path = await makeImage('low.qcow2');
    const image = new Qcow2Editor(path);
    // The refcount of the first data cluster.
    image.bytes.writeUInt16BE(0, 2 * 65536 + 5 * 2);
    image.save(path);
    const before = readFileSync(path);
    for (const command of [
      ['snapshot', '-c', 'one', path],
      ['resize', '-q', path, '2M'],
      ['bitmap', '--add', path, 'b'],
    ]) {
      const { stderr, exitCode } = await ours(command);
      expect(stderr).toMatch(/The image has \d+ errors and a change could destroy data; repair it/);
      expect(exitCode).toBe(1);
    }
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('a check that cannot go on says nothing of free clusters', async () => {
    const path = await makeImage('stopped.qcow2');
    await make('qemu-img', ['bitmap', '--add', path, 'b']);
    const image = new Qcow2Editor(path);
    // A misaligned entry in the table of a bitmap that was not saved cleanly: nobody reads it but
    // the check. The extension: type, length, 16 bytes, then where the directory is. That begins
    // with where the table is (8 bytes), its size (4) and the flags.
    const extension = image.bytes.indexOf('23852875', 0, 'hex');
    const directory = Number(image.entry(extension + 24));
    image.setEntry(Number(image.entry(directory)), 0x200n);
    image.bytes.writeUInt32BE(1, directory + 12);
    image.save(path);
    const before = readFileSync(path);
    for (const command of [
      ['snapshot', '-c', 'one', path],
      ['bitmap', '--add', path, 'c'],
    ]) {
      const { stderr, exitCode } = await ours(command);
      expect(stderr).toMatch(/The image has 1 errors and a change could destroy data; repair it/);
      expect(exitCode).toBe(1);
    }
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test('damage that says nothing of free clusters keeps nobody from a change', async () => {
    const path = await makeImage('reserved.qcow2');
    const image = new Qcow2Editor(path);
    // A reserved bit of the second L2 entry.
    const at = 4 * 65536 + 8;
    image.bytes.writeBigUInt64BE(image.bytes.readBigUInt64BE(at) | 8n, at);
    image.save(path);
    expect((await ours(['snapshot', '-c', 'one', path])).exitCode).toBe(0);
    // Seen from the snapshot, too.
    const { stderr, stdout } = await qemuImg(['check', path]);
    expect(stderr + stdout).toMatch(/2 errors were found on the image/);
    expect(stderr).toMatch(/found l2 entry with reserved bits set/);
  });

  test('leaks stay as they are', async () => {
    const path = await makeImage('leak.qcow2');
    const image = new Qcow2Editor(path);
    image.bytes.writeUInt16BE(2, 2 * 65536 + 5 * 2);
    image.save(path);
    expect((await ours(['resize', '-q', path, '2M'])).exitCode).toBe(0);
    expect((await qemuImg(['check', path])).stdout).toMatch(/1 leaked clusters were found/);
  });
});
