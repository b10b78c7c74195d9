/** Work that is paused: it stands still, goes on, and can be stopped meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  checksumDisk,
  compareDisks,
  compareRanges,
  convertInto,
  convertToRaw,
  type Disk,
  holdWork,
  MemoryStorage,
  openImage,
  planConvert,
  planRebase,
  planRepair,
  releaseWork,
  CHOICE_SAFE,
} from '../../src/engine/index.ts';
import { content, header, pointer, SyntheticStorage, table } from '../images/synthetic.ts';

const MIB = 2 ** 20;
const CLUSTER = 65536;
const CLUSTERS = 1536;

/** Every cluster has a place of its own, in the order of the disk; none of them is counted. */
function image(): SyntheticStorage {
  const l2 = 4 * CLUSTER;
  const data = 8 * CLUSTER;
  const values = {
    ...{ clusterBits: 16, size: CLUSTERS * CLUSTER, l1Size: 1, l1Offset: 3 * CLUSTER },
    ...{ refcountOffset: CLUSTER, refcountClusters: 1 },
  };
  return new SyntheticStorage(data + CLUSTERS * CLUSTER, [
    [0, 512, content(header(values))],
    [CLUSTER, 8, table(() => [0, 2 * CLUSTER])],
    [3 * CLUSTER, 8, table(() => pointer(l2))],
    [l2, CLUSTERS * 8, table((index) => pointer(data + index * CLUSTER))],
    [data, CLUSTERS * CLUSTER, (offset, target) => target.setUint8(0, 1 + (offset % 251))],
  ]);
}

interface Both {
  readonly files: readonly [SyntheticStorage, SyntheticStorage];
  readonly disks: readonly [Disk, Disk];
  readonly signal: AbortSignal;
}

const target = (size: number) => new MemoryStorage({ content: new Uint8Array(size) });
const SIZE = CLUSTERS * CLUSTER;

const WORK: [string, (work: Both) => Promise<unknown>][] = [
  ['check', ({ disks: [disk], signal }) => checkImage(disk, { signal, limit: 0 })],
  ['repair', ({ files: [file], signal }) => planRepair(file, CHOICE_SAFE, { signal, limit: 0 })],
  ['plan', ({ disks: [disk], signal }) => planConvert(disk, { signal })],
  ['convert', ({ disks: [disk], signal }) => convertToRaw(disk, target(SIZE), { signal })],
  [
    'convert into',
    ({ disks: [disk], signal }) => {
      const storage = target(SIZE);
      const write = (offset: number, bytes: Uint8Array) => storage.write(offset, bytes);
      const zero = () => Promise.resolve();
      const into = { write, zero, writePacked: zero };
      return convertInto([disk], into, { clusterSize: CLUSTER, codec: 'zlib', signal });
    },
  ],
  ['checksum', ({ disks: [disk], signal }) => checksumDisk(disk, { signal })],
  ['compare', ({ disks: [a, b], signal }) => compareDisks(a, b, { signal })],
  ['compare ranges', ({ disks: [a, b], signal }) => compareRanges(a, b, { signal, most: 1 })],
  ['plan of a rebase', ({ disks: [a, b], signal }) => planRebase(emptyOver(a), b, { signal })],
];

/** A disk that has nothing itself. */
function emptyOver(backing: Disk): Disk {
  const none = (offset: number, length: number) => [
    {
      ...{ kind: 'unallocated' as const, offset, length, storage: backing.storage },
      ...{ hostOffset: -1, hostLength: 0, clusterOffset: offset },
    },
  ];
  const map = (offset: number, length: number) => Promise.resolve(none(offset, length));
  const { format, size, clusterSize, storage } = backing;
  return {
    ...{ format, size, clusterSize, storage, backing, map, backingMissing: false },
    ...{ cipher: undefined, contentMissing: undefined, codec: undefined },
    close: () => Promise.resolve(),
  };
}

describe.each(WORK)('%s', (name, work) => {
  async function begin() {
    const files = [image(), image()] as const;
    const mode = name === 'check' ? 'check' : 'read';
    const disks = await Promise.all(files.map((file) => openImage(file, { mode })));
    const controller = new AbortController();
    const { signal } = controller;
    holdWork(signal);
    let ended = false;
    const both = { files, disks: disks as [Disk, Disk], signal };
    const result = work(both).finally(() => (ended = true));
    result.catch(() => undefined);
    await sleep(200);
    const reads = files[0].bytesRead + files[1].bytesRead;
    await sleep(200);
    expect(files[0].bytesRead + files[1].bytesRead).toBe(reads);
    expect(ended).toBe(false);
    // It has not read everything, to wait with it.
    expect(reads).toBeLessThan(64 * MIB);
    return { controller, result };
  }

  it('stands still, and goes on', async () => {
    const { controller, result } = await begin();
    releaseWork(controller.signal);
    await expect(result).resolves.toBeDefined();
  });

  it('is stopped while it stands still', async () => {
    const { controller, result } = await begin();
    controller.abort();
    await expect(result).rejects.toMatchObject({ code: 'cancelled' });
  });
});
