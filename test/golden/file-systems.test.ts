/**
 * What is said of file systems that the programs here make now, beside what blkid says of them.
 * Which of the programs there are differs; mkfs.ext4 and mkswap are nearly everywhere.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileSystemInfo } from '../../src/engine/guest/file-system.ts';
import { readContents } from '../../src/engine/guest/file-system-reader.ts';

const MIB = 1024 * 1024;
/** Tools for disks are not in everybody's path. */
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/sbin:/usr/sbin` };

const folder = mkdtempSync(join(tmpdir(), 'file-systems-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[], input = ''): string {
  return execFileSync(command, args, { env, input, stdio: ['pipe', 'pipe', 'pipe'] }).toString();
}

function isThere(command: string): boolean {
  try {
    run('sh', ['-c', `command -v ${command}`]);
    return true;
  } catch {
    return false;
  }
}

const UUID = 'c0ffee00-1234-4567-89ab-0123456789ab';

/** The size of each, and how it is made. */
const MAKERS: readonly (readonly [command: string, size: number, args: readonly string[]])[] = [
  ['mkfs.ext2', 9 * MIB, ['-q', '-F', '-L', 'two', '-U', UUID]],
  ['mkfs.ext3', 17 * MIB, ['-q', '-F', '-b', '2048', '-L', 'three', '-U', UUID]],
  ['mkfs.ext4', 70 * MIB, ['-q', '-F', '-b', '4096', '-L', 'four', '-U', UUID]],
  ['mkfs.ext4', 40 * MIB, ['-q', '-F', '-O', '^has_journal,^64bit', '-L', 'no journal']],
  ['mkfs.ext4', 300 * MIB, ['-q', '-F', '-O', 'bigalloc', '-C', '65536']],
  ['mkfs.xfs', 400 * MIB, ['-q', '-f', '-L', 'xfs', '-b', 'size=1024']],
  ['mkfs.btrfs', 200 * MIB, ['-q', '-f', '-L', 'a b c']],
  ['mkfs.ntfs', 20 * MIB, ['-q', '-F', '-f', '-c', '8192', '-L', 'Nordöst']],
  ['mkfs.vfat', 2 * MIB, ['-F', '12', '-n', 'TWELVE']],
  ['mkfs.vfat', 20 * MIB, ['-F', '16', '-s', '4']],
  ['mkfs.vfat', 300 * MIB, ['-F', '32', '-n', 'THIRTY TWO']],
  ['mkfs.vfat', 300 * MIB, ['-F', '32', '-S', '4096']],
  ['mkfs.exfat', 90 * MIB, ['-L', 'exfat label']],
  ['mkswap', 3 * MIB, ['-q', '-L', 'swap', '-U', UUID]],
  ['mkswap', 3 * MIB, ['-q', '-p', '16384']],
  ['mkfs.f2fs', 70 * MIB, ['-q', '-f', '-l', 'f2fs']],
];

/** By the names of blkid; those of FAT and LUKS are told apart by the version. */
function kindOf(facts: Record<string, string>): string | undefined {
  const { ID_FS_TYPE: type, ID_FS_VERSION: version = '' } = facts;
  if (type === 'vfat') return version.toLowerCase();
  if (type === 'crypto_LUKS') return `luks${version}`;
  return type;
}

function byBlkid(path: string): Record<string, string> {
  const lines = run('blkid', ['-p', '-o', 'udev', path]).trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('=') as [string, string]));
}

async function byUs(path: string): Promise<FileSystemInfo | undefined> {
  const file = openSync(path, 'r');
  try {
    const read = (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      readSync(file, bytes, 0, length, offset);
      return Promise.resolve(bytes);
    };
    return (await readContents(read, fstatSync(file).size)).whole;
  } finally {
    closeSync(file);
  }
}

/** A file of zeros. */
function blank(name: string, size: number): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

describe.skipIf(!isThere('blkid'))('file systems', () => {
  it.each(MAKERS.map((maker, index) => [maker[0], index] as const))('%s (%i)', async (_, index) => {
    const [command, size, args] = MAKERS[index] ?? ['', 0, []];
    if (!isThere(command)) return;
    const path = blank(`${index}`, size);
    run(command, [...args, path]);
    const facts = byBlkid(path);
    const found = await byUs(path);
    expect(found?.kind).toBe(kindOf(facts));
    // There, letters that a path does not like are escaped.
    const label = decodeURIComponent((facts['ID_FS_LABEL_ENC'] ?? '').replaceAll('\\x', '%'));
    expect(found?.label).toBe(label);
    expect(found?.uuid).toBe(facts['ID_FS_UUID'] ?? '');
    expect(found).toMatchObject({ isDirty: false, isDamaged: false, isCut: false });
    expect(found?.size).toBeGreaterThan(0.95 * size);
    expect(found?.size).toBeLessThanOrEqual(size);
    truncateSync(path, Math.floor(size / 2));
    expect((await byUs(path))?.isCut).toBe(true);
  });

  it.skipIf(!isThere('dumpe2fs'))('ext: blocks in use as dumpe2fs counts them', async () => {
    const path = blank('counted', 50 * MIB);
    run('mkfs.ext4', ['-q', '-F', path]);
    const text = run('dumpe2fs', ['-h', path]);
    const number = (name: string) => Number(new RegExp(`^${name}: *(\\d+)`, 'm').exec(text)?.[1]);
    const used = (number('Block count') - number('Free blocks')) * number('Block size');
    expect((await byUs(path))?.used).toBe(used);
  });

  it.skipIf(!isThere('cryptsetup'))('LUKS', async () => {
    for (const version of ['1', '2']) {
      const path = blank(`luks${version}`, 20 * MIB);
      const cost = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000'];
      const args = ['luksFormat', '-q', '--type', `luks${version}`, ...cost, path, '-'];
      run('cryptsetup', args, 'pass');
      const facts = byBlkid(path);
      expect(await byUs(path)).toMatchObject({ kind: kindOf(facts), uuid: facts['ID_FS_UUID'] });
    }
  });
});

describe.skipIf(!isThere('sfdisk') || !isThere('mkfs.ext4'))('a divided disk', () => {
  let path = '';
  beforeAll(() => {
    path = blank('disk', 64 * MIB);
    const table = 'label: gpt\nstart=2048, size=65536, type=L, name="one"\nsize=16384, type=S\n';
    run('sfdisk', ['-q', path], table);
    const partition = blank('partition', 32 * MIB);
    run('mkfs.ext4', ['-q', '-F', '-L', 'inside', partition]);
    run('dd', [`if=${partition}`, `of=${path}`, 'bs=1M', 'seek=1', 'conv=notrunc']);
  });

  it('says what is where, as sfdisk does', async () => {
    const { partitiontable } = JSON.parse(run('sfdisk', ['-J', path])) as {
      partitiontable: { partitions: { start: number; size: number; type: string }[] };
    };
    const file = openSync(path, 'r');
    const read = (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      readSync(file, bytes, 0, length, offset);
      return Promise.resolve(bytes);
    };
    const { table, inside } = await readContents(read, 64 * MIB);
    closeSync(file);
    const found = table?.partitions.map(({ start, length, type }) => {
      return { start: start / 512, size: length / 512, type };
    });
    expect(found).toEqual(
      partitiontable.partitions.map(({ start, size, type }) => ({ start, size, type })),
    );
    expect(inside[0]).toMatchObject({ kind: 'ext4', label: 'inside', size: 32 * MIB });
    expect(inside[1]).toBeUndefined();
  });
});
