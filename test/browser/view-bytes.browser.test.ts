/** Bytes, structures and searches as the page gets them from the worker. */
import { afterAll, describe, expect, it } from 'vitest';
import { EngineClient, type JobProgress } from '../../src/worker/client.ts';
import { pattern } from '../storage/conformance.ts';
import { guestContent, type TinyImage, tinyQcow2 } from './tiny-images.ts';

const MIB = 2 ** 20;
const client = new EngineClient();
afterAll(() => client.stop());

const NEEDLE = new TextEncoder().encode('Needle');

function withNeedle(bytes: Uint8Array, at: number): Uint8Array {
  bytes.set(NEEDLE, at);
  return bytes;
}

/** Packs well, and ends with the first half of a needle. */
function packable(): Uint8Array {
  return withNeedle(new Uint8Array(65536 + 3), 65533).subarray(0, 65536);
}

/** The second needle lies across a compressed cluster and a plain one. */
const IMAGE: TinyImage = {
  size: 20 * MIB,
  clusters: new Map([
    [0, { kind: 'data', bytes: withNeedle(pattern(65536, 1), 1000) }],
    [2, { kind: 'zero' }],
    [3, { kind: 'compressed', bytes: packable() }],
    [4, { kind: 'data', bytes: withNeedle(pattern(65536 + 3, 4), 0).subarray(3) }],
    [200, { kind: 'data', bytes: pattern(65536, 5) }],
  ]),
};

async function open(image: TinyImage, name = 'disk.qcow2') {
  const file = new File([tinyQcow2(image)], name);
  return { file, ...(await client.open(file)) };
}

describe('worker: bytes', () => {
  it('of the file and of the disk, as they are', async () => {
    const { id, file } = await open(IMAGE);
    const content = guestContent(IMAGE);
    const ofDisk = await client.bytes(id, 'guest', 3 * 65536 - 500, 131_072);
    expect(ofDisk.unreadable).toEqual([]);
    const expected = content.subarray(3 * 65536 - 500, 5 * 65536 - 500);
    expect(indexedDB.cmp(ofDisk.bytes, expected)).toBe(0);
    const ofFile = await client.bytes(id, 'file', 0, 104);
    expect(ofFile.offset).toBe(0);
    expect(indexedDB.cmp(ofFile.bytes, await file.slice(0, 104).arrayBuffer())).toBe(0);
  });

  it('end where the file and the disk end, and never are more than a MiB', async () => {
    const { id, file } = await open(IMAGE);
    expect((await client.bytes(id, 'file', file.size - 10, 100)).bytes.length).toBe(10);
    expect((await client.bytes(id, 'guest', 20 * MIB - 1, 100)).bytes.length).toBe(1);
    expect((await client.bytes(id, 'guest', 30 * MIB, 100)).bytes.length).toBe(0);
    expect((await client.bytes(id, 'guest', 0, 8 * MIB)).bytes.length).toBe(MIB);
  });

  it('in a backing file that nobody gave are named, not zeros', async () => {
    const { id } = await open({ ...IMAGE, backing: 'base.raw', backingFormat: 'raw' });
    const { unreadable } = await client.bytes(id, 'guest', 0, 4 * 65536);
    expect(unreadable).toEqual([
      { offset: 65536, length: 65536, reason: 'backing-missing', message: '' },
    ]);
  });

  it('in an external data file that nobody gave are named, too', async () => {
    const { id } = await open({
      size: MIB,
      clusters: new Map([[1, { kind: 'data', bytes: pattern(10, 1) }]]),
      dataFile: 'data.raw',
    });
    const { unreadable } = await client.bytes(id, 'guest', 0, MIB);
    expect(unreadable).toMatchObject([
      { offset: 65536, length: 65536, reason: 'data-file-missing' },
    ]);
  });
});

describe('worker: structures', () => {
  it('lead from the top to an entry, and from an address back to it', async () => {
    const { id } = await open(IMAGE);
    const top = await client.nodes(id, '', 0, 100);
    expect(top.map((node) => node.id)).toEqual(
      expect.arrayContaining(['header', 'l1', 'refcounts']),
    );
    const entries = await client.nodes(id, 'l1/0/l2', 0, 5);
    expect(entries.map(({ key }) => key)).toEqual(
      ['standard', 'unallocated', 'zero', 'compressed', 'standard'].map(
        (kind) => `qcow2.l2.${kind}`,
      ),
    );
    const target = entries[4]?.value?.target?.offset ?? 0;
    const path = await client.nodesAt(id, target + 100);
    expect(path.map((node) => node.id)).toEqual(['l1', 'l1/0', 'l1/0/l2', 'l1/0/l2/4']);
    expect(await client.nodesTo(id, 'l1/0/l2/4')).toEqual(path);
  });
});

describe('worker: searches', () => {
  const wanted = (image: number) => ({
    ...{ kind: 'search' as const, image, space: 'guest' as const, patterns: [NEEDLE.slice()] },
    ...{ ignoreCase: false, from: 0, to: 20 * MIB, most: 100 },
  });

  it('find what lies across clusters, say how far they are, and end', async () => {
    const { id } = await open(IMAGE);
    const seen: JobProgress[] = [];
    const job = client.start<'search'>(wanted(id), { progress: (progress) => seen.push(progress) });
    const { matches, end, unreadable } = await job.promise;
    expect(matches).toEqual([
      { offset: 1000, length: 6 },
      { offset: 4 * 65536 - 3, length: 6 },
    ]);
    expect({ end, unreadable }).toEqual({ end: 20 * MIB, unreadable: 0 });
    expect(seen.at(-1)).toMatchObject({ stage: 'searching', done: 20 * MIB, total: 20 * MIB });
    const lower = {
      ...wanted(id),
      patterns: [new TextEncoder().encode('nEEDLE')],
      ignoreCase: true,
    };
    expect((await client.start<'search'>(lower, {}).promise).matches).toEqual(matches);
  });

  it('end within a tenth of a second when they are cancelled', async () => {
    const bytes = new Uint8Array(200 * MIB).fill(0x41);
    const { id } = await client.open(new File([bytes], 'large.raw'), { raw: true });
    // Three alternatives that nearly match everywhere.
    const patterns = ['AAAAB', 'AAC', 'AAAD'].map((text) => new TextEncoder().encode(text));
    const job = client.start<'search'>({ ...wanted(id), patterns, to: bytes.length }, {});
    await new Promise((resolve) => setTimeout(resolve, 100));
    const started = performance.now();
    job.cancel();
    await expect(job.promise).rejects.toMatchObject({ code: 'cancelled' });
    // Twice that: the machines that run this do other things, too.
    expect(performance.now() - started).toBeLessThan(200);
  });
});
