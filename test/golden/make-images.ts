/**
 * Images of every kind that qemu-img 7.2 makes: a selection of all combinations in which each pair
 * of properties meets at least once.
 */
import { copyFileSync, openSync, closeSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { make } from './programs.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const FACTORS = {
  compat: ['0.10', '1.1'],
  clusterSize: [512, KIB, 4 * KIB, 64 * KIB, 2 * MIB],
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
  content: [
    ...(['empty', 'data', 'zero', 'compressed', 'holes', 'mixed', 'fragmented'] as const),
    'metadata',
  ],
  /** Bytes; sizes that are no multiple of anything, and just above a power of two. */
  size: [512, 1536, MIB, 3 * MIB + 5 * 512, 4 * MIB + 512],
  backing: ['none', 'raw-shorter', 'raw-longer', 'qcow2-shorter', 'qcow2-longer', 'deep'],
  snapshots: [0, 1, 2],
} as const;

type Factors = typeof FACTORS;
type Factor = keyof Factors;
const NAMES = Object.keys(FACTORS) as Factor[];

/** One image to be made. */
export type ImageSpec = { readonly [F in Factor]: Factors[F][number] };

/** A name that says it all. */
export function nameOf(spec: ImageSpec): string {
  return [
    spec.compat === '0.10' ? 'v2' : 'v3',
    `c${spec.clusterSize}`,
    `r${spec.refcountBits}`,
    spec.content,
    `s${spec.size}`,
    spec.backing,
    `snap${spec.snapshots}`,
  ].join('-');
}

/** What the real program would not make. */
function isPossible(spec: Partial<ImageSpec>): boolean {
  const { compat, refcountBits, snapshots, content, backing } = spec;
  if (compat === '0.10' && refcountBits !== undefined && refcountBits !== 16) return false;
  if (refcountBits === 1 && (snapshots ?? 0) > 0) return false;
  if (content === 'metadata' && backing !== undefined && backing !== 'none') return false;
  // Two snapshots and the active layer are three users of a cluster: more than two bits count.
  return !(refcountBits === 2 && snapshots === 2 && content === 'compressed');
}

/** A selection of specs in which every possible pair of values occurs; always the same one. */
export function coveringSpecs(): ImageSpec[] {
  const open = openPairs();
  const specs: ImageSpec[] = [];
  while (open.size > 0) {
    const [first] = open;
    if (first === undefined) break;
    const spec = complete(first, open);
    if (spec === undefined) {
      open.delete(first);
      continue;
    }
    for (const pair of pairsOf(spec)) open.delete(pair);
    specs.push(spec);
  }
  return specs;
}

type Choice = Partial<Record<Factor, number>>;

function valuesOf(choice: Choice): Partial<ImageSpec> {
  const entries = NAMES.filter((name) => choice[name] !== undefined).map((name) => [
    name,
    FACTORS[name][choice[name] ?? 0],
  ]);
  return Object.fromEntries(entries) as Partial<ImageSpec>;
}

function pairKey(a: Factor, i: number, b: Factor, j: number): string {
  return `${a}:${i} ${b}:${j}`;
}

function openPairs(): Set<string> {
  const open = new Set<string>();
  for (const [at, a] of NAMES.entries()) {
    for (const b of NAMES.slice(at + 1)) {
      for (const i of FACTORS[a].keys()) {
        for (const j of FACTORS[b].keys()) {
          if (isPossible(valuesOf({ [a]: i, [b]: j }))) open.add(pairKey(a, i, b, j));
        }
      }
    }
  }
  return open;
}

function indexIn(factor: Factor, value: unknown): number {
  return (FACTORS[factor] as readonly unknown[]).indexOf(value);
}

function* pairsOf(spec: ImageSpec): Generator<string> {
  for (const [at, a] of NAMES.entries()) {
    for (const b of NAMES.slice(at + 1)) {
      yield pairKey(a, indexIn(a, spec[a]), b, indexIn(b, spec[b]));
    }
  }
}

