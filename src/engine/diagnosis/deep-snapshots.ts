/** Packed clusters that only snapshots of a qcow2 image hold: whether they unpack. */
import type { CodecPool } from '../codecs/pool.ts';
import { isImageError, throwIfCancelled } from '../errors.ts';
import type { Disk } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { mapOwn, type ChainExtent } from '../operations/chain.ts';
import { Transfer } from '../operations/transfer.ts';
import { pacer } from '../yield.ts';

/** Snapshots that are looked at, the first ones: each takes a walk over its tables. */
const MOST = 64;
/** Packed clusters that are unpacked before the next are looked for. */
const AT_ONCE = 1024;

export interface SnapshotLook {
  /** Clusters that neither the disk as it is now nor the snapshot before has at the same place. */
  packed: number;
  broken: number;
  /** What was unpacked, bytes. */
  bytesRead: number;
}

interface Options {
  pool: CodecPool;
  signal: AbortSignal | undefined;
}

/** @throws ImageError cancelled and those of reading tables; a snapshot without its L1 table is skipped */
export async function lookAtSnapshots(disk: Disk, options: Options): Promise<SnapshotLook> {
  const look: SnapshotLook = { packed: 0, broken: 0, bytesRead: 0 };
  if (!(disk instanceof Qcow2Image)) return look;
  let before: Disk = disk;
  for (const snapshot of disk.snapshots.slice(0, MOST)) {
    try {
      const view = await disk.openSnapshot(snapshot, 'then');
      await lookAtOne(view, before === disk ? [disk] : [disk, before], look, options);
      before = view;
    } catch (error) {
      if (!isImageError(error, 'invalid-header')) throw error;
    }
  }
  return look;
}

async function lookAtOne(
  view: Disk,
  others: readonly Disk[],
  look: SnapshotLook,
  { pool, signal }: Options,
): Promise<void> {
  const pace = pacer(signal);
  const known = others.map((other) => new Follower(other));
  const transfer = new Transfer(() => undefined, {
    ...{ pool, signal },
    lost: ({ reason }) => {
      if (reason === 'compressed-short' || reason === 'compressed-corrupt') look.broken += 1;
    },
  });
  let fresh: ChainExtent[] = [];
  for await (const batch of mapOwn(view)) {
    const rest = pace();
    if (rest !== undefined) await rest;
    throwIfCancelled(signal);
    for (const extent of batch) {
      if (extent.kind !== 'compressed') continue;
      let isKnown = false;
      for (const follower of known) {
        // No await for a cluster that is at hand.
        const answer = follower.has(extent) ?? (await follower.find(extent));
        isKnown ||= answer;
      }
      if (!isKnown) {
        look.packed += 1;
        look.bytesRead += extent.length;
        fresh.push(extent);
      }
      if (fresh.length >= AT_ONCE) {
        await transfer.add(fresh);
        fresh = [];
      }
      const pause = pace();
      if (pause !== undefined) await pause;
    }
  }
  await transfer.add(fresh);
  await transfer.end();
}

/** Goes along another disk in guest order. */
class Follower {
  readonly #batches: AsyncGenerator<ChainExtent[], undefined>;
  #batch: readonly ChainExtent[] = [];
  #index = 0;
  #isDone = false;

  constructor(disk: Disk) {
    this.#batches = mapOwn(disk);
  }

  /** Whether it has the same packed cluster at the same place; undefined: more has to be mapped. */
  has({ offset, hostOffset }: ChainExtent): boolean | undefined {
    for (; this.#index < this.#batch.length; this.#index++) {
      const extent = this.#batch[this.#index] as ChainExtent;
      if (extent.offset + extent.length <= offset) continue;
      return extent.kind === 'compressed' && extent.hostOffset === hostOffset;
    }
    return this.#isDone ? false : undefined;
  }

  async find(wanted: ChainExtent): Promise<boolean> {
    for (;;) {
      const answer = this.has(wanted);
      if (answer !== undefined) return answer;
      const next = await this.#batches.next();
      this.#batch = next.value ?? [];
      this.#index = 0;
      this.#isDone = next.done === true;
    }
  }
}
