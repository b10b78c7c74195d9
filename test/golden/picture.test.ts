/** Pictures against what the real program maps, checks and counts. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import {
  CELL_KINDS,
  type CellKind,
  type Disk,
  FilePicture,
  guestPicture,
  guestRuns,
  type OpenMode,
  openImage,
  type PictureData,
  type PictureRun,
} from '../../src/engine/index.ts';
import { FOUND_BY_CHECK, makeBases, type Base } from './damage.ts';
import { available, make, qemuImg } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'picture-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const host = new NodeHost(
  () => undefined,
  () => undefined,
);

async function open(path: string, mode: OpenMode = 'read'): Promise<Disk> {
  const gate = ({ name }: { name: string }) => host.open(join(folder, name));
  return openImage(await host.open(path), { mode, gate });
}

const sumOf = (picture: PictureData, kind: CellKind) => picture.sums[CELL_KINDS.indexOf(kind)] ?? 0;

interface MapEntry {
  start: number;
  length: number;
  depth: number;
  present: boolean;
  zero: boolean;
  data: boolean;
  offset?: number;
}

async function json<Value>(args: readonly string[]): Promise<Value> {
  const { stdout } = await qemuImg(args, folder);
  return JSON.parse(stdout) as Value;
}

/** What the real program's map calls a run that is of this kind in the picture. */
function asMapped(kind: CellKind): string {
  if (kind === 'data' || kind === 'compressed') return 'here';
  if (kind === 'zero' || kind === 'zero-held') return 'zeros here';
  return kind;
}

function nameOf({ depth, present, zero, data }: MapEntry): string {
  if (!present) return 'unallocated';
  if (depth > 0) return 'backing';
  return zero && !data ? 'zeros here' : 'here';
}

function joined<Run extends { start: number; length: number; name: string }>(runs: readonly Run[]) {
  const all: { start: number; length: number; name: string }[] = [];
  for (const { start, length, name } of runs) {
    const last = all.at(-1);
    if (last?.name === name) last.length += length;
    else all.push({ start, length, name });
  }
  return all;
}

/** The disk's picture says of every byte what the real map says. */
async function expectSameMap(path: string, options: readonly string[] = []): Promise<PictureRun[]> {
  const map = await json<MapEntry[]>(['map', '--output=json', ...options]);
  const disk = await open(path);
  const runs = await guestRuns(disk, 0, 1e6);
  const ours = runs.map(({ offset: start, length, kind }) => ({
    start,
    length,
    name: asMapped(kind),
  }));
  const real = map.map((entry) => ({ ...entry, name: nameOf(entry) }));
  expect(joined(ours)).toEqual(joined(real));
  // Where a run is in one place, it is in the place that the map says.
  for (const { offset, other, kind } of runs) {
    if (kind !== 'data' || other < 0) continue;
    const entry = map.find(({ start, length }) => offset >= start && offset < start + length);
    // The real map tells no places of encrypted data.
    if (disk.cipher === undefined && disk.contentMissing === 'locked') continue;
    expect(entry?.offset).toBe(other - offset + (entry?.start ?? 0));
  }
  await disk.close();
  return runs;
}

interface Check {
  'allocated-clusters': number;
  'compressed-clusters'?: number;
  leaks?: number;
}

/** Both pictures agree with the counts of the real check, and the file is all of the file. */
async function expectSameCounts(path: string, clusterSize: number): Promise<void> {
  const check = await json<Check>(['check', '--output=json', path]);
  const disk = await open(path);
  const guest = await guestPicture(disk);
  const held = (['data', 'compressed', 'zero-held'] as const).map((kind) => sumOf(guest, kind));
  const [, packed = 0] = held;
  expect(held.reduce((a, b) => a + b) / clusterSize).toBe(check['allocated-clusters']);
  expect(packed / clusterSize).toBe(check['compressed-clusters'] ?? 0);
  const file = await new FilePicture(disk).picture();
  expect(file.sums.reduce((a, b) => a + b)).toBe(statSync(path).size);
  expect([sumOf(file, 'leaked'), sumOf(file, 'damaged')]).toEqual([0, 0]);
  const data = sumOf(guest, 'data');
  expect(sumOf(file, 'data')).toBe(data);
  expect(sumOf(file, 'zero-held')).toBe(sumOf(guest, 'zero-held'));
  await disk.close();
}

const WRITES = [
  'write -P 1 0 1M',
  'write -P 2 3M 64k',
  'write -P 3 5M 512k',
  'write -z 5M 64k',
  'write -z -u 5184k 64k',
  'write -z 7M 128k',
];
const PACKED = ['write -c -P 4 8M 64k', 'write -c -P 5 8256k 64k', 'write -c -P 6 8320k 64k'];

