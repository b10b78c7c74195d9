/**
 * The largest tables that an image can have or claim to have: what they take in memory at any time
 * stays within the stated budget. Memory is looked at during the work, after a collection of what
 * is no longer used.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  inspect,
  mapChain,
  openImage,
  type Qcow2Image,
  readBitmap,
  type Gate,
} from '../../src/engine/index.ts';
import { METADATA_BUDGET, SHARES } from '../../src/engine/formats/qcow2/budget.ts';
import {
  content,
  header,
  pointer,
  SyntheticStorage,
  table,
  type Fill,
  type HeaderValues,
} from '../images/synthetic.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Looks at memory now and then; `look` is to be called as often as anything happens. */
class Watch {
  #most = 0;
  /** What an earlier test left may go away in the midst of this one, so the least seen counts. */
  #least = Infinity;
  #calls = 0;
  #next = 1;

  constructor() {
    this.#measure();
  }

  /** Bytes. */
  get peak(): number {
    return this.#most - this.#least;
  }

  readonly look = (): void => {
    this.#calls += 1;
    if (this.#calls < this.#next) return;
    // Often at first, then seldom: a collection takes its time.
    this.#next = this.#calls + 1 + Math.floor(this.#calls / 4);
    this.#measure();
  };

  #measure(): void {
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    this.#most = Math.max(this.#most, heapUsed + arrayBuffers);
    this.#least = Math.min(this.#least, heapUsed + arrayBuffers);
  }
}

/** Runs `work` on a file and returns the bytes that it took at most. */
async function peakOf(
  files: readonly SyntheticStorage[],
  work: (watch: Watch) => Promise<unknown>,
): Promise<number> {
  // What is still on its way out of an earlier test would count twice: as most, and not as least.
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
  }
  const watch = new Watch();
  for (const file of files) file.onRead = watch.look;
  await work(watch);
  return watch.peak;
}

type Part = readonly [number, number, Fill];

function file(size: number, values: HeaderValues, parts: readonly Part[]): SyntheticStorage {
  return new SyntheticStorage(size, [[0, 512, content(header(values))], ...parts]);
}

describe('the shares', () => {
  it('are no more than the budget', () => {
    const sum = Object.values(SHARES).reduce((total, share) => total + share, 0);
    expect(sum).toBeLessThanOrEqual(METADATA_BUDGET);
  });
});

describe('an image with the largest tables', () => {
  /** 32 GiB in clusters of 512 bytes: more than is counted at once. L1 tables of 32 MiB. */
  const clusters = 2 ** 26;
  const l1Entries = 4 * MIB;
  const l1: Fill = table((index) => (index < 5_000 ? pointer(8 * GIB + index * 512) : [0, 0]));
  const l2: Fill = table((index) => pointer(16 * GIB + (index % 1_000_000) * 512));
  const refcountTable: Fill = table((index) => [0, 4 * GIB - 2 ** 30 + index * 512]);
  const snapshots = Buffer.alloc(128);
  for (const at of [0, 64]) {
    snapshots.writeBigUInt64BE(BigInt(GIB), at);
    snapshots.writeUInt32BE(l1Entries, at + 8);
    snapshots.writeUInt16BE(1, at + 12);
    snapshots.writeUInt32BE(16, at + 36);
    snapshots[at + 56] = 49 + at / 64;
  }
  const parts: Part[] = [
    [256 * MIB, 512 * KIB, refcountTable],
    [512 * MIB, 128, content(snapshots)],
    [768 * MIB, 32 * MIB, l1],
    [GIB, 32 * MIB, l1],
    [8 * GIB, 5_000 * 512, l2],
  ];
  const values = {
    clusterBits: 9,
    size: 64 * GIB,
    l1Size: l1Entries,
    l1Offset: 768 * MIB,
    refcountOffset: 256 * MIB,
    refcountClusters: 16384,
    snapshots: 2,
    snapshotsOffset: 512 * MIB,
  };

  it('is checked', async () => {
    const image = file(clusters * 512, values, parts);
    const peak = await peakOf([image], async () => {
      const disk = await openImage(image, { mode: 'check' });
      const report = await checkImage(disk, { explain: true });
      expect(report.corruptions).toBeGreaterThan(1000);
      expect(report.aborted).toBeUndefined();
    });
    expect(peak).toBeLessThan(METADATA_BUDGET);
  }, 60_000);

  it('is mapped, and so is a snapshot of it', async () => {
    const image = file(clusters * 512, values, parts);
    const peak = await peakOf([image], async (watch) => {
      const disk = await openImage(image);
      const [snapshot] = (disk as Qcow2Image).snapshots;
      for (const one of [disk, await (disk as Qcow2Image).openSnapshot(snapshot!)]) {
        for await (const batch of mapChain(one)) {
          expect(batch.length).toBeLessThan(200_000);
          watch.look();
        }
      }
    });
    expect(peak).toBeLessThan(METADATA_BUDGET);
  }, 60_000);
});

