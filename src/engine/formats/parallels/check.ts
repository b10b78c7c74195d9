/**
 * Looking through the table of a Parallels image as `qemu-img check` does, and repairing what it
 * repairs. Beyond that, it is noticed where entries point to one place or into the header.
 */
import { alignUp, divideRoundUp, SECTOR } from '../../binary/units.ts';
import { throwIfCancelled } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import { readPadded } from '../../storage/storage.ts';
import { yieldToEvents } from '../../yield.ts';
import { FindingCollector } from '../finding-collector.ts';
import type { DriverRepair } from '../format.ts';
import type { ParallelsDisk } from './image.ts';
import { HEADER, HEADER_BYTES } from './layout.ts';

/** Clusters of the file that are told apart when two entries are compared: 64 MiB of bits. */
const MOST_CLUSTERS = 2 ** 29;

type Level = 'leaks' | 'all' | undefined;

/** @throws ImageError cancelled and those of reading */
export async function checkParallels(
  disk: ParallelsDisk,
  options: CheckOptions,
): Promise<CheckReport> {
  const collector = new FindingCollector(options);
  await new Walk(disk, options, collector, undefined).run();
  return collector.report;
}

/** @throws ImageError cancelled, those of reading and writing */
export async function repairParallels(
  disk: ParallelsDisk,
  level: 'leaks' | 'all',
  options: CheckOptions,
): Promise<DriverRepair> {
  const walk = new Walk(disk, options, new FindingCollector(options), level);
  await walk.run();
  const { leaksFixed, corruptionsFixed } = walk;
  return { leaksFixed, corruptionsFixed };
}

/** What is in use, beside findings. */
export interface ParallelsUsage {
  /** One way or another, writing could do harm. */
  readonly isDamaged: boolean;
  /** Where the last cluster that is in use ends, bytes; 0 where there is none. */
  readonly end: number;
}

/** What a writer has to know first. @throws ImageError those of reading */
export async function usageOf(disk: ParallelsDisk): Promise<ParallelsUsage> {
  const { header, storage } = disk;
  let isDamaged = header.dataStart > alignUp(storage.size, header.clusterSize);
  const options: CheckOptions = {
    onFinding: ({ kind }) => {
      if (kind.startsWith('block-')) isDamaged = true;
    },
  };
  const walk = new Walk(disk, options, new FindingCollector(options), undefined);
  await walk.run();
  return { isDamaged, end: walk.end };
}

class Walk {
  leaksFixed = 0;
  corruptionsFixed = 0;
  /** Where the last cluster ends, bytes; 0 without any. */
  end = 0;
  readonly #disk: ParallelsDisk;
  readonly #options: CheckOptions;
  readonly #collector: FindingCollector;
  readonly #level: Level;
  /** A bit for each cluster of the file. */
  readonly #used: Uint8Array;
  /** Of the file: the real program counts whole sectors. */
  readonly #size: number;
  /** Where the last cluster begins, and the one before this one; 0 for none. */
  #highest = 0;
  #previous = 0;

  constructor(
    disk: ParallelsDisk,
    options: CheckOptions,
    collector: FindingCollector,
    level: Level,
  ) {
    this.#disk = disk;
    this.#options = options;
    this.#collector = collector;
    this.#level = level;
    this.#size = alignUp(disk.storage.size, SECTOR);
    const clusters = divideRoundUp(this.#size, disk.clusterSize);
    this.#used = new Uint8Array(Math.ceil(Math.min(clusters, MOST_CLUSTERS) / 8));
  }

  async run(): Promise<void> {
    const { report } = this.#collector;
    const { table } = this.#disk;
    await this.#checkMark();
    report.totalClusters = table.count;
    await this.#checkEntries();
    if (this.corruptionsFixed > 0) await table.flush();
    report.imageEndOffset = this.#highest + this.#disk.clusterSize;
    await this.#checkTail(report.imageEndOffset);
  }

  get #mends(): boolean {
    return this.#level === 'all';
  }

  #add(
    kind: Finding['kind'],
    severity: Finding['severity'],
    more: Omit<Finding, 'kind' | 'severity' | 'repair'>,
    { count = 1, isMended = this.#mends } = {},
  ): void {
    const { message } = more.values;
    const start = isMended ? 'Repairing' : 'ERROR';
    const line = message === undefined ? '' : `${start} ${message}\n`;
    const repair = severity === 'notice' ? 'none' : 'safe';
    const values = { ...more.values, message: line };
    this.#collector.add({ ...more, kind, severity, repair, values }, count);
  }

