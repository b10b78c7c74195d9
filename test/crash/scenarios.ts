/** What is cut in the middle: a line for each command that changes an image. */
import { editQcow2, GuestWriter, openImage, readDisk } from '../../src/engine/index.ts';
import { Qcow2Image } from '../../src/engine/formats/qcow2/image.ts';
import { pattern } from '../storage/conformance.ts';
import type { World } from './world.ts';

export interface Scenario {
  readonly name: string;
  /** Images whose layers are looked at; those that end with `.raw` are raw. */
  readonly files: readonly string[];
  /** Files that have to be old or new together. */
  readonly together?: readonly (readonly string[])[];
  /** Whether the content of all layers is the same before and after. */
  readonly same?: boolean;
  /** Whether there is something to repair. */
  readonly damaged?: boolean;
  prepare(world: World): Promise<void>;
  run(world: World): Promise<void>;
}

const KIB = 1024;
const DISK = 'disk';

/** A raw file with something in `parts`, each a place and a length in KiB. */
function raw(world: World, name: string, size: number, parts: [number, number][], seed = 1): void {
  const bytes = new Uint8Array(size * KIB);
  for (const [index, [at, length]] of parts.entries()) {
    bytes.set(pattern(length * KIB, seed + index), at * KIB);
  }
  void world.medium.create(name).write(0, bytes);
}

/** A qcow2 image with content, of 64 clusters of 4 KiB unless `options` say otherwise. */
async function image(
  world: World,
  name: string,
  parts: [number, number][],
  { options = 'cluster_size=4k', size = 256, seed = 1, args = [] as string[] } = {},
): Promise<void> {
  raw(world, 'source', size, parts, seed);
  await world.run('convert', '-f', 'raw', '-O', 'qcow2', '-o', options, ...args, 'source', name);
  world.medium.remove('source');
}

/** Writes as a guest does, as one change: `parts` are places and lengths in KiB. */
async function guestWrite(
  world: World,
  name: string,
  parts: [number, number][],
  seed = 50,
): Promise<void> {
  const change = await world.change(name);
  const disk = await openImage(change.storage, { format: 'qcow2', gate: world.gate });
  if (!(disk instanceof Qcow2Image)) throw new Error('not qcow2');
  const { backing } = disk;
  const writer = await editQcow2(disk);
  const guest = new GuestWriter(
    disk,
    writer,
    backing && ((offset, length) => readDisk(backing, offset, length)),
  );
  for (const [index, [at, length]] of parts.entries()) {
    await guest.write(at * KIB, pattern(length * KIB, seed + index));
  }
  await writer.flush();
  await change.apply();
}

/** Content of new clusters goes to the file before the change is made. */
async function freshWrite(world: World, name: string, parts: [number, number][]): Promise<void> {
  const change = await world.change(name);
  const disk = await openImage(change.storage, { format: 'qcow2' });
  if (!(disk instanceof Qcow2Image)) throw new Error('not qcow2');
  const writer = await editQcow2(disk);
  for (const [index, [at, length]] of parts.entries()) {
    const bytes = pattern(length * KIB, 70 + index);
    for (const { guestOffset, hostOffset, length: size } of await writer.place(
      at * KIB,
      length * KIB,
    )) {
      const start = guestOffset - at * KIB;
      await change.storage.writeFresh(hostOffset, bytes.subarray(start, start + size));
    }
  }
  await writer.flush();
  await change.apply();
}

/** An image with two snapshots, each of which has content of its own. */
async function withSnapshots(world: World): Promise<void> {
  await image(world, DISK, [
    [0, 40],
    [100, 30],
    [200, 8],
  ]);
  await world.run('snapshot', '-c', 'one', DISK);
  await guestWrite(world, DISK, [
    [8, 20],
    [110, 3],
    [150, 16],
  ]);
  await world.run('snapshot', '-c', 'two', DISK);
  await guestWrite(world, DISK, [[12, 9]], 60);
}

/** `disk` over `base`, each with content that the other has not. */
async function withBacking(world: World): Promise<void> {
  await image(world, 'base', [
    [0, 60],
    [120, 20],
  ]);
  await image(world, 'other', [[30, 60]], { seed: 30 });
  await world.run(
    'create',
    '-f',
    'qcow2',
    '-o',
    'cluster_size=4k',
    '-b',
    'base',
    '-F',
    'qcow2',
    DISK,
  );
  await guestWrite(world, DISK, [
    [4, 10],
    [130, 30],
  ]);
}

/** `disk` over a raw file. */
async function withRawBase(world: World): Promise<void> {
  raw(world, 'base.raw', 256, [[0, 256]]);
  const over = ['-b', 'base.raw', '-F', 'raw'];
  await world.run('create', '-f', 'qcow2', '-o', 'cluster_size=4k', ...over, DISK);
  await guestWrite(world, DISK, [
    [4, 10],
    [130, 30],
  ]);
}

async function withBitmaps(world: World): Promise<void> {
  await image(world, DISK, [[0, 60]]);
  await world.run('bitmap', '--add', '-g', '4k', DISK, 'first');
  await world.run('bitmap', '--add', '-g', '4k', DISK, 'second');
  await world.run('bitmap', '--add', '-g', '8k', DISK, 'third');
}

