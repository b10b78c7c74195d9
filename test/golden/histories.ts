/**
 * Random lives of images: made by the real programs with any options, written to, discarded,
 * snapshotted, layered. A seed names one life; the same seed makes the same image again.
 */
import { copyFileSync, fsyncSync, openSync, closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noise } from './make-images.ts';
import { makeEncrypted, qemuImg, qemuIo } from './programs.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** A whole number below `below`. */
export type Random = (below: number) => number;

/** Numbers for a seed, good enough that neighbouring seeds have nothing in common (mulberry32). */
export function randomFor(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[random(values.length)] as T;
}

/** How the file of one layer is made. */
export interface LayerSpec {
  format: 'qcow2' | 'raw';
  compat: '0.10' | '1.1';
  clusterSize: number;
  refcountBits: number;
  extendedL2: boolean;
  compression: 'zlib' | 'zstd';
  lazyRefcounts: boolean;
  preallocation: 'off' | 'metadata';
  dataFile: 'none' | 'external' | 'raw';
  encryption: 'none' | 'aes' | 'luks';
  /** Bytes. */
  size: number;
}

/** One image and everything that belongs to it. */
export interface History {
  /** The topmost layer. */
  path: string;
  /** What opens the topmost layer: its name, or the words that unlock it. */
  access: string[];
  layers: LayerSpec[];
  /** Ids of the topmost layer's snapshots. */
  snapshots: string[];
  /** What has been done, for messages. */
  steps: string[];
}

export const SECRET = ['--object', 'secret,id=sec0,data=geheim'];

/** The words that name an image on a command line, with its passphrase where it has one. */
export function accessTo(path: string, { encryption }: LayerSpec): string[] {
  if (encryption === 'none') return [path];
  const { image } = description(path);
  return [...SECRET, '--image-opts', image];
}

function description(path: string): { image: string } {
  return { image: `driver=qcow2,file.filename=${path},encrypt.key-secret=sec0` };
}

const CLUSTER_SIZES = [512, KIB, 2 * KIB, 4 * KIB, 16 * KIB, 32 * KIB, 64 * KIB, 2 * MIB];

function chooseLayer(random: Random, isTop: boolean, hasBacking: boolean): LayerSpec {
  const compat = random(5) === 0 ? '0.10' : '1.1';
  const modern = compat === '1.1';
  const dataFile = modern && random(6) === 0 ? pick(random, ['external', 'raw'] as const) : 'none';
  const extendedL2 = modern && random(4) === 0;
  const clusterSize = pick(random, extendedL2 ? CLUSTER_SIZES.slice(4) : CLUSTER_SIZES);
  const isEncrypted = isTop && dataFile === 'none' && random(8) === 0;
  const encryption = isEncrypted ? pick(random, ['aes', 'luks', 'luks'] as const) : 'none';
  const size = chooseSize(random, clusterSize);
  const isSmall = size <= 64 * MIB;
  const mayPreallocate = isSmall && (!hasBacking || extendedL2);
  return {
    format: !isTop && !hasBacking && random(3) === 0 ? 'raw' : 'qcow2',
    compat,
    clusterSize,
    refcountBits: modern ? pick(random, [1, 2, 4, 8, 16, 16, 16, 32, 64]) : 16,
    extendedL2,
    compression: modern && random(3) === 0 ? 'zstd' : 'zlib',
    lazyRefcounts: modern && random(4) === 0,
    preallocation: mayPreallocate && random(8) === 0 ? 'metadata' : 'off',
    dataFile: !isSmall ? 'none' : dataFile === 'raw' && hasBacking ? 'external' : dataFile,
    encryption,
    size,
  };
}

function chooseSize(random: Random, clusterSize: number): number {
  const clusters = pick(random, [1, 2, 7, 40, 70, 300]);
  const most = Math.min(clusters * clusterSize, Math.max(4 * MIB, 6 * clusterSize));
  // Seldom so large that the tables have many entries; nearly all of it stays empty.
  if (random(16) === 0) return Math.min(32 * GIB, 60 * GIB * (clusterSize / (64 * KIB)));
  return Math.max(512, most - random(Math.min(clusterSize, most) / 512) * 512);
}

/** Says a layer in few words. */
export function nameOf(layer: LayerSpec): string {
  if (layer.format === 'raw') return `raw(${layer.size})`;
  const words = [
    layer.compat === '0.10' ? 'v2' : 'v3',
    `c${layer.clusterSize}`,
    `r${layer.refcountBits}`,
    ...(layer.extendedL2 ? ['extl2'] : []),
    ...(layer.compression === 'zstd' ? ['zstd'] : []),
    ...(layer.lazyRefcounts ? ['lazy'] : []),
    ...(layer.preallocation === 'off' ? [] : ['prealloc']),
    ...(layer.dataFile === 'none' ? [] : [`data-${layer.dataFile}`]),
    ...(layer.encryption === 'none' ? [] : [layer.encryption]),
  ];
  return `${words.join('-')}(${layer.size})`;
}

