/** Surveys against what the real program counts, and what it frees when it deletes a snapshot. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { surveyDisk } from '../../src/engine/diagnosis/survey.ts';
import { openImage, Qcow2Image, type Survey } from '../../src/engine/index.ts';
import { available, make, qemuImg } from './programs.ts';

let folder = '';
const at = (name: string) => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'survey-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const host = new NodeHost(
  () => undefined,
  () => undefined,
);

async function survey(path: string): Promise<{ survey: Survey; tableClusters: number }> {
  const disk = await openImage(await host.open(path), { mode: 'check' });
  if (!(disk instanceof Qcow2Image)) throw new Error('not qcow2');
  const found = await surveyDisk(disk);
  const tableClusters = Math.ceil(disk.snapshotTable.size / disk.clusterSize);
  await disk.close();
  if (found === undefined) throw new Error('not surveyed');
  return { survey: found, tableClusters };
}

/** Clusters that the file says are in use, word by word. */
function countedClusters(path: string): number {
  const bytes = readFileSync(path);
  const clusterSize = 2 ** bytes.readUInt32BE(20);
  const width = bytes.readUInt32BE(4) === 2 ? 2 : 2 ** bytes.readUInt32BE(96) / 8;
  const table = Number(bytes.readBigUInt64BE(48));
  const entries = (bytes.readUInt32BE(56) * clusterSize) / 8;
  let used = 0;
  for (let index = 0; index < entries; index++) {
    const block = Number(bytes.readBigUInt64BE(table + index * 8));
    if (block === 0) continue;
    for (let entry = 0; entry < clusterSize; entry += width) {
      if (block + entry + width > bytes.length) break;
      if (bytes.readUIntBE(block + entry, width) !== 0) used += 1;
    }
  }
  return used;
}

interface Check {
  'allocated-clusters': number;
  'fragmented-clusters'?: number;
  'compressed-clusters'?: number;
}

async function expectSameCounts(path: string): Promise<void> {
  const { stdout } = await qemuImg(['check', '--output=json', path]);
  const check = JSON.parse(stdout) as Check;
  const { clusters, order, space } = (await survey(path)).survey;
  expect(order?.allocated).toBe(check['allocated-clusters']);
  expect(order?.fragmented).toBe(check['fragmented-clusters'] ?? 0);
  expect(clusters?.compressed).toBe(check['compressed-clusters'] ?? 0);
  const { fileSize, metadata, ...parts } = space;
  const all = [...Object.values({ ...metadata }), ...Object.values(parts)];
  expect(fileSize).toBe(statSync(path).size);
  expect(all.reduce((sum, part) => sum + part, 0)).toBe(fileSize);
  expect([space.leaked, space.damaged, space.unknown]).toEqual([0, 0, 0]);
}

const LIFE: readonly (readonly string[])[] = [
  ['write -P 1 0 3M', 'write -P 2 20M 1M', 'write -z 22M 256k'],
  ['write -P 3 1M 256k', 'write -P 4 8M 512k', 'discard 20M 128k'],
  ['write -P 5 1M 128k', 'write -P 6 2M 64k', 'write -z -u 0 128k', 'write -P 7 40M 64k'],
  ['write -P 8 2M 64k', 'discard 8M 512k', 'write -P 9 30M 64k', 'write -P 9 29M 64k'],
];
/** Besides, where clusters can be packed. They share clusters of the file, and one is written over. */
const PACKED: readonly (readonly string[])[] = [
  ['write -c -P 4 50M 64k', 'write -c -P 5 51264k 64k'],
  ['write -c -P 6 51328k 64k'],
  ['write -P 7 50M 64k'],
  ['write -c -P 8 51392k 64k', 'discard 51328k 64k'],
];

const CASES = [
  { name: 'plain', options: 'cluster_size=64k', packs: true },
  { name: 'tiny clusters', options: 'cluster_size=512' },
  { name: 'old', options: 'compat=0.10,cluster_size=4k' },
  { name: 'subclusters', options: 'extended_l2=on,cluster_size=64k' },
  { name: 'narrow refcounts', options: 'refcount_bits=8,cluster_size=16k' },
] as const;

describe.skipIf(!available)('a survey', () => {
  it.each(CASES)('$name: counts, and what each snapshot would free', async (one) => {
    const path = at(`${one.name}.qcow2`);
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', one.options, path, '64M']);
    for (const [index, commands] of LIFE.entries()) {
      const all = 'packs' in one ? [...commands, ...(PACKED[index] ?? [])] : commands;
      await make('qemu-io', [...all.flatMap((command) => ['-c', command]), path]);
      if (index < 3) await make('qemu-img', ['snapshot', '-c', `s${String(index)}`, path]);
    }
    await expectSameCounts(path);
    const before = await survey(path);
    const used = countedClusters(path);
    const clusterSize = 2 ** readFileSync(path).readUInt32BE(20);
    for (const { name, exclusive, total } of before.survey.snapshots) {
      const copy = at('copy.qcow2');
      copyFileSync(path, copy);
      await make('qemu-img', ['snapshot', '-d', name, copy]);
      // The list of snapshots is written anew, and may take less.
      const table = before.tableClusters - (await survey(copy)).tableClusters;
      expect((used - countedClusters(copy) - table) * clusterSize).toBe(exclusive);
      expect(exclusive).toBeGreaterThan(0);
      expect(total).toBeGreaterThan(exclusive);
      await expectSameCounts(copy);
    }
  });

  it('sees preallocated disks, and those that are not', async () => {
    const path = at('preallocated.qcow2');
    const create = (mode: string) =>
      make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `preallocation=${mode}`, path, '1G']);
    await create('metadata');
    await expectSameCounts(path);
    const { survey: whole } = await survey(path);
    expect([whole.preallocation, whole.clusters?.normal]).toEqual(['metadata', 16384]);
    await create('off');
    const { survey: empty } = await survey(path);
    expect([empty.preallocation, empty.clusters?.unallocated]).toEqual(['none', 16384]);
  });
});