describe('subclusters without end', () => {
  it('come in batches: one table has four million runs', async () => {
    const cluster = 2 * MIB;
    // Every other subcluster is data, the rest reads as zeros.
    const entries: Fill = table((index) =>
      index % 2 === 0 ? pointer(8 * cluster + index * MIB) : [0xaaaaaaaa, 0x55555555],
    );
    const values = {
      clusterBits: 21,
      size: 131072 * cluster,
      l1Size: 1,
      l1Offset: cluster,
      refcountOffset: 2 * cluster,
      refcountClusters: 1,
      extendedL2: true,
    };
    const image = file(131100 * cluster, values, [
      [cluster, 8, table(() => pointer(4 * cluster))],
      [4 * cluster, cluster, entries],
    ]);
    let runs = 0;
    const peak = await peakOf([image], async (watch) => {
      for await (const batch of mapChain(await openImage(image))) {
        runs += batch.length;
        watch.look();
      }
    });
    expect(runs).toBe(131072 * 32);
    expect(peak).toBeLessThan(64 * MIB);
  }, 60_000);
});

describe('snapshots', () => {
  /** As many as there may be, with texts of these lengths. */
  function withSnapshots(idSize: number, nameSize: number): SyntheticStorage {
    const entryBytes = Math.ceil((40 + 16 + idSize + nameSize) / 8) * 8;
    const entry = Buffer.alloc(entryBytes, 'x');
    entry.fill(0, 0, 56);
    entry.writeUInt16BE(idSize, 12);
    entry.writeUInt16BE(nameSize, 14);
    entry.writeUInt32BE(16, 36);
    const fill: Fill = (offset, target) => {
      const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
      for (let at = 0; at < bytes.length;) {
        const within = (offset + at) % entryBytes;
        const part = entry.subarray(within, within + bytes.length - at);
        bytes.set(part, at);
        at += part.length;
      }
    };
    const values = {
      clusterBits: 16,
      size: MIB,
      l1Size: 1,
      l1Offset: 65536,
      refcountOffset: 131072,
      refcountClusters: 1,
      snapshots: 65536,
      snapshotsOffset: MIB,
    };
    const length = 65536 * entryBytes;
    return file(MIB + length, values, [[MIB, length, fill]]);
  }

  it('as many as there may be, with texts as long as QEMU makes them', async () => {
    const image = withSnapshots(127, 255);
    const peak = await peakOf([image], async () => {
      const info = await inspect(await openImage(image, { mode: 'info' }));
      expect(info.snapshots.length).toBe(65536);
      const report = await checkImage(await openImage(image, { mode: 'check' }));
      expect(report.checkErrors).toBe(0);
    });
    expect(peak).toBeLessThan(METADATA_BUDGET);
  }, 60_000);

  it('with longer texts are refused', async () => {
    const image = withSnapshots(400, 500);
    const peak = await peakOf([image], async () => {
      for (const mode of ['info', 'read'] as const) {
        await expect(openImage(image, { mode })).rejects.toMatchObject({ code: 'too-large' });
      }
      // A check without them would take what they use for leaked.
      const disk = await openImage(image, { mode: 'check' });
      await expect(checkImage(disk)).rejects.toMatchObject({ code: 'too-large' });
    });
    expect(peak).toBeLessThan(SHARES.snapshots + 16 * MIB);
  }, 60_000);
});