function creationOptions(layer: LayerSpec, path: string): string {
  const modern = layer.compat === '1.1';
  return [
    `compat=${layer.compat}`,
    `cluster_size=${layer.clusterSize}`,
    ...(modern ? [`refcount_bits=${layer.refcountBits}`] : []),
    ...(modern ? [`compression_type=${layer.compression}`] : []),
    ...(layer.lazyRefcounts ? ['lazy_refcounts=on'] : []),
    ...(layer.extendedL2 ? ['extended_l2=on'] : []),
    ...(layer.preallocation === 'off' ? [] : [`preallocation=${layer.preallocation}`]),
    ...(layer.dataFile === 'none' ? [] : [`data_file=${path}.data`]),
    ...(layer.dataFile === 'raw' ? ['data_file_raw=on'] : []),
    ...(layer.encryption === 'none' ? [] : [`encrypt.format=${layer.encryption}`]),
    ...(layer.encryption === 'none' ? [] : ['encrypt.key-secret=sec0']),
    ...(layer.encryption === 'luks' ? ['encrypt.iter-time=10'] : []),
  ].join(',');
}

/** Makes the image of a seed in a folder. @throws when there is no such image */
export async function makeHistory(seed: number, folder: string): Promise<History> {
  const random = randomFor(seed);
  const depth = pick(random, [1, 1, 1, 2, 2, 3]);
  const specs = Array.from({ length: depth }, (_, index) =>
    chooseLayer(random, index === depth - 1, index > 0),
  );
  const steps: string[] = [];
  let below: { name: string; format: string } | undefined;
  let path = '';
  let snapshots: string[] = [];
  for (const [index, spec] of specs.entries()) {
    const name = `layer${index}.${spec.format}`;
    path = join(folder, name);
    if (spec.format === 'raw') {
      spec.size = Math.min(spec.size, 4 * MIB);
      writeFileSync(path, noise(spec.size, seed));
    } else {
      snapshots = await live(random, path, spec, below, steps);
    }
    below = { name, format: spec.format };
  }
  for (const [index, spec] of specs.entries()) {
    const file = join(folder, `layer${index}.${spec.format}`);
    flatten(file);
    if (spec.dataFile !== 'none') flatten(`${file}.data`);
  }
  const top = specs.at(-1) as LayerSpec;
  return { path, access: accessTo(path, top), layers: specs, snapshots, steps };
}

async function live(
  random: Random,
  path: string,
  spec: LayerSpec,
  below: { name: string; format: string } | undefined,
  steps: string[],
): Promise<string[]> {
  const base = below === undefined ? [] : ['-b', below.name, '-F', below.format];
  const secret = spec.encryption === 'none' ? [] : SECRET;
  const options = creationOptions(spec, path);
  const create = [...secret, '-q', '-f', 'qcow2', '-o', options, ...base, path];
  await makeEncrypted(['create', ...create, String(spec.size)]);
  const file = `${path}.noise`;
  writeFileSync(file, noise(Math.min(spec.clusterSize, 64 * KIB), random(1000)));
  let next = 0;
  for (let turns = pick(random, [0, 1, 1, 2, 3, 4]); turns > 0; turns--) {
    const commands = someCommands(random, spec, file);
    const dies = turns === 1 && random(12) === 0;
    if (dies) commands.push('sigraise 9');
    const unmap = random(2) === 0 ? ['-d', 'unmap'] : [];
    steps.push(...unmap, ...commands);
    const access = accessTo(path, spec);
    const format = access.length === 1 ? ['-f', 'qcow2'] : [];
    // What the real program refuses has not happened, and what it breaks is compared all the same.
    await qemuIo([...unmap, ...format, ...commands.flatMap((one) => ['-c', one]), ...access]);
    if (!dies) next = await changeOutside(random, path, spec, next, steps);
  }
  return snapshotIds(path);
}

/** A place that was used before or is new, on a boundary of something. Bytes, whole sectors. */
function somePlace(random: Random, spec: LayerSpec): number {
  const { clusterSize, size } = spec;
  const clusters = Math.ceil(size / clusterSize);
  // Most of it happens in a few spots, so that operations meet.
  const spots = [0, Math.floor(clusters / 3), Math.max(0, clusters - 6)];
  const cluster = random(3) === 0 ? random(clusters) : pick(random, spots) + random(6);
  const within = random(3) === 0 ? random(clusterSize / 512) * 512 : 0;
  return Math.min(cluster * clusterSize + within, size - 512);
}

function someLength(random: Random, spec: LayerSpec, offset: number): number {
  const { clusterSize, size } = spec;
  const lengths = [
    clusterSize,
    clusterSize,
    clusterSize * (1 + random(4)),
    clusterSize / 2,
    512 * (1 + random(8)),
    clusterSize * 40,
  ];
  const length = Math.max(512, Math.floor(pick(random, lengths) / 512) * 512);
  return Math.min(length, size - offset, 8 * MIB);
}

