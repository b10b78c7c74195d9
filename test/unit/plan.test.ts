import { describe, expect, it } from 'vitest';
import { type Gate, openImage, planConvert } from '../../src/engine/index.ts';
import { buildQcow2, type ClusterSpec } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';

const CLUSTER = 65536;
const SIZE = 8 * CLUSTER;

function image(clusters: [number, ClusterSpec][], backing?: string) {
  return buildQcow2({
    size: SIZE,
    clusters: new Map(clusters),
    ...(backing === undefined ? {} : { backing: { name: backing, format: 'qcow2' } }),
  });
}

const DATA: ClusterSpec = { kind: 'data', bytes: new Uint8Array(CLUSTER).fill(7) };
const PACKED: ClusterSpec = { kind: 'compressed', bytes: new Uint8Array(CLUSTER).fill(8) };

describe('the plan of a conversion', () => {
  it('counts what a missing backing file hides as unknown, never as zeros', async () => {
    const top = image(
      [
        [0, DATA],
        [1, { kind: 'zero' }],
        [2, PACKED],
      ],
      'base',
    );
    const plan = await planConvert(await openImage(await memory(top.bytes)));
    expect(plan).toEqual({
      size: SIZE,
      data: CLUSTER,
      compressed: CLUSTER,
      zero: CLUSTER,
      unknown: 5 * CLUSTER,
    });
  });

  it('knows it all once the file is there', async () => {
    const top = image([[0, DATA]], 'base');
    const base = image([
      [1, DATA],
      [2, PACKED],
    ]);
    const gate: Gate = () => memory(base.bytes, 'base');
    const plan = await planConvert(await openImage(await memory(top.bytes, 'top'), { gate }));
    expect(plan).toMatchObject({ data: 2 * CLUSTER, compressed: CLUSTER, unknown: 0 });
    expect(plan.zero).toBe(5 * CLUSTER);
  });

  it('does not call damaged tables zeros', async () => {
    const { bytes, l2Offsets } = image([[0, DATA]]);
    // An offset between two clusters.
    new DataView(bytes.buffer).setBigUint64(l2Offsets.get(0) ?? 0, 0x80000000_00051200n);
    const plan = await planConvert(await openImage(await memory(bytes)));
    expect([plan.unknown, plan.data]).toEqual([CLUSTER, 0]);
  });
});
