/** Compressed clusters whose place cannot stay as it is: can they be unpacked there at all? */
import { divideRoundUp } from '../../../binary/units.ts';
import { unpackBatch } from '../../../codecs/pool.ts';
import { readPadded } from '../../../storage/storage.ts';
import { COMPRESSED_HIGH } from '../tables.ts';
import { entryHigh, entryLow } from '../edit/words.ts';
import { USE } from './clusters.ts';
import type { EntryWords } from './entries.ts';
import type { RepairJob } from './job.ts';
import type { RepairAction } from './plan.ts';

/** Clusters that are unpacked to see whether that can be done. */
const MOST_TRIES = 4096;

export interface PackedProblem {
  /** Of its entry in the table, bytes. */
  readonly at: number;
  readonly guest: number;
  readonly offset: number;
  readonly length: number;
  /** It reaches behind the file, or its place belongs to something else. */
  readonly problem: 'overshoots' | 'shared';
}

export class Packed {
  readonly #job: RepairJob;
  #tries = 0;

  constructor(job: RepairJob) {
    this.#job = job;
  }

  /** What is wrong with the place of a compressed cluster. */
  problemOf(
    { offset, length, overshoots }: { offset: number; length: number; overshoots: boolean },
    suspects: ReadonlySet<number>,
    kept: Map<number, number>,
    most: number,
  ): PackedProblem['problem'] | undefined {
    const { clusters, clusterSize, fileSize } = this.#job;
    if (overshoots) return 'overshoots';
    const last = Math.floor((Math.min(offset + length, fileSize) - 1) / clusterSize);
    const first = Math.floor(offset / clusterSize);
    for (let cluster = first; cluster <= last; cluster++) {
      const use = clusters.use(cluster);
      if (use !== USE.none && use !== USE.data && use !== USE.compressed) return 'shared';
      const isCrowded = suspects.has(cluster) && clusters.count(cluster) > most;
      if (isCrowded && (kept.get(cluster) ?? 0) >= most) return 'shared';
    }
    for (let cluster = first; cluster <= last; cluster++) {
      if (suspects.has(cluster)) kept.set(cluster, (kept.get(cluster) ?? 0) + 1);
    }
    return undefined;
  }

  /** Cuts, moves or gives up a compressed cluster. */
  async mend(
    entry: EntryWords,
    { offset, length, problem }: PackedProblem,
    where: Pick<RepairAction, 'host' | 'guest' | 'snapshot'>,
  ): Promise<void> {
    const { log, base, storage, clusterSize, fileSize, image } = this.#job;
    this.#tries += 1;
    if (this.#tries > MOST_TRIES) {
      log.refuse('too-many-copies', { ...where });
      return;
    }
    const packed = await readPadded(base, offset, length);
    if (!this.#unpacks(packed)) {
      const action = { kind: 'compressed-unreadable', class: 'loses-data' } as const;
      if (log.add({ ...action, loses: 'unreadable', ...where })) {
        this.#job.judge.mend(entry, 'compressed-unreadable');
      }
      return;
    }
    const inFile = divideRoundUp(Math.min(offset + length, fileSize), 512) * 512 - offset;
    if (problem === 'overshoots' && this.#unpacks(packed.subarray(0, fileSize - offset))) {
      const { kind } = { kind: 'compressed-shortened' } as const;
      if (log.add({ kind, class: 'safe', ...where })) this.#setPlace(entry, offset, inFile);
      return;
    }
    const within = offset % 512;
    const room = divideRoundUp(within + length, clusterSize);
    if (image.header.cryptMethod === 2 || !this.#job.takeCopy(room * clusterSize)) {
      log.refuse('too-many-copies', { ...where });
      return;
    }
    if (!log.add({ kind: 'move-compressed', class: 'guess', ...where })) return;
    const to = this.#job.allocate(room);
    await storage.write(to + within, packed);
    this.#setPlace(entry, to + within, length);
  }

  #unpacks(packed: Uint8Array): boolean {
    const { image, clusterSize } = this.#job;
    const { results } = unpackBatch({
      codec: image.codec,
      packed: new Uint8Array(packed),
      clusters: [{ start: 0, length: packed.length }],
      clusterSize,
    });
    return results[0] === 'ok';
  }

  #setPlace(entry: EntryWords, offset: number, length: number): void {
    const { layout } = this.#job.judge;
    const sectors = Math.floor((offset + length - 1) / 512) - Math.floor(offset / 512);
    entry.high = (COMPRESSED_HIGH | (sectors << layout.sectorShift) | entryHigh(offset)) >>> 0;
    entry.low = entryLow(offset);
  }
}
