/** Pictures, places and runs through the real worker. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Picture } from '../../src/worker/api.ts';
import { EngineClient } from '../../src/worker/client.ts';
import { pattern } from '../storage/conformance.ts';
import { type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const CLUSTER = 65536;
const client = new EngineClient();
const file = (content: Uint8Array<ArrayBuffer>, name: string): File => new File([content], name);

const IMAGE: TinyImage = {
  size: 700 * MIB,
  clusters: new Map([
    [0, { kind: 'data', bytes: pattern(CLUSTER, 1) }],
    [1, { kind: 'data', bytes: pattern(CLUSTER, 2) }],
    [2, { kind: 'zero' }],
    [3, { kind: 'compressed', bytes: pattern(3000, 3) }],
    [4, { kind: 'compressed', bytes: pattern(9000, 4) }],
    [8192, { kind: 'data', bytes: pattern(CLUSTER, 7) }],
  ]),
};

const draw = (image: number, space: 'file' | 'guest'): Promise<Picture> =>
  client.start<'picture'>({ kind: 'picture', image, space }).promise;

/** Bytes of each kind that there is. */
function sums({ kinds, sums: bytes }: Picture): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [at, kind] of kinds.entries()) {
    const sum = bytes[at] ?? 0;
    if (sum > 0) found[kind] = sum;
  }
  return found;
}

afterAll(() => client.stop());

describe('pictures in the worker', () => {
  it('show both sides, lead from one to the other, and say the same as a table', async () => {
    const bytes = tinyQcow2(IMAGE);
    const { id } = await client.open(file(bytes, 'disk.qcow2'));
    const guest = await draw(id, 'guest');
    expect(guest).toMatchObject({ size: 700 * MIB, clusterSize: CLUSTER, unit: CLUSTER });
    expect(sums(guest)).toEqual({
      data: 3 * CLUSTER,
      compressed: 2 * CLUSTER,
      zero: CLUSTER,
      unallocated: 700 * MIB - 6 * CLUSTER,
    });
    expect(guest.levels.map(({ length }) => length)).toEqual([11200, 2800]);
    const disk = await draw(id, 'file');
    expect(Object.values(sums(disk)).reduce((a, b) => a + b)).toBe(bytes.length);
    expect(sums(disk)).toMatchObject({ header: CLUSTER, l2: 2 * CLUSTER, data: 3 * CLUSTER });
    // A second look is not at what went over to the page.
    expect(sums(await draw(id, 'file'))).toEqual(sums(disk));

    const there = await client.place(id, 'guest', CLUSTER + 5);
    expect(there).toMatchObject({ offset: CLUSTER, length: CLUSTER, kind: 'data' });
    const host = there.uses[0]?.fileOffset ?? -1;
    const back = await client.place(id, 'file', host + 5);
    expect(back).toMatchObject({ offset: host, kind: 'data', refcount: { stored: 1, counted: 1 } });
    expect(back.uses).toEqual(there.uses);
    expect(back.uses[0]?.node).toBe('l1/0/l2/1');

    const runs = await client.runs(id, 'guest', 0, 3);
    expect(runs.map(({ kind }) => kind)).toEqual(['data', 'zero', 'compressed']);
    const next = (await client.runs(id, 'guest', 5 * CLUSTER, 100)).map(({ kind }) => kind);
    expect(next).toEqual(['unallocated', 'data', 'unallocated']);
    expect((await client.runs(id, 'file', 0, 10_000)).length).toBe(disk.runs);
    await client.close(id);
  });

  it('name the image of a chain that has the bytes', async () => {
    const overlay: TinyImage = { size: 700 * MIB, clusters: new Map(), backing: 'base.qcow2' };
    const opened = await client.open(file(tinyQcow2(overlay), 'top.qcow2'));
    expect(sums(await draw(opened.id, 'guest'))).toEqual({ unknown: 700 * MIB });
    const key = opened.chain[1]?.key ?? '';
    await client.attach(opened.id, key, file(tinyQcow2(IMAGE), 'base.qcow2'));
    const picture = await draw(opened.id, 'guest');
    expect(sums(picture)).toEqual({ backing: 6 * CLUSTER, unallocated: 700 * MIB - 6 * CLUSTER });
    const { kind, uses } = await client.place(opened.id, 'guest', 0);
    expect(kind).toBe('backing');
    expect(uses[0]).toMatchObject({ layer: key, fileOffset: undefined });
    await client.close(opened.id);
  });

  it('are drawn of what is damaged, and of what has no tables', async () => {
    const bytes = tinyQcow2(IMAGE);
    // The L2 table lies at an odd place.
    new DataView(bytes.buffer).setUint8(Number(new DataView(bytes.buffer).getBigUint64(40)) + 6, 2);
    const { id } = await client.open(file(bytes, 'damaged.qcow2'));
    expect(sums(await draw(id, 'guest'))['damaged']).toBeGreaterThan(0);
    expect(sums(await draw(id, 'file'))['leaked']).toBeGreaterThan(0);
    await client.close(id);
    const raw = await client.open(file(new Uint8Array(MIB), 'disk.raw'), { raw: true });
    expect(sums(await draw(raw.id, 'file'))).toEqual({ data: MIB });
    expect((await client.place(raw.id, 'file', 5000)).uses[0]?.guestOffset).toBe(4608);
    await client.close(raw.id);
  });
});