/** Fills in a pair so that as many open pairs as possible are covered; undefined: impossible. */
function complete(pair: string, open: ReadonlySet<string>): ImageSpec | undefined {
  const choice: Choice = {};
  for (const part of pair.split(' ')) {
    const [factor = '', index = ''] = part.split(':');
    choice[factor as Factor] = Number(index);
  }
  for (const factor of NAMES) {
    if (choice[factor] !== undefined) continue;
    let best = -1;
    let bestGain = -1;
    for (const index of FACTORS[factor].keys()) {
      if (!isPossible(valuesOf({ ...choice, [factor]: index }))) continue;
      const gain = NAMES.filter((other) => {
        const j = choice[other];
        if (j === undefined) return false;
        const isBefore = NAMES.indexOf(factor) < NAMES.indexOf(other);
        const key = isBefore ? pairKey(factor, index, other, j) : pairKey(other, j, factor, index);
        return open.has(key);
      }).length;
      if (gain > bestGain) [best, bestGain] = [index, gain];
    }
    if (best < 0) return undefined;
    choice[factor] = best;
  }
  return valuesOf(choice) as ImageSpec;
}

/** Numbers that look random and are the same every time. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Bytes that do not compress. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Makes the image and what it is based on in `folder`; returns its path. */
export async function makeImage(spec: ImageSpec, folder: string): Promise<string> {
  const path = join(folder, 'image.qcow2');
  const backing = await makeBacking(spec, folder);
  const options = [
    `compat=${spec.compat}`,
    `cluster_size=${spec.clusterSize}`,
    ...(spec.compat === '0.10' ? [] : [`refcount_bits=${spec.refcountBits}`]),
    ...(spec.content === 'metadata' ? ['preallocation=metadata'] : []),
  ];
  const base = backing === undefined ? [] : ['-b', backing.name, '-F', backing.format];
  await make('qemu-img', [
    ...['create', '-q', '-f', 'qcow2', '-o', options.join(',')],
    ...[...base, path, String(spec.size)],
  ]);
  const random = randomNumbers(spec.size + spec.clusterSize + spec.refcountBits);
  await write(path, contentCommands(spec, random, folder));
  for (let taken = 0; taken < spec.snapshots; taken++) {
    await make('qemu-img', ['snapshot', '-c', `snapshot ${taken + 1}`, path]);
    await write(path, laterCommands(spec, random));
  }
  return path;
}

async function write(path: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
}

interface Backing {
  name: string;
  format: 'raw' | 'qcow2';
}

async function makeBacking(spec: ImageSpec, folder: string): Promise<Backing | undefined> {
  const { backing, size } = spec;
  if (backing === 'none') return undefined;
  const longer = size + 3 * KIB;
  const shorter = Math.max(512, Math.floor(size / 1024) * 512);
  const length = backing === 'deep' || backing.endsWith('shorter') ? shorter : longer;
  if (backing.startsWith('raw')) {
    // Without holes: only the file system could tell them from zeros.
    writeFileSync(
      join(folder, 'base.raw'),
      noise(length, 1).map((byte) => byte | 1),
    );
    return { name: 'base.raw', format: 'raw' };
  }
  const middle = join(folder, 'base.qcow2');
  const below: string[] = [];
  if (backing === 'deep') {
    writeFileSync(
      join(folder, 'bottom.raw'),
      noise(longer, 2).map((byte) => byte | 1),
    );
    below.push('-b', 'bottom.raw', '-F', 'raw');
  }
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...below, middle, String(length)]);
  const half = Math.floor(length / 1024) * 512;
  if (half > 0) await write(middle, [`write -P 0xb5 0 ${half}`]);
  return { name: 'base.qcow2', format: 'qcow2' };
}