  async #checkMark(): Promise<void> {
    const { header, storage } = this.#disk;
    if (!header.inUse) return;
    const host = { offset: HEADER.fields.inUse.offset, length: 4 };
    this.#add('dirty', 'corruption', {
      host,
      values: { message: 'image was not closed correctly' },
    });
    if (!this.#mends) return;
    const bytes = await readPadded(storage, 0, HEADER_BYTES);
    HEADER.write(bytes, { ...HEADER.read(bytes), inUse: 0 });
    await storage.write(0, bytes);
    this.corruptionsFixed++;
  }

  async #checkEntries(): Promise<void> {
    const { table } = this.#disk;
    const { signal, progress } = this.#options;
    // A table that goes on behind the end of the file has nothing but zeros there.
    const count = Math.min(table.count, Math.ceil((this.#size - HEADER_BYTES) / 4));
    for (let index = 0; index < count;) {
      throwIfCancelled(signal);
      const { first, values } = await table.whole(index);
      for (let at = index - first; at < values.length; at++) {
        const entry = values[at] as number;
        if (entry === 0) this.#previous = 0;
        else if (this.#isOutside(first + at, entry)) await table.set(first + at, 0);
      }
      index = first + values.length;
      progress?.({ stage: 'checking', done: index * 4, total: count * 4 });
      await yieldToEvents(signal);
    }
  }

  /** Judges an entry; whether it is to be taken out of the table. */
  #isOutside(index: number, entry: number): boolean {
    const { header, clusterSize } = this.#disk;
    const { report } = this.#collector;
    const offset = entry * header.unit;
    if (offset > this.#size) {
      const message = `cluster ${index} is outside image`;
      this.#add('block-outside', 'corruption', this.#at(index, offset, { message }));
      if (this.#mends) {
        this.#previous = 0;
        this.corruptionsFixed++;
        return true;
      }
    } else {
      this.#notice(index, offset);
    }
    report.allocatedClusters++;
    this.#highest = Math.max(this.#highest, offset);
    if (this.#previous !== 0 && this.#previous + clusterSize !== offset) {
      report.fragmentedClusters++;
    }
    this.#previous = offset;
    this.end = Math.max(this.end, offset + clusterSize);
    return false;
  }

  /** What the real program does not look at, in this version. */
  #notice(index: number, offset: number): void {
    const { header, clusterSize } = this.#disk;
    if (offset < header.dataStart || offset === this.#size) {
      this.#add('block-outside', 'notice', this.#at(index, offset, {}));
      return;
    }
    const number = (offset - header.dataStart) / clusterSize;
    if (!Number.isInteger(number)) {
      this.#add('block-unaligned', 'notice', this.#at(index, offset, {}));
    } else if (number < MOST_CLUSTERS) {
      const bit = 1 << (number & 7);
      const bits = this.#used[number >>> 3] ?? 0;
      if ((bits & bit) !== 0) {
        this.#add('block-duplicate', 'notice', this.#at(index, offset, {}));
      }
      this.#used[number >>> 3] = bits | bit;
    }
  }

  #at(index: number, offset: number, values: Record<string, string>) {
    const { clusterSize: length } = this.#disk;
    return {
      host: { offset, length },
      guest: { offset: index * length, length },
      values: { index, ...values },
    };
  }

  async #checkTail(end: number): Promise<void> {
    const { storage, clusterSize, header } = this.#disk;
    const size = this.#size;
    if (size <= end) return;
    const count = divideRoundUp(size - end, clusterSize);
    const message = `space leaked at the end of the image ${size - end}`;
    const host = { offset: end, length: size - end };
    // The extension and what belongs to it may be there, which nothing here counts as in use.
    const isMended = this.#level !== undefined && header.fields.extension === 0;
    this.#add('tail-leak', 'leak', { host, values: { message } }, { count, isMended });
    if (!isMended) return;
    // Without any cluster, this would be in the middle of the table.
    await storage.resize(Math.max(end, Math.min(size, header.dataStart)));
    this.leaksFixed += count;
  }
}
