import { deflateRaw } from 'pako';
import { describe, expect, it } from 'vitest';
import { type CodecPool, type DecompressBatch, InlinePool } from '../../src/engine/codecs/pool.ts';
import {
  type CodecAnswer,
  type CodecScope,
  type CodecWorker,
  poolSize,
  serveCodec,
  WorkerPool,
} from '../../src/engine/codecs/worker-pool.ts';
import { isImageError } from '../../src/engine/errors.ts';

const SIZE = 4096;

/** A batch of clusters, each filled with its own number; those named in `broken` are garbage. */
function batchOf(count: number, first = 0, broken: number[] = []): DecompressBatch {
  const pieces = Array.from({ length: count }, (_, index) =>
    broken.includes(index)
      ? new Uint8Array(512).fill(0xff)
      : deflateRaw(new Uint8Array(SIZE).fill(first + index)),
  );
  // In the middle of a larger buffer: a view must not be taken for its buffer.
  const buffer = new Uint8Array(1000 + pieces.reduce((sum, piece) => sum + piece.length, 0));
  const packed = buffer.subarray(500);
  const clusters = [];
  let start = 0;
  for (const piece of pieces) {
    packed.set(piece, start);
    clusters.push({ start, length: piece.length });
    start += piece.length;
  }
  return { codec: 'zlib', packed, clusters, clusterSize: SIZE };
}

async function expectUnpacked(pool: CodecPool, count: number, first: number): Promise<void> {
  const { data, results } = await pool.unpack(batchOf(count, first));
  expect(results).toEqual(Array.from({ length: count }, () => 'ok'));
  expect(data.length).toBe(count * SIZE);
  expect(data.findIndex((byte, at) => byte !== first + Math.floor(at / SIZE))).toBe(-1);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return isImageError(error) ? error.code : String(error);
}

/** A worker on this thread. */
class FakeWorker implements CodecWorker {
  onmessage: CodecWorker['onmessage'] = null;
  onerror: CodecWorker['onerror'] = null;
  terminated = false;
  orders = 0;
  readonly #scope: CodecScope;
  /** Orders that it takes before it ends by itself. */
  readonly #life: number;

  constructor(life = Infinity) {
    this.#life = life;
    this.#scope = {
      onmessage: null,
      postMessage: (answer, transfer) => {
        const data: CodecAnswer = structuredClone(answer, { transfer });
        this.onmessage?.(new MessageEvent('message', { data }));
      },
    };
    serveCodec(this.#scope);
  }

  postMessage(message: unknown, transfer: Transferable[]): void {
    const data: unknown = structuredClone(message, { transfer });
    const dies = ++this.orders > this.#life;
    setTimeout(() => {
      if (this.terminated) return;
      if (dies) this.onerror?.({ preventDefault: () => undefined } as ErrorEvent);
      else this.#scope.onmessage?.({ data } as Parameters<NonNullable<CodecScope['onmessage']>>[0]);
    });
  }

  terminate(): void {
    this.terminated = true;
  }
}

function pools(): [name: string, make: () => CodecPool][] {
  return [
    ['inline', () => new InlinePool()],
    ['workers', () => new WorkerPool(() => new FakeWorker(), 3)],
    ['workers that end after two orders', () => new WorkerPool(() => new FakeWorker(2), 3)],
    ['workers that end at once', () => new WorkerPool(() => new FakeWorker(0), 3)],
    [
      'workers that cannot start',
      () =>
        new WorkerPool(() => {
          throw new Error('no workers here');
        }, 3),
    ],
  ];
}

function rleBlock(size: number, value: number): number[] {
  const head = (size << 3) | 0b011;
  return [head & 255, (head >>> 8) & 255, head >>> 16, value];
}

describe.each(pools())('codec pool: %s', (_, make) => {
  it('unpacks many batches at once, each to its caller', async () => {
    const pool = make();
    expect(pool.concurrency).toBeGreaterThan(0);
    const all = Array.from({ length: 20 }, (_, index) => expectUnpacked(pool, index % 5, index));
    await Promise.all(all);
    pool.close();
  });

  it('says which clusters are damaged and unpacks the others', async () => {
    const pool = make();
    const { data, results } = await pool.unpack(batchOf(4, 1, [1, 2]));
    expect([results[0], results[3]]).toEqual(['ok', 'ok']);
    expect(results[1]).not.toBe('ok');
    expect(results[2]).not.toBe('ok');
    expect([data[0], data[SIZE - 1], data[3 * SIZE], data[4 * SIZE - 1]]).toEqual([1, 1, 4, 4]);
    pool.close();
  });

  it('takes zstd as well, and zlib is none', async () => {
    const pool = make();
    const { data, results } = await pool.unpack({
      codec: 'zstd',
      // One frame of one block: a byte, SIZE times (RFC 8878, RLE_Block).
      packed: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, ...rleBlock(SIZE, 9)),
      clusters: [{ start: 0, length: 10 }],
      clusterSize: SIZE,
    });
    expect(results).toEqual(['ok']);
    expect([data[0], data[SIZE - 1], data.length]).toEqual([9, 9, SIZE]);
    const wrong = await pool.unpack({ ...batchOf(1), codec: 'zstd' });
    expect(wrong.results).toEqual(['corrupt']);
    pool.close();
  });

  it('is closed twice and refuses work then', async () => {
    const pool = make();
    const pending = pool.unpack(batchOf(2));
    const outcome = codeOf(pending);
    pool.close();
    pool.close();
    expect(['cancelled', 'undefined']).toContain(await outcome);
    expect(await codeOf(pool.unpack(batchOf(1)))).toBe('cancelled');
  });
});

describe('worker pool', () => {
  it('shares the work out and ends its workers', async () => {
    const workers: FakeWorker[] = [];
    const start = (): FakeWorker => {
      const worker = new FakeWorker();
      workers.push(worker);
      return worker;
    };
    const pool = new WorkerPool(start, 3);
    await Promise.all(Array.from({ length: 9 }, () => expectUnpacked(pool, 1, 3)));
    expect(workers.map((worker) => worker.orders)).toEqual([3, 3, 3]);
    pool.close();
    expect(workers.every((worker) => worker.terminated)).toBe(true);
  });

  it('leaves a core to the caller, within bounds', () => {
    expect([1, 2, 4, 9, 64].map(poolSize)).toEqual([1, 2, 4, 8, 8]);
  });
});