/** qemu-io commands that give the image its content. */
function contentCommands(
  spec: ImageSpec,
  random: (below: number) => number,
  folder: string,
): string[] {
  const { clusterSize, size, content } = spec;
  const clusters = Math.ceil(size / clusterSize);
  const cluster = (index: number) => {
    const offset = index * clusterSize;
    return `${offset} ${Math.min(clusterSize, size - offset)}`;
  };
  const some = (most: number) => {
    const count = Math.min(most, clusters);
    return Array.from({ length: count }, () => random(clusters));
  };
  const pattern = () => `0x${(random(255) + 1).toString(16)}`;
  switch (content) {
    case 'empty':
      return [];
    case 'data':
      return [`write -P 0x5a 0 ${size}`];
    case 'metadata':
      return some(3).map((index) => `write -P ${pattern()} ${cluster(index)}`);
    case 'zero':
      return [
        `write -P 0x77 0 ${Math.min(size, 4 * clusterSize)}`,
        ...some(6).map((index) => `write -z ${cluster(index)}`),
        ...some(6).map((index) => `write -z -u ${cluster(index)}`),
      ];
    case 'compressed':
      return distinct(some(24)).map((index) => `write -c -P ${pattern()} ${cluster(index)}`);
    case 'holes':
      return [
        `write -P 0x33 0 ${size}`,
        ...some(12).map((index) => `discard ${cluster(index)}`),
        ...some(4).map((index) => `write -P 0 ${cluster(index)}`),
      ];
    case 'fragmented':
      return distinct(some(40)).map((index) => `write -P ${pattern()} ${cluster(index)}`);
    case 'mixed':
      return mixedCommands(spec, random, folder);
  }
}

function mixedCommands(
  { clusterSize, size }: ImageSpec,
  random: (below: number) => number,
  folder: string,
): string[] {
  const clusters = Math.ceil(size / clusterSize);
  const file = join(folder, 'noise');
  writeFileSync(file, noise(clusterSize, clusters));
  const commands: string[] = [];
  const compressed = new Set<number>();
  for (let i = 0; i < 30; i++) {
    const index = random(clusters);
    const offset = index * clusterSize;
    const length = Math.min(clusterSize, size - offset);
    const part = Math.max(512, Math.floor(length / 1024) * 512);
    switch (random(6)) {
      case 0:
        commands.push(`write -z ${offset} ${length}`);
        break;
      case 1:
        commands.push(`discard ${offset} ${length}`);
        break;
      case 2:
        commands.push(`write -s ${file} ${offset} ${part}`);
        break;
      case 3:
        // A cluster that has a place already cannot be compressed.
        if (!compressed.has(index) && commands.every((one) => !one.includes(` ${offset} `))) {
          commands.push(`write -c -P 0x41 ${offset} ${length}`);
        }
        compressed.add(index);
        break;
      default:
        commands.push(`write -P 0x${(i + 1).toString(16)} ${offset} ${part}`);
    }
  }
  return commands;
}

/** What the guest does after a snapshot. */
function laterCommands(
  { clusterSize, size, refcountBits }: ImageSpec,
  random: (below: number) => number,
): string[] {
  const clusters = Math.ceil(size / clusterSize);
  const commands: string[] = [];
  for (let i = 0; i < 4; i++) {
    const offset = random(clusters) * clusterSize;
    const length = Math.min(clusterSize, size - offset);
    const zero = i === 3 && refcountBits > 1;
    commands.push(zero ? `write -z ${offset} ${length}` : `write -P 0x9${i} ${offset} ${length}`);
  }
  return commands;
}

function distinct(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

/** A copy with one byte of the guest's disk changed. */
export async function makeChangedCopy(path: string, size: number, folder: string): Promise<string> {
  const copy = join(folder, 'changed.qcow2');
  copyFileSync(path, copy);
  const offset = Math.floor(size / 1024) * 512;
  await make('qemu-io', ['-c', `write -P 0xee ${Math.min(offset, size - 512)} 512`, copy]);
  return copy;
}

/** Overwrites bytes of a file. */
export function patch(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}
