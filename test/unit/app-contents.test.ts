import { beforeAll, describe, expect, it, vi } from 'vitest';
import { factsOfPart, notesOf, partsOf, suggested, usedShare } from '../../src/app/contents.ts';
import { typeName } from '../../src/app/contents-types.ts';
import { spaceOf } from '../../src/app/space.ts';
import { words } from '../../src/app/words.svelte.ts';
import { readContents } from '../../src/engine/guest/file-system-reader.ts';
import type { DiskContents } from '../../src/worker/api.ts';
import { fileSystem, type FileSystemSample } from '../images/file-systems.ts';

vi.hoisted(() => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', { documentElement: {} });
});

beforeAll(async () => {
  await words.use('en');
  await words.loadPart('contents');
});

const MIB = 1024 * 1024;

async function contentsOf(name: FileSystemSample): Promise<[DiskContents, number]> {
  const { size, read } = fileSystem(name);
  const { table, inside, whole } = await readContents(read, size);
  return [{ table, inside: [...inside], whole, isEmpty: false }, size];
}

describe('the parts of a disk', () => {
  it('are in order, with what is free between them, without what only holds others', async () => {
    const [contents, size] = await contentsOf('mbr.raw');
    const parts = partsOf(contents, size);
    const numbers = parts.map(({ partition }) => partition?.number ?? 'free');
    expect(numbers).toEqual([1, 'free', 5, 'free', 6, 'free', 3]);
    for (const [index, part] of parts.entries()) {
      const next = parts[index + 1];
      if (next !== undefined) expect(part.start + part.length).toBeLessThanOrEqual(next.start);
    }
    expect(suggested(parts)?.partition?.number).toBe(5);
  });

  it('the MiB before the first partition and the copy at the end are not free', async () => {
    const [contents, size] = await contentsOf('gpt.raw');
    const parts = partsOf(contents, size);
    expect(parts[0]?.start).toBe(MIB);
    expect(parts.filter(({ look }) => look === 'free')).toHaveLength(2);
  });

  it('say what needs attention, and where they begin', async () => {
    const [contents, size] = await contentsOf('mbr.raw');
    const parts = partsOf(contents, size);
    const last = parts.at(-1);
    if (last === undefined) throw new Error('no part');
    const warnings = notesOf(last, parts, size).filter(({ tone }) => tone === 'warn');
    expect(warnings.map(({ text }) => text)).toEqual([
      'It goes on behind the end of the disk, which is at 250 MiB.',
      'The file system has 32 MiB, but there is only room for 15.6 MiB: its end is missing.',
      'It was not unmounted cleanly, or was in use when the image was made.',
    ]);
    const start = factsOfPart(last).find(({ id }) => id === 'part-start');
    expect(start).toMatchObject({ copy: '245760000', note: 'sector 480,000, not on a whole MiB' });
    expect(usedShare(last)).toBeCloseTo(2910208 / (32 * MIB));
  });

  it('that overlap are said to', () => {
    const partition = (number: number, start: number) => {
      return { number, start: start * MIB, length: 10 * MIB, type: '83', name: '' };
    };
    const partitions = [partition(1, 1), partition(2, 5)];
    const table = { scheme: 'mbr' as const, partitions, gpt: undefined };
    const inside = [undefined, 'unreadable' as const];
    const parts = partsOf({ table, inside, whole: undefined, isEmpty: false }, 64 * MIB);
    const [first, second] = parts;
    if (first === undefined || second === undefined) throw new Error('no parts');
    expect(notesOf(first, parts, 64 * MIB)[0]?.text).toContain('partition 2');
    expect(notesOf(second, parts, 64 * MIB).map(({ text }) => text)).toContain(
      'Its beginning cannot be read.',
    );
  });

  it('have types by name', () => {
    expect(typeName('83')).toBe('linux');
    expect(typeName('C12A7328-F81F-11D2-BA4B-00A0C93EC93B')).toBe('efi');
    expect(typeName('77')).toBe('unknown');
  });
});

describe('where the bytes of a file went', () => {
  it('puts kinds together and leaves out what there is none of', () => {
    const parts = spaceOf([
      { kind: 'header', size: 1 },
      { kind: 'l2', size: 2 },
      { kind: 'leaked', size: 4 },
      { kind: 'data', size: 8 },
      { kind: 'free', size: 0 },
    ]);
    expect(parts).toEqual([
      { kind: 'data', size: 8 },
      { kind: 'metadata', size: 3 },
      { kind: 'leaked', size: 4 },
    ]);
  });
});