describe('bitmaps', () => {
  const CLUSTER = 2 * MIB;

  function withBitmaps(count: number, nameSize: number, tableSize: number, more: Part[] = []) {
    const entryBytes = Math.ceil((24 + nameSize) / 8) * 8;
    const entry = Buffer.alloc(entryBytes, 'x');
    entry.fill(0, 0, 24);
    entry.writeBigUInt64BE(BigInt(64 * CLUSTER), 0);
    entry.writeUInt32BE(tableSize, 8);
    entry[16] = 1;
    entry[17] = 9;
    entry.writeUInt16BE(nameSize, 18);
    const directory = Buffer.alloc(count * entryBytes);
    for (let at = 0; at < directory.length; at += entryBytes) entry.copy(directory, at);
    const values = {
      clusterBits: 21,
      size: 128 * CLUSTER * KIB,
      l1Size: 1,
      l1Offset: CLUSTER,
      refcountOffset: 2 * CLUSTER,
      refcountClusters: 1,
      bitmaps: { count, size: directory.length, offset: 8 * CLUSTER },
    };
    const parts: Part[] = [[8 * CLUSTER, directory.length, content(directory)], ...more];
    return file(64 * CLUSTER + tableSize * 8 + GIB, values, parts);
  }

  it('as many as there may be', async () => {
    const image = withBitmaps(65535, 64, 64);
    const peak = await peakOf([image], async () => {
      const info = await inspect(await openImage(image, { mode: 'info' }));
      expect(info.qcow2?.bitmaps.length).toBe(65535);
    });
    expect(peak).toBeLessThan(64 * MIB);
  }, 60_000);

  it('with names as long as there may be are refused', async () => {
    const image = withBitmaps(65535, 1000, 64);
    const peak = await peakOf([image], async () => {
      const open = openImage(image, { mode: 'info' });
      await expect(open).rejects.toMatchObject({ code: 'too-large' });
    });
    expect(peak).toBeLessThan(SHARES.bitmaps + 16 * MIB);
  }, 60_000);

  it('with a table of 128 MiB is checked and read', async () => {
    const image = withBitmaps(1, 1, 2 ** 24);
    const peak = await peakOf([image], async () => {
      const disk = await openImage(image, { mode: 'check' });
      const report = await checkImage(disk);
      expect(report.aborted).toBeUndefined();
      for await (const batch of readBitmap(disk as Qcow2Image, (disk as Qcow2Image).bitmaps[0]!)) {
        expect(batch).toEqual([]);
      }
    });
    expect(peak).toBeLessThan(64 * MIB);
  }, 60_000);

  it('whose bits alternate come in batches', async () => {
    const bits: Fill = (_, target) => {
      for (let at = 0; at < target.byteLength; at++) target.setUint8(at, 0x55);
    };
    const more: Part[] = [
      [64 * CLUSTER, 64 * 8, table((index) => [0, (256 + index) * CLUSTER])],
      [256 * CLUSTER, 64 * CLUSTER, bits],
    ];
    const image = withBitmaps(1, 1, 64, more);
    let ranges = 0;
    const peak = await peakOf([image], async (watch) => {
      const disk = (await openImage(image)) as Qcow2Image;
      for await (const batch of readBitmap(disk, disk.bitmaps[0]!)) {
        ranges += batch.length;
        watch.look();
        if (ranges > 10_000_000) break;
      }
    });
    expect(ranges).toBeGreaterThan(10_000_000);
    expect(peak).toBeLessThan(64 * MIB);
  }, 60_000);
});

describe('a chain', () => {
  /** Layers of a disk of 8 GiB: each has every `layers`th cluster, 64 KiB each. */
  function chainOf(layers: number): SyntheticStorage[] {
    const clusters = 2 ** 17;
    return Array.from({ length: layers }, (_, layer) => {
      const data = 2 * MIB + 16 * 65536;
      const entries = table((index) =>
        index % layers === layer ? pointer(data + index * 65536) : [0, 0],
      );
      const values = {
        clusterBits: 16,
        size: clusters * 65536,
        l1Size: 16,
        l1Offset: 65536,
        refcountOffset: 131072,
        refcountClusters: 1,
        ...(layer + 1 < layers ? { backing: String(layer + 1) } : {}),
      };
      const parts: Part[] = [
        [0, 512, content(header(values))],
        [65536, 128, table((index) => pointer(2 * MIB + index * 65536))],
        [2 * MIB, MIB, entries],
      ];
      return new SyntheticStorage(data + clusters * 65536, parts, String(layer));
    });
  }

  const gateTo =
    (files: readonly SyntheticStorage[]): Gate =>
    ({ name }) =>
      Promise.resolve(files[Number(name)]);

  it.each([20, 100])(
    'of %d layers is mapped in batches',
    async (layers) => {
      const files = chainOf(layers);
      let runs = 0;
      const peak = await peakOf(files, async (watch) => {
        const disk = await openImage(files[0]!, { gate: gateTo(files) });
        for await (const batch of mapChain(disk)) {
          runs += batch.length;
          watch.look();
        }
      });
      expect(runs).toBe(2 ** 17);
      expect(peak).toBeLessThan(METADATA_BUDGET);
    },
    60_000,
  );

  it('of images with the largest L1 tables is refused before it is in memory', async () => {
    const values = {
      clusterBits: 9,
      size: 64 * GIB,
      l1Size: 4 * MIB,
      l1Offset: MIB,
      refcountOffset: 512,
      refcountClusters: 1,
    };
    const files = Array.from({ length: 30 }, (_, layer) => {
      const bytes = header({ ...values, backing: String(layer + 1) });
      return new SyntheticStorage(64 * MIB, [[0, 512, content(bytes)]], String(layer));
    });
    const peak = await peakOf(files, async () => {
      const open = openImage(files[0]!, { gate: gateTo(files) });
      await expect(open).rejects.toMatchObject({ code: 'too-large' });
    });
    expect(peak).toBeLessThan(METADATA_BUDGET);
  }, 60_000);
});