interface Case {
  name: string;
  options: string;
  clusterSize: number;
  packs?: boolean;
}

const CASES: readonly Case[] = [
  { name: 'plain', options: 'cluster_size=64k', clusterSize: 65536, packs: true },
  { name: 'tiny clusters', options: 'cluster_size=512', clusterSize: 512 },
  { name: 'large clusters', options: 'cluster_size=2M', clusterSize: 2097152 },
  { name: 'old', options: 'compat=0.10,cluster_size=4k', clusterSize: 4096 },
  { name: 'narrow refcounts', options: 'refcount_bits=1,cluster_size=4k', clusterSize: 4096 },
  { name: 'wide refcounts', options: 'refcount_bits=64,cluster_size=4k', clusterSize: 4096 },
  {
    name: 'zstd',
    options: 'compression_type=zstd,cluster_size=64k',
    clusterSize: 65536,
    packs: true,
  },
];

describe.skipIf(!available)('what the disk is', () => {
  it.each(CASES)('$name: as map and check say', async ({ options, clusterSize, packs, name }) => {
    const path = at(`${name}.qcow2`);
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, '64M']);
    const commands = packs === true ? [...WRITES, ...PACKED] : WRITES;
    await make('qemu-io', [...commands.flatMap((one) => ['-c', one]), path]);
    await expectSameMap(path, [path]);
    await expectSameCounts(path, clusterSize);
  });

  it('subclusters: as map says, to the subcluster', async () => {
    const path = at('extended.qcow2');
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      'extended_l2=on,cluster_size=128k',
      path,
      '64M',
    ]);
    const commands = [
      'write -P 1 0 4k',
      'write -P 1 12k 8k',
      'write -z 16k 4k',
      'write -P 2 1M 256k',
      'write -z 5M 4k',
    ];
    await make('qemu-io', [...commands.flatMap((one) => ['-c', one]), path]);
    const runs = await expectSameMap(path, [path]);
    expect(runs.length).toBeGreaterThan(6);
  });

  it('an external data file: as map says; the image itself is tables only', async () => {
    const path = at('outside.qcow2');
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `data_file=${at('outside.raw')}`,
      path,
      '64M',
    ]);
    await make('qemu-io', [...WRITES.flatMap((one) => ['-c', one]), path]);
    const disk = await openImage(await host.open(path), {
      mode: 'read',
      gate: ({ name }) => host.open(name),
    });
    const map = await json<MapEntry[]>(['map', '--output=json', path]);
    const runs = await guestRuns(disk, 0, 1e6);
    const ours = runs.map(({ offset: start, length, kind }) => ({
      start,
      length,
      name: asMapped(kind),
    }));
    expect(joined(ours)).toEqual(joined(map.map((entry) => ({ ...entry, name: nameOf(entry) }))));
    const file = await new FilePicture(disk).picture();
    expect(sumOf(file, 'data')).toBe(0);
    expect(file.sums.reduce((a, b) => a + b)).toBe(statSync(path).size);
    await disk.close();
  });

  it('a chain: as map says', async () => {
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', at('base.qcow2'), '64M']);
    await make('qemu-io', ['-c', 'write -P 1 0 4M', '-c', 'write -z 6M 1M', at('base.qcow2')]);
    const top = [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-b',
      'base.qcow2',
      '-F',
      'qcow2',
      '-o',
      'cluster_size=4k',
    ];
    await make('qemu-img', [...top, at('top.qcow2'), '80M']);
    await make('qemu-io', [
      '-c',
      'write -P 2 1M 12k',
      '-c',
      'write -z 2M 64k',
      '-c',
      'write -P 2 70M 1M',
      at('top.qcow2'),
    ]);
    const runs = await expectSameMap(at('top.qcow2'), ['top.qcow2']);
    expect(runs.filter(({ kind }) => kind === 'backing').length).toBeGreaterThan(2);
  });

  it('snapshots: what only they use is told apart', async () => {
    const path = at('snapshots.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', path, '64M']);
    await make('qemu-io', ['-c', 'write -P 1 0 2M', '-c', 'write -P 1 4M 1M', path]);
    await make('qemu-img', ['snapshot', '-c', 'first', path]);
    await make('qemu-io', ['-c', 'write -P 2 0 512k', '-c', 'discard 4M 1M', path]);
    const disk = await open(path);
    const file = await new FilePicture(disk).picture();
    expect(sumOf(file, 'snapshot-data')).toBe(512 * 1024 + 1024 * 1024);
    expect(sumOf(file, 'data')).toBe(2 * 1024 * 1024);
    const check = await json<Check>(['check', '--output=json', path]);
    expect(check.leaks ?? 0).toBe(0);
    expect([sumOf(file, 'leaked'), sumOf(file, 'damaged')]).toEqual([0, 0]);
    await disk.close();
    await expectSameMap(path, [path]);
  });

  it('a locked disk has a picture all the same', async () => {
    const path = at('locked.qcow2');
    const secret = ['--object', 'secret,id=s,data=abc'];
    const options = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10';
    await make('qemu-img', ['create', '-q', ...secret, '-f', 'qcow2', '-o', options, path, '16M']);
    const image = `driver=qcow2,encrypt.key-secret=s,file.filename=${path}`;
    await make('qemu-io', [...secret, '--image-opts', '-c', 'write -P 1 1M 2M', image]);
    await expectSameMap(path, [...secret, '--image-opts', image]);
    const disk = await open(path);
    const file = await new FilePicture(disk).picture();
    expect(sumOf(file, 'data')).toBe(2 * 1024 * 1024);
    expect(sumOf(file, 'crypto')).toBeGreaterThan(1024 * 1024);
    await disk.close();
  });

  it.each(['vmdk', 'vdi', 'vpc', 'vhdx', 'qed', 'qcow', 'parallels', 'raw'])(
    '%s: data is where map says',
    async (format) => {
      const path = at(`other.${format}`);
      await make('qemu-img', ['create', '-q', '-f', format, path, '32M']);
      await make('qemu-io', [
        '-f',
        format,
        '-c',
        'write -P 1 1M 3M',
        '-c',
        'write -P 2 20M 64k',
        path,
      ]);
      const map = await json<MapEntry[]>(['map', '--output=json', '-f', format, path]);
      const disk = await openImage(await host.open(path), {
        mode: 'read',
        format: format as 'raw',
      });
      const runs = await guestRuns(disk, 0, 1e6);
      const data = (list: readonly { kind?: CellKind; data?: boolean; length: number }[]) =>
        list
          .filter((one) => one.kind === 'data' || one.data === true)
          .reduce((sum, { length }) => sum + length, 0);
      // Holes in a raw file are not known to us; VPC's map in the real program is all data.
      if (format !== 'raw') expect(data(runs)).toBeLessThanOrEqual(data(map));
      const file = new FilePicture(disk);
      const picture = await file.picture();
      expect(picture.sums.reduce((a, b) => a + b)).toBe(statSync(path).size);
      for (const { start, length, data: isData, zero, offset } of map) {
        if (!isData || zero || offset === undefined) continue;
        const place = await file.place(offset);
        expect(place.kind).toBe('data');
        const use = place.uses[0];
        expect((use?.guestOffset ?? -1) + (offset - place.offset)).toBe(start);
        const end = await file.place(offset + length - 1);
        expect(end.kind).toBe('data');
      }
      await disk.close();
    },
  );
});

