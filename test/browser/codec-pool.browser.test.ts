import { deflateRaw } from 'pako';
import { expect, it } from 'vitest';
import { WorkerPool } from '../../src/engine/codecs/worker-pool.ts';
import { pattern } from '../storage/conformance.ts';

it('unpacks in real workers, and on its own thread when there are none', async () => {
  const answers: number[] = [];
  const start = (worker: Worker, index: number): Worker => {
    worker.addEventListener('message', () => answers.push(index));
    return worker;
  };
  let started = 0;
  const working = new WorkerPool(
    () =>
      start(
        new Worker(new URL('../../src/worker/codec.worker.ts', import.meta.url), {
          type: 'module',
        }),
        started++,
      ),
    2,
  );
  const missing = new WorkerPool(() => start(new Worker('/no-such-worker.js'), 99), 2);
  const content = pattern(65536);
  content.fill(0, 1000);
  const packed = deflateRaw(content);
  for (const pool of [working, missing]) {
    const batches = Array.from({ length: 6 }, () =>
      pool.unpack({
        codec: 'zlib',
        packed: packed.slice(),
        clusters: [{ start: 0, length: packed.length }],
        clusterSize: 65536,
      }),
    );
    for (const { data, results } of await Promise.all(batches)) {
      expect(results).toEqual(['ok']);
      expect(data).toEqual(content);
    }
    pool.close();
  }
  expect(answers.sort()).toEqual([0, 0, 0, 1, 1, 1]);
});
