import { type CodecPool, poolSize, WorkerPool } from '../engine/index.ts';

let pool: CodecPool | undefined;

/** The worker's pool of codec threads: started when first needed, and kept. */
export function codecPool(): CodecPool {
  pool ??= new WorkerPool(
    () =>
      new Worker(new URL('./codec.worker.ts', import.meta.url), { type: 'module', name: 'codec' }),
    poolSize(navigator.hardwareConcurrency),
  );
  return pool;
}