describe.skipIf(!available)('damage', () => {
  let bases: Record<Base, string>;

  beforeAll(async () => {
    if (available) bases = await makeBases(folder);
  });

  it.each(FOUND_BY_CHECK.map((damage) => [damage.name, damage] as const))(
    '%s: leaks and damage as the real check counts them',
    async (_, { base, edit }) => {
      const path = at('damaged.qcow2');
      const editor = new Qcow2Editor(bases[base]);
      edit(editor);
      editor.save(path);
      const { stdout, stderr } = await qemuImg(['check', '-f', 'qcow2', path]);
      const disk = await openImage(await host.open(path), { mode: 'check', format: 'qcow2' });
      const { levels, clusterSize, size, sums } = await new FilePicture(disk).picture();
      await disk.close();
      expect(sums.reduce((a, b) => a + b)).toBe(size);
      const cells = levels[0] ?? new Uint8Array();
      const said = (pattern: RegExp) =>
        [...`${stdout}${stderr}`.matchAll(pattern)]
          .map((match) => Number(match[1]))
          .filter((cluster) => cluster * clusterSize < size);
      const flagged = (flag: number) =>
        [...cells.keys()].filter((cell) => ((cells[cell] ?? 0) & flag) !== 0);
      const isWhole = !/Check failed|corrupt.*and cannot|File too large|Invalid argument/.test(
        stderr,
      );
      if (!isWhole) return;
      expect(flagged(0x40)).toEqual(said(/^Leaked cluster (\d+) /gm));
      expect(flagged(0x80)).toEqual(
        expect.arrayContaining(said(/^ERROR cluster (\d+) refcount/gm)),
      );
    },
  );
});
