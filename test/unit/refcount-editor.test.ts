/** Many refcounts at once: also where not all blocks can be kept in memory. */
import { describe, expect, it } from 'vitest';
import { RefcountEditor } from '../../src/engine/formats/qcow2/edit/refcount-editor.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';

const MIB = 2 ** 20;
const CLUSTER = 2 * MIB;

/** More blocks than are kept, each of them in the file, all refcounts 1. */
async function someBlocks(count: number) {
  const storage = new MemoryStorage({ pageSize: MIB });
  const table = new Float64Array(CLUSTER / 8);
  const ones = new Uint8Array(CLUSTER);
  for (let at = 7; at < CLUSTER; at += 8) ones[at] = 1;
  for (let index = 0; index < count; index++) {
    table[index] = (index + 2) * CLUSTER;
    await storage.write((index + 2) * CLUSTER, ones);
  }
  const layout = {
    clusterSize: CLUSTER,
    refcountBits: 64,
    tableOffset: CLUSTER,
    tableClusters: 1,
  };
  return new RefcountEditor(storage, layout, table);
}

describe('refcounts of many clusters', () => {
  it('are changed in any order, each as often as it is named', async () => {
    const blocks = 24;
    const refcounts = await someBlocks(blocks);
    const wanted = new Map<number, number>();
    let state = 1;
    const clusters = Float64Array.from({ length: 6000 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state % (blocks * refcounts.blockEntries);
    });
    clusters.copyWithin(3000, 0, 1500);
    for (const cluster of clusters) wanted.set(cluster, (wanted.get(cluster) ?? 1) + 1);
    await refcounts.changeMany(clusters, 1);
    const seen = new Float64Array(clusters.length);
    await refcounts.visit(clusters, (block, entry, index) => {
      seen[index] = block?.get(entry) ?? 0;
    });
    expect([...seen]).toEqual([...clusters].map((cluster) => wanted.get(cluster)));
    for (const [cluster, count] of [...wanted].slice(0, 200)) {
      expect(await refcounts.get(cluster)).toBe(count);
    }
    expect(refcounts.moved).toEqual({ freed: 0, taken: 0 });
    await refcounts.changeMany(clusters, -1);
    await refcounts.changeMany(Float64Array.of(5, 77), -1);
    expect(refcounts.moved).toEqual({ freed: 2 * CLUSTER, taken: 0 });
  });

  it('are not changed where a cluster is counted as free', async () => {
    const refcounts = await someBlocks(1);
    const behind = Float64Array.of(refcounts.blockEntries);
    for (const delta of [1, -1] as const) {
      await expect(refcounts.changeMany(behind, delta)).rejects.toMatchObject({
        code: 'refcount-wrong',
        details: { offset: refcounts.blockEntries * CLUSTER },
      });
    }
  });
});
