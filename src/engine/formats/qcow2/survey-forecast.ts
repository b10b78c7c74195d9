/** How large an image would be, rewritten: what compaction has to be told of it, counted on the way. */
import { divideRoundUp } from '../../binary/units.ts';
import { isImageError } from '../../errors.ts';
import type { SizeForecasts } from '../survey.ts';
import { compactedSize, NOTHING_PACKED, type CompactContent } from './compact-size.ts';
import type { Qcow2Image } from './image.ts';
import { PackedStreams } from './packed-streams.ts';
import { OWNER } from './picture-claims.ts';
import type { TableList } from './picture-tables.ts';
import type { TableUse } from './picture-window.ts';
import type { Account } from './survey-account.ts';

/** Distinct packed clusters, with snapshots and without them together: 64 MiB of memory. */
const MOST_STREAMS = 4 * 1024 * 1024;

export class Forecast {
  readonly #image: Qcow2Image;
  /** Packed clusters of all; undefined while there are none. */
  #all: PackedStreams | undefined;
  /** Those of the disk as it is now; where there are no snapshots these are all. */
  #active: PackedStreams | undefined;
  /** There are more of them than can be kept in mind. */
  #isLost = false;

  constructor(image: Qcow2Image) {
    this.#image = image;
  }

  /** A packed cluster of an L2 table. Bytes of the file. */
  packed(offset: number, length: number, { times, isActive }: TableUse): void {
    if (this.#isLost) return;
    const all = (this.#all ??= this.#begin());
    this.#active ??= this.#image.snapshots.length === 0 ? all : this.#begin();
    try {
      all.add(offset, length, times);
      if (isActive && this.#active !== all) this.#active.add(offset, length);
    } catch (error) {
      this.#lose(error);
    }
  }

  #begin(): PackedStreams {
    const { header, snapshots } = this.#image;
    const limit = snapshots.length === 0 ? MOST_STREAMS : MOST_STREAMS / 2;
    return new PackedStreams(header.clusterBits, limit);
  }

  #lose(error: unknown): void {
    if (!isImageError(error, 'too-large')) throw error;
    this.#isLost = true;
    this.#all = undefined;
    this.#active = undefined;
  }

  /** Undefined where there is too much to be known exactly, and where content lies outside. */
  sizes(account: Account, list: TableList): SizeForecasts | undefined {
    if (this.#image.header.hasDataFile) return undefined;
    const content = { l2Tables: list.active, plainClusters: account.clustersOf(OWNER.data) };
    const snapshotClusters = account.clustersOf(OWNER.snapshotData);
    const all = {
      l2Tables: list.times.length,
      plainClusters: content.plainClusters + snapshotClusters,
    };
    const compact = this.#size(all, this.#all, account, true);
    const without = this.#size(content, this.#active, account, false);
    if (compact === undefined || without === undefined) return undefined;
    return { compact, compactWithoutSnapshots: without };
  }

  #size(
    content: Pick<CompactContent, 'l2Tables' | 'plainClusters'>,
    streams: PackedStreams | undefined,
    account: Account,
    snapshots: boolean,
  ): number | undefined {
    let packed = NOTHING_PACKED;
    try {
      packed = streams?.totals() ?? NOTHING_PACKED;
    } catch (error) {
      this.#lose(error);
    }
    if (this.#isLost) return undefined;
    const bitmapClusters = this.#bitmapClusters(account);
    return compactedSize(this.#image, { ...content, packed, bitmapClusters }, snapshots);
  }

  /** Clusters with bits: without the directory and the tables, which are known. */
  #bitmapClusters(account: Account): number {
    const { header, bitmaps, clusterSize } = this.#image;
    if (header.bitmaps === undefined) return 0;
    let tables = divideRoundUp(header.bitmaps.directorySize, clusterSize);
    for (const { tableSize } of bitmaps) tables += divideRoundUp(tableSize * 8, clusterSize);
    return Math.max(0, account.clustersOf(OWNER.bitmaps) - tables);
  }
}
