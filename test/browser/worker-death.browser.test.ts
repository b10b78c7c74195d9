import { afterEach, describe, expect, it } from 'vitest';
import { ImageError } from '../../src/engine/errors.ts';
import { EngineClient } from '../../src/worker/client.ts';
import { pattern } from '../storage/conformance.ts';
import { type TinyImage, tinyQcow2 } from './tiny-images.ts';

const started: Worker[] = [];
const clients: EngineClient[] = [];
const IMAGE: TinyImage = {
  size: 2 ** 30,
  clusters: new Map([[0, { kind: 'data', bytes: pattern(65536) }]]),
};

function watched(start: () => Worker, beat = 50, patience = 300): EngineClient {
  const client = new EngineClient({
    start: () => {
      const worker = start();
      started.push(worker);
      return worker;
    },
    beat,
    patience,
  });
  clients.push(client);
  return client;
}

/** Vite makes a worker of exactly this form, and of no other. */
function engineWorker(): Worker {
  return new Worker(new URL('../../src/worker/engine.worker.ts', import.meta.url), {
    type: 'module',
  });
}

function scriptWorker(source: string): Worker {
  return new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
}

/** The error that a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ImageError);
  return error as ImageError;
}

afterEach(() => {
  for (const client of clients.splice(0)) client.stop();
  for (const worker of started.splice(0)) worker.terminate();
});

describe('worker that dies', () => {
  it('is noticed: calls and jobs end, the app is told, and work can begin again', async () => {
    // Loading the worker may take longer on a busy machine than the patience of this test.
    const client = watched(engineWorker, 100, 3000);
    const deaths: ImageError[] = [];
    client.onDeath((error) => deaths.push(error));
    const { id } = await client.open(new File([tinyQcow2(IMAGE)], 'a.qcow2'));
    const job = client.start<'check'>({ kind: 'check', image: id });
    started[0]?.terminate();
    const ended = failure(job.promise);
    const call = failure(client.facts());
    expect([(await ended).code, (await call).code]).toEqual(['worker-died', 'worker-died']);
    expect(deaths.map(({ code }) => code)).toEqual(['worker-died']);

    const again = await client.open(new File([tinyQcow2(IMAGE)], 'a.qcow2'));
    expect(started.length).toBe(2);
    expect(again.id).not.toBe(id);
    // What was open in the dead one is not open here.
    const stale = failure(client.start<'check'>({ kind: 'check', image: id }).promise);
    expect((await stale).code).toBe('internal');
    const report = await client.start<'check'>({ kind: 'check', image: again.id }).promise;
    expect(report.corruptions).toBe(0);
  });

  it('is noticed at once when it throws', async () => {
    const source = 'addEventListener("message", () => { throw new Error("out of wits"); });';
    const client = watched(() => scriptWorker(source), 1000, 60_000);
    const error = await failure(client.facts());
    expect(error.code).toBe('worker-died');
    expect(error.details).toMatchObject({
      reason: expect.stringContaining('out of wits') as string,
    });
  });

  it('is noticed when it cannot be loaded', async () => {
    const client = watched(() => new Worker('/no-such-worker.js'), 1000, 60_000);
    expect((await failure(client.facts())).code).toBe('worker-died');
  });

  it('is noticed when it never answers', async () => {
    const client = watched(() => scriptWorker('for (;;);'));
    const began = performance.now();
    expect((await failure(client.facts())).code).toBe('worker-died');
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('is not mourned when it was told to stop', async () => {
    const client = watched(engineWorker, 100, 3000);
    const deaths: ImageError[] = [];
    client.onDeath((error) => deaths.push(error));
    await client.facts();
    const call = failure(client.facts());
    client.stop();
    expect((await call).code).toBe('worker-died');
    expect(deaths).toEqual([]);
  });
});
