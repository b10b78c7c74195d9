/**
 * How files are read: in long runs, however the clusters lie, and every byte of data once. Counted
 * on files that are made up as they are read.
 */
import { describe, expect, it } from 'vitest';
import { convertToRaw, mapChain, openImage, type Storage } from '../../src/engine/index.ts';
import { content, header, pointer, SyntheticStorage, table } from '../images/synthetic.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Where the data clusters of a layer begin in its file. */
const DATA = 64 * MIB;

interface Layer {
  clusterSize: number;
  size: number;
  /** Place of a guest cluster among the data clusters; -1 where it has none. */
  place: (index: number) => number;
  backing?: string;
}

/** A file with tables and data; each cluster begins with its place and the layer's mark. */
function layer({ clusterSize, size, place, backing }: Layer, mark = 1): SyntheticStorage {
  const clusters = size / clusterSize;
  const l2Entries = clusterSize / 8;
  const l1Size = Math.ceil(clusters / l2Entries);
  const values = {
    clusterBits: Math.log2(clusterSize),
    size,
    l1Size,
    l1Offset: MIB,
    refcountOffset: clusterSize,
    refcountClusters: 1,
    ...(backing === undefined ? {} : { backing }),
  };
  const entries = table((index) => {
    const at = place(index);
    return at < 0 ? [0, 0] : pointer(DATA + at * clusterSize);
  });
  return new SyntheticStorage(
    DATA + size,
    [
      [0, 512, content(header(values))],
      [MIB, l1Size * 8, table((index) => pointer(2 * MIB + index * clusterSize))],
      [2 * MIB, l1Size * clusterSize, entries],
      [
        DATA,
        size,
        (offset, target) => {
          const first = Math.ceil(offset / clusterSize);
          for (let at = first; (at + 1) * clusterSize <= offset + target.byteLength; at++) {
            target.setUint32(at * clusterSize - offset, at);
            target.setUint32(at * clusterSize - offset + 4, mark);
          }
        },
      ],
    ],
    String(mark),
  );
}

/** Takes a conversion and looks at the first bytes of each cluster; keeps nothing. */
class Judge implements Storage {
  readonly name = 'judge';
  readonly writable = true;
  size = 0;
  written = 0;
  readonly #clusterSize: number;
  readonly #expected: (index: number) => readonly [place: number, mark: number];

  constructor(clusterSize: number, expected: (index: number) => readonly [number, number]) {
    this.#clusterSize = clusterSize;
    this.#expected = expected;
  }

  read(): Promise<number> {
    return Promise.resolve(0);
  }

  write(offset: number, source: Uint8Array): Promise<void> {
    const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
    for (let at = 0; at < source.length; at += this.#clusterSize) {
      const [place, mark] = this.#expected((offset + at) / this.#clusterSize);
      if (view.getUint32(at) !== place || view.getUint32(at + 4) !== mark) {
        throw new Error(`wrong bytes at ${offset + at}`);
      }
    }
    this.written += source.length;
    return Promise.resolve();
  }

  resize(size: number): Promise<void> {
    this.size = size;
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Orders in which clusters may lie, `count` being a power of two. */
const ORDERS: Record<string, (index: number, count: number) => number> = {
  'in order': (index) => index,
  'at random': (index, count) => (index * 40503 + 12345) % count,
  backwards: (index, count) => count - 1 - index,
  'as two streams': (index, count) => (index % 2) * (count / 2) + Math.floor(index / 2),
};

describe('a fragmented image', () => {
  it.each([
    [4, 'at random'],
    [1, 'in order'],
    [1, 'backwards'],
    [1, 'as two streams'],
  ])(
    'of %d GiB, clusters %s, is read once, in long runs',
    async (gib, name) => {
      const clusterSize = 64 * KIB;
      const size = gib * GIB;
      const order = (index: number) => ORDERS[name]!(index, size / clusterSize);
      const file = layer({ clusterSize, size, place: order });
      const judge = new Judge(clusterSize, (index) => [order(index), 1]);
      await convertToRaw(await openImage(file), judge, { sparse: 0 });
      expect(judge.written).toBe(size);
      expect(file.bytesRead).toBeLessThan(size * 1.01);
      // 8 MiB a read, and a few for the tables.
      expect(file.reads).toBeLessThan(size / (4 * MIB));
    },
    60_000,
  );

  it('with small clusters at random is read in long runs, through what lies between', async () => {
    const clusterSize = 4 * KIB;
    const size = GIB;
    const order = (index: number) => ORDERS['at random']!(index, size / clusterSize);
    const file = layer({ clusterSize, size, place: order });
    const judge = new Judge(clusterSize, (index) => [order(index), 1]);
    await convertToRaw(await openImage(file), judge, { sparse: 0 });
    expect(judge.written).toBe(size);
    // A batch of runs goes through the whole file; 262144 runs make four batches.
    expect(file.bytesRead).toBeLessThan(size * 4.5);
    expect(file.reads).toBeLessThan((size * 4.5) / (2 * MIB));
  }, 60_000);
});

describe('a chain of 20 layers', () => {
  const LAYERS = 20;
  const clusterSize = 64 * KIB;
  const size = GIB;

  function open(files: readonly SyntheticStorage[]) {
    return openImage(files[0]!, {
      gate: ({ name }) => Promise.resolve(files[Number(name) - 1]),
    });
  }

  /** Names are 1 for the topmost and so on. */
  function chainOf(place: (layer: number, index: number) => number): SyntheticStorage[] {
    return Array.from({ length: LAYERS }, (_, at) => {
      const backing = at + 1 < LAYERS ? { backing: String(at + 2) } : {};
      return layer({ clusterSize, size, place: (index) => place(at, index), ...backing }, at + 1);
    });
  }

  it('costs lookups, not copies: every byte of data is read once', async () => {
    const files = chainOf((at, index) => (index % LAYERS === at ? Math.floor(index / LAYERS) : -1));
    const judge = new Judge(clusterSize, (index) => [
      Math.floor(index / LAYERS),
      (index % LAYERS) + 1,
    ]);
    await convertToRaw(await open(files), judge, { sparse: 0 });
    expect(judge.written).toBe(size);
    // Read at opening: the beginning twice. Later: two L2 tables.
    const tables = 320 * KIB;
    const bytes = files.reduce((sum, file) => sum + file.bytesRead, 0);
    expect(bytes).toBeLessThan(size + LAYERS * tables);
    // Each layer has 51 MiB: seven reads of data, and header, L1 table, L2 tables.
    for (const file of files) expect(file.reads).toBeLessThan(16);
  }, 60_000);

  it('asks no layer for what one above it has', async () => {
    const files = chainOf((at, index) => (at === 0 ? index : -1));
    const judge = new Judge(clusterSize, (index) => [index, 1]);
    await convertToRaw(await open(files), judge, { sparse: 0 });
    expect(judge.written).toBe(size);
    for (const file of files.slice(1)) {
      // Header and L1 table, at opening.
      expect(file.reads).toBeLessThan(4);
      expect(file.bytesRead).toBeLessThan(160 * KIB);
    }
  }, 60_000);

  it('is mapped with a few reads a layer, where one cluster follows in each', async () => {
    const files = chainOf((at, index) => (index % LAYERS === at ? index : -1));
    let runs = 0;
    for await (const batch of mapChain(await open(files))) runs += batch.length;
    expect(runs).toBe(size / clusterSize);
    for (const file of files) expect(file.reads).toBeLessThan(8);
  });
});
