/** Fragmented disks, large enough to be read in the order of their files. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  compactQcow2,
  compareDisks,
  openImage,
  readDisk,
  type Disk,
} from '../../src/engine/index.ts';
import { Qcow2Image } from '../../src/engine/formats/qcow2/image.ts';
import { buildQcow2, guestContent, type ClusterSpec } from '../images/build-qcow2.ts';
import { noise } from '../images/noise.ts';
import { memory } from '../images/memory.ts';

const CLUSTER = 65536;
const COUNT = 256;
const base = noise(1, CLUSTER);

/** Clusters in an order that has no neighbours, some of them zeros, one packed, one not there. */
function shuffled(step: number) {
  const clusters = new Map<number, ClusterSpec>();
  for (let index = 0; index < COUNT; index++) {
    const at = (index * step) % COUNT;
    if (at === 100) continue;
    const bytes = new Uint8Array(base);
    bytes.set([at, 7, at], at * 10);
    if (at % 50 === 3) clusters.set(at, { kind: 'data', bytes: new Uint8Array(CLUSTER) });
    else if (at % 60 === 8) clusters.set(at, { kind: 'zero' });
    else if (at === 150) clusters.set(at, { kind: 'compressed', bytes: bytes.fill(9, 2000) });
    else clusters.set(at, { kind: 'data', bytes });
  }
  const spec = { clusterBits: 16, size: COUNT * CLUSTER - 512, clusters };
  return { bytes: buildQcow2(spec).bytes, model: guestContent(spec) };
}

async function rawOf(model: Uint8Array): Promise<Disk> {
  return openImage(await memory(new Uint8Array(model)), { format: 'raw' });
}

describe('a fragmented disk', () => {
  it('is compared, whichever side it is on, and what differs first is said', async () => {
    const { bytes, model } = shuffled(101);
    const one = await openImage(await memory(bytes));
    const two = await openImage(await memory(shuffled(77).bytes));
    const raw = await rawOf(model);
    for (const [a, b] of [
      [one, raw],
      [raw, one],
      [one, two],
    ] as const) {
      let passed = 0;
      const report = await compareDisks(a, b, { progress: ({ done }) => (passed = done) });
      expect(report).toEqual({
        ...{ outcome: { kind: 'identical' }, sizeMismatch: false },
        compared: model.length,
      });
      expect(passed).toBe(model.length);
    }
    for (const at of [0, 5_000_000, 100 * CLUSTER, model.length - 1]) {
      const other = new Uint8Array(model);
      other[at] = (other[at] ?? 0) ^ 1;
      const last = other.length - 1;
      other[last] = (other[last] ?? 0) ^ 2;
      const { outcome } = await compareDisks(await rawOf(other), one);
      expect(outcome).toEqual({ kind: 'content', offset: at - (at % 512) });
    }
  });

  it('is compacted', async () => {
    const { bytes, model } = shuffled(101);
    const source = await openImage(await memory(bytes));
    if (!(source instanceof Qcow2Image)) throw new Error('no qcow2');
    const target = await memory(new Uint8Array());
    const seen: number[] = [];
    const { size } = await compactQcow2(source, target, {
      progress: ({ stage, done }) => {
        if (stage === 'copying') seen.push(done);
      },
    });
    expect(target.size).toBe(size);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    const made = await openImage(target, { mode: 'check' });
    const report = await checkImage(made, { explain: true });
    expect(report.findings).toEqual([]);
    expect(report.fragmentedClusters).toBeLessThanOrEqual(1);
    expect(Buffer.compare(await readDisk(made, 0, made.size), model)).toBe(0);
  });
});
