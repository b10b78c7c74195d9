import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EngineClient } from '../../src/worker/client.ts';
import { expectBytes, pattern } from '../storage/conformance.ts';
import { guestContent, type TinyImage, tinyQcow2 } from './tiny-images.ts';

const client = new EngineClient();

const CLUSTER = 65536;
const IMAGE: TinyImage = {
  size: 8 * CLUSTER + 512,
  clusters: new Map([
    [0, { kind: 'data', bytes: pattern(CLUSTER, 1) }],
    [2, { kind: 'compressed', bytes: pattern(3000, 3) }],
    [3, { kind: 'data', bytes: pattern(CLUSTER, 4) }],
    [8, { kind: 'data', bytes: pattern(512, 5) }],
  ]),
};

afterAll(() => client.stop());

let id = 0;
beforeEach(async () => {
  ({ id } = await client.open(new File([tinyQcow2(IMAGE)], 'a.qcow2')));
});
afterEach(async () => {
  await client.close(id);
  for (const { name } of await client.privateFiles()) await client.deletePrivateFile(name);
});

async function run(line: string) {
  const text = { out: '', err: '' };
  const job = client.start<'command'>(
    { kind: 'command', line },
    {
      output: (stream, piece) => {
        text[stream] += piece;
      },
    },
  );
  const { exitCode, files } = await job.promise;
  return { code: exitCode, ...text, files: files.map(({ name }) => name) };
}

async function contentOf(name: string): Promise<Uint8Array> {
  return new Uint8Array(await (await client.privateFile(name)).arrayBuffer());
}

/** Moves the only L2 table to where none can be. */
function withoutTable(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const l1 = Number(view.getBigUint64(40));
  view.setBigUint64(l1, view.getBigUint64(l1) | 0x200n);
  return bytes;
}

describe('console: commands', () => {
  it('measure', async () => {
    const { code, out, err } = await run('measure -O qcow2 --output=json a.qcow2');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const report = JSON.parse(out) as Record<string, number>;
    // Header, refcount table and block, L1, L2 and the four clusters that are in use.
    expect(report['required']).toBe(9 * CLUSTER);
    expect(report['fully-allocated']).toBe(14 * CLUSTER);
    expect(await run('measure --size 1G -O raw')).toMatchObject({ code: 0 });
  });

  it('dd makes a file, with the blocks that were asked for', async () => {
    const result = await run('dd if=a.qcow2 of=part.raw bs=1000 skip=60 count=100');
    expect(result).toEqual({ code: 0, out: '', err: '', files: ['part.raw'] });
    const part = new Uint8Array(100_352);
    part.set(guestContent(IMAGE).subarray(60_000, 160_000));
    expectBytes(await contentOf('part.raw'), part);
    expect(await run('dd if=a.qcow2 of=a.qcow2')).toMatchObject({ code: 1, files: [] });
  });

  it('bench reads', async () => {
    const { code, out } = await run('bench -c 50 -d 8 -s 8k a.qcow2');
    expect(code).toBe(0);
    expect(out).toMatch(/^Sending 50 read requests, 8192 bytes each, 8 in parallel/);
    expect(out).toMatch(/^Run completed in \d+\.\d{3} seconds\.$/m);
  });

  it('snapshot -l has nothing to list', async () => {
    expect(await run('snapshot -l a.qcow2')).toMatchObject({ code: 0, out: '', err: '' });
  });

  it('convert --salvage says what is lost and keeps the rest', async () => {
    const damaged = await client.open(new File([withoutTable(tinyQcow2(IMAGE))], 'damaged.qcow2'));
    const result = await run('convert --salvage damaged.qcow2 saved.raw');
    expect(result).toMatchObject({ code: 0, files: ['saved.raw'] });
    expect(result.err).toMatch(/^qcow2: Image is corrupt: L2 table offset 0x[0-9a-f]+ unaligned/);
    expect(result.err).toMatch(/warning: error while reading offset 512: Input\/output error\n/);
    expectBytes(await contentOf('saved.raw'), new Uint8Array(IMAGE.size));
    expect(await run('convert damaged.qcow2 lost.raw')).toMatchObject({ code: 1, files: [] });
    await client.close(damaged.id);
  });
});