export function someCommands(random: Random, spec: LayerSpec, file: string): string[] {
  const commands: string[] = [];
  for (let count = 1 + random(14); count > 0; count--) {
    const offset = somePlace(random, spec);
    const length = someLength(random, spec, offset);
    commands.push(oneCommand(random, spec, offset, length, file));
  }
  return commands;
}

function oneCommand(
  random: Random,
  spec: LayerSpec,
  offset: number,
  length: number,
  file: string,
): string {
  const pattern = `-P ${1 + random(255)}`;
  switch (random(12)) {
    case 0:
      return `write -z ${offset} ${length}`;
    case 1:
      return `write -z -u ${offset} ${length}`;
    case 2:
    case 3:
      return `discard ${offset} ${length}`;
    case 4:
    case 5:
    case 6: {
      // Compressed clusters are written whole.
      const start = Math.floor(offset / spec.clusterSize) * spec.clusterSize;
      const whole = Math.min(Math.ceil(length / spec.clusterSize) * spec.clusterSize, 2 * MIB);
      const end = Math.min(start + whole, spec.size);
      const content = random(3) === 0 ? `-s ${file}` : pattern;
      return `write -c ${content} ${start} ${end - start}`;
    }
    case 7:
      return `write -s ${file} ${offset} ${length}`;
    case 8:
      return `write -P 0 ${offset} ${length}`;
    case 9:
      return `aio_write ${pattern} ${offset} ${length}`;
    default:
      return `write ${pattern} ${offset} ${length}`;
  }
}

/** What is done with qemu-img between two sessions of a guest. Returns the next free number. */
async function changeOutside(
  random: Random,
  path: string,
  spec: LayerSpec,
  next: number,
  steps: string[],
): Promise<number> {
  const encrypted = spec.encryption !== 'none';
  const run = async (...args: string[]) => {
    steps.push(args.slice(0, -1).join(' '));
    await qemuImg(args);
  };
  const one = `s${random(next + 1)}`;
  const bitmap = `b${random(next + 1)}`;
  for (let count = random(3); count > 0; count--) {
    const granularity = String(512 * 2 ** random(8));
    switch (random(encrypted ? 4 : 10)) {
      case 0:
      case 1:
      case 2:
        await snapshotOf(path, spec, '-c', `s${next}`, steps);
        break;
      case 3:
        await snapshotOf(path, spec, pick(random, ['-d', '-d', '-a']), one, steps);
        break;
      case 4:
      case 5:
        await run('bitmap', '--add', '-g', granularity, path, `b${next}`);
        break;
      case 6:
        await run('bitmap', pick(random, ['--disable', '--clear', '--remove']), path, bitmap);
        break;
      case 7:
        await run('resize', '-q', path, `+${512 * (1 + random(3 * (spec.clusterSize / 512)))}`);
        break;
      case 8:
        await run('resize', '-q', '--shrink', path, String(Math.ceil(spec.size / 1024) * 512));
        break;
      default:
        await run('amend', '-o', `lazy_refcounts=${pick(random, ['on', 'off'])}`, path);
    }
    next += 1;
  }
  return next;
}

async function snapshotOf(
  path: string,
  spec: LayerSpec,
  action: string,
  name: string,
  steps: string[],
): Promise<void> {
  steps.push(`snapshot ${action} ${name}`);
  await qemuImg(['snapshot', action, name, ...accessTo(path, spec)]);
}

async function snapshotIds(path: string): Promise<string[]> {
  const { stdout } = await qemuImg(['info', '--output=json', path]);
  const { snapshots = [] } = JSON.parse(stdout) as { snapshots?: { id: string }[] };
  return snapshots.map(({ id }) => id);
}

/**
 * Writes a file anew without holes: where they are only the file system knows, and the real program
 * asks it.
 */
export function flatten(path: string): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes);
  const file = openSync(path, 'r');
  fsyncSync(file);
  closeSync(file);
}

/** A copy of the topmost layer that the guest went on writing to. */
export async function makeChanged(history: History, seed: number, folder: string): Promise<string> {
  const random = randomFor(seed + 0x1000000);
  const spec = history.layers.at(-1) as LayerSpec;
  const copy = join(folder, 'changed.qcow2');
  copyFileSync(history.path, copy);
  // Of an external data file there is only one: both would see the change.
  if (spec.dataFile !== 'none') return copy;
  const commands = someCommands(random, spec, `${history.path}.noise`).slice(0, 2);
  const access = accessTo(copy, spec);
  const format = access.length === 1 ? ['-f', 'qcow2'] : [];
  await qemuIo([...format, ...commands.flatMap((one) => ['-c', one]), ...access]);
  flatten(copy);
  return copy;
}