async function withSource(world: World): Promise<void> {
  await image(world, DISK, [[0, 60]]);
  await image(
    world,
    'other',
    [
      [20, 60],
      [200, 8],
    ],
    { seed: 40 },
  );
}

/** Clusters that are counted and not used, and others that are used and not counted. */
async function withDamage(world: World): Promise<void> {
  await withSnapshots(world);
  const storage = world.medium.open(DISK, true);
  const header = new Uint8Array(64);
  await storage.read(0, header);
  const table = new Uint8Array(8);
  await storage.read(Number(new DataView(header.buffer).getBigUint64(48)), table);
  const block = Number(new DataView(table.buffer).getBigUint64(0));
  const counts = new Uint8Array(200);
  await storage.read(block, counts);
  for (const cluster of [20, 30, 31]) counts[cluster * 2 + 1] = 0;
  for (const cluster of [12, 40]) counts[cluster * 2 + 1] = 7;
  await storage.write(block, counts);
}

const one = [DISK];
const both = ['base', DISK];

/** A command on an image that `prepare` has made. */
function command(
  prepare: (world: World) => Promise<void>,
  files: readonly string[],
  line: string,
  more: { same?: boolean; damaged?: boolean } = {},
): Scenario {
  return { name: line, files, prepare, run: (world) => world.run(...line.split(' ')), ...more };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'writes all over a raw file, which grows',
    files: ['disk.raw'],
    prepare: (world) => Promise.resolve(raw(world, 'disk.raw', 200, [[0, 200]])),
    run: async (world) => {
      const change = await world.change('disk.raw');
      for (let at = 100; at < 250 * KIB; at += 17_000) {
        await change.storage.write(at, pattern(at % 3 === 0 ? 5000 : 40, at));
      }
      await change.apply();
    },
  },
  {
    name: 'a raw file that is cut',
    files: ['disk.raw'],
    prepare: (world) => Promise.resolve(raw(world, 'disk.raw', 200, [[0, 200]])),
    run: async (world) => {
      const change = await world.change('disk.raw');
      await change.storage.write(3000, pattern(2000, 5));
      await change.storage.resize(100_001);
      await change.storage.write(100_001 - 700, pattern(700, 5));
      await change.apply();
    },
  },
  {
    name: 'a guest’s writes',
    files: one,
    prepare: withSnapshots,
    run: (world) =>
      guestWrite(world, DISK, [
        [0, 90],
        [97, 1],
        [180, 60],
      ]),
  },
  {
    name: 'writes to new clusters, which are in the file before',
    files: one,
    prepare: (world) => image(world, DISK, [[0, 40]]),
    run: (world) =>
      freshWrite(world, DISK, [
        [60, 120],
        [200, 20],
      ]),
  },
  {
    name: 'a change that is undone',
    files: one,
    prepare: async (world) => {
      await withSnapshots(world);
      const change = await world.change(DISK);
      const disk = await openImage(change.storage, { format: 'qcow2' });
      if (!(disk instanceof Qcow2Image)) throw new Error('not qcow2');
      const writer = await editQcow2(disk);
      const guest = new GuestWriter(disk, writer, undefined);
      await guest.write(0, pattern(200 * KIB, 90));
      await writer.flush();
      await change.apply({ undo: world.medium.create('undo') });
    },
    run: (world) => world.run('undo', DISK, 'undo'),
  },
  command(withSnapshots, one, 'snapshot -c three disk'),
  command(withSnapshots, one, 'snapshot -a one disk'),
  command(withSnapshots, one, 'snapshot -d one disk'),
  command(withSnapshots, one, 'snapshot -d two disk'),
  command(withBacking, both, 'resize disk 400k'),
  command((world) => image(world, DISK, [[0, 250]]), one, 'resize --shrink disk 100k'),
  command(withBacking, ['base', 'other', DISK], 'rebase -f qcow2 -b other -F qcow2 disk', {
    same: true,
  }),
  command(withBacking, both, 'rebase -f qcow2 -b  disk', { same: true }),
  command(withBacking, both, 'commit -f qcow2 disk', { same: true }),
  command(withBacking, both, 'commit -f qcow2 -d disk', { same: true }),
  command(withRawBase, ['base.raw', DISK], 'commit -f qcow2 disk', { same: true }),
  command(withSnapshots, one, 'amend -f qcow2 -o refcount_bits=64 disk', { same: true }),
  command(withSnapshots, one, 'amend -f qcow2 -o compat=0.10 disk', { same: true }),
  command(withSnapshots, one, 'bitmap --add -g 8k disk dirty', { same: true }),
  command(withBitmaps, one, 'bitmap --merge first disk second', { same: true }),
  command(withBitmaps, one, 'bitmap --remove disk first', { same: true }),
  command(withBitmaps, one, 'resize disk 400k'),
  command(withSource, one, 'convert -n -f qcow2 -O qcow2 other disk'),
  command(withDamage, one, 'check -r all disk', { same: true, damaged: true }),
  command(withDamage, one, 'check -r leaks disk', { same: true, damaged: true }),
];
