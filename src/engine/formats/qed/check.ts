/**
 * Looking for damage in a QED image, counted as qemu-img counts it. Leaks are those that there are:
 * in large files with small clusters, qemu-img's arithmetic finds some more.
 */
import { divideRoundUp, TWO_32 } from '../../binary/units.ts';
import { ImageError, isImageError, throwIfCancelled } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { FindingKind } from '../../operations/finding.ts';
import type { Storage } from '../../storage/storage.ts';
import { pacer } from '../../yield.ts';
import { FindingCollector } from '../finding-collector.ts';
import { encodeTable, readTable } from '../tables.ts';
import { isClusterPlace, isTablePlace, type QedHeader } from './header.ts';

/** Bytes of a table that are looked at at once. */
const STRETCH = 1024 * 1024;
/** One bit for each cluster of the file, bytes. */
const MOST_USED_BYTES = 64 * 1024 * 1024;

/**
 * Checks all tables.
 * @throws ImageError cancelled, too-large (more clusters than can be counted)
 */
export async function checkQed(
  storage: Storage,
  header: QedHeader,
  options: CheckOptions,
): Promise<CheckReport> {
  return new QedCheck(storage, header, options).run();
}

/**
 * Removes the entries that point to where nothing can be: what they mapped reads as nothing then.
 * @param storage writable
 * @returns how many entries these were, and what was found beside them
 */
export async function mendQed(
  storage: Storage,
  header: QedHeader,
  options: CheckOptions,
): Promise<{ fixed: number; report: CheckReport }> {
  const check = new QedCheck(storage, header, options, true);
  const report = await check.run();
  return { fixed: check.fixed, report };
}

class QedCheck {
  fixed = 0;
  readonly #storage: Storage;
  readonly #header: QedHeader;
  readonly #options: CheckOptions;
  readonly #mends: boolean;
  readonly #found: FindingCollector;
  readonly #used: Uint32Array;
  readonly #clusters: number;
  readonly #breathe: () => Promise<void> | undefined;

  constructor(storage: Storage, header: QedHeader, options: CheckOptions, mends = false) {
    this.#storage = storage;
    this.#header = header;
    this.#options = options;
    this.#breathe = pacer(options.signal);
    this.#mends = mends;
    this.#found = new FindingCollector(options);
    this.#clusters = header.fileSize / header.clusterSize;
    const bytes = divideRoundUp(this.#clusters, 32) * 4;
    if (bytes > MOST_USED_BYTES) {
      const limit = MOST_USED_BYTES;
      throw new ImageError('too-large', { what: 'clusters', value: String(bytes), limit });
    }
    this.#used = new Uint32Array(bytes / 4);
  }

  async run(): Promise<CheckReport> {
    const { report } = this.#found;
    const { fields, size, clusterSize, tableSize, l2Coverage } = this.#header;
    report.totalClusters = divideRoundUp(size, clusterSize);
    const l1 = fields.l1TableOffset;
    this.#use(l1, tableSize);
    await this.#walk(l1, async (offset, entry) => {
      const guest = { offset: entry * l2Coverage, length: l2Coverage };
      if (!isTablePlace(this.#header, offset)) return this.#wrong(offset, guest);
      const twice = this.#use(offset, tableSize);
      if (twice > 0) {
        this.#add('block-duplicate', offset, guest, twice);
        return false;
      }
      await this.#checkL2(offset, guest.offset);
      return false;
    });
    if (report.aborted === undefined) this.#countLeaks();
    if (this.#header.needsCheck) {
      const host = { offset: 0, length: this.#header.clusterSize };
      const values = { message: '' };
      this.#found.add({ kind: 'dirty', severity: 'notice', host, values, repair: 'safe' });
    }
    return report;
  }

  async #checkL2(table: number, guestOffset: number): Promise<void> {
    const { clusterSize } = this.#header;
    const { report } = this.#found;
    let last = 0;
    await this.#walk(table, (offset, entry) => {
      if (offset === 1) return false;
      report.allocatedClusters++;
      if (last !== 0 && last + clusterSize !== offset) report.fragmentedClusters++;
      last = offset;
      const guest = { offset: guestOffset + entry * clusterSize, length: clusterSize };
      if (!isClusterPlace(this.#header, offset)) return this.#wrong(offset, guest);
      if (this.#use(offset, 1) > 0) this.#add('block-duplicate', offset, guest, 1);
      return false;
    });
  }

  /**
   * Hands over all entries of a table that are not zero; those for which it gets `true` back become
   * zero, where this is a repair.
   */
  async #walk(
    table: number,
    use: (offset: number, entry: number) => boolean | Promise<boolean>,
  ): Promise<void> {
    const { tableBytes } = this.#header;
    for (let at = 0; at < tableBytes; at += STRETCH) {
      throwIfCancelled(this.#options.signal);
      const length = Math.min(STRETCH, tableBytes - at);
      const words = await this.#read(table + at, length);
      if (words === undefined) return;
      let changed = false;
      for (let i = 0; i < words.length; i += 2) {
        const offset = (words[i] as number) * TWO_32 + (words[i + 1] as number);
        if (offset === 0) continue;
        const verdict = use(offset, at / 8 + i / 2);
        if (!(typeof verdict === 'boolean' ? verdict : await verdict)) continue;
        words.fill(0, i, i + 2);
        changed = true;
      }
      if (changed) await this.#storage.write(table + at, encodeTable(words, 'little'));
      const total = this.#header.fileSize;
      this.#options.progress?.({ stage: 'checking', done: Math.min(table + at, total), total });
      await this.#breathe();
    }
  }

  async #read(at: number, length: number): Promise<Uint32Array | undefined> {
    try {
      return await readTable(this.#storage, at, length / 8, 'little');
    } catch (error) {
      if (!isImageError(error, 'read-failed')) throw error;
      this.#found.report.aborted ??= error.details.reason;
      const host = { offset: at, length };
      const values = { message: '', reason: error.details.reason };
      this.#found.add({ kind: 'io-error', severity: 'error', host, values, repair: 'none' });
      return undefined;
    }
  }

  /** An entry that points to where nothing can be. Returns whether it is to be removed. */
  #wrong(offset: number, guest: Guest): boolean {
    if (this.#mends) {
      this.fixed++;
      return true;
    }
    const isAligned = offset % this.#header.clusterSize === 0;
    this.#add(isAligned ? 'block-outside' : 'block-unaligned', offset, guest, 1);
    return false;
  }

  #add(kind: FindingKind, offset: number, guest: Guest, count: number): void {
    const host = { offset, length: this.#header.clusterSize };
    const repair = kind === 'block-duplicate' ? 'none' : 'safe';
    const values = { message: '' };
    this.#found.add({ kind, severity: 'corruption', host, guest, values, repair }, count);
  }

  /** Marks clusters of the file as used. Returns how many of them were already. */
  #use(offset: number, count: number): number {
    const first = offset / this.#header.clusterSize;
    let twice = 0;
    for (let cluster = first; cluster < first + count; cluster++) {
      const word = this.#used[cluster >>> 5] ?? 0;
      const bit = 1 << (cluster & 31);
      if ((word & bit) !== 0) twice++;
      this.#used[cluster >>> 5] = word | bit;
    }
    return twice;
  }

  #countLeaks(): void {
    const { clusterSize, fields } = this.#header;
    let start = -1;
    const end = (cluster: number): void => {
      if (start < 0) return;
      const count = cluster - start;
      const host = { offset: start * clusterSize, length: count * clusterSize };
      const values = { message: '' };
      this.#found.add({ kind: 'tail-leak', severity: 'leak', host, values, repair: 'none' }, count);
      start = -1;
    };
    for (let cluster = fields.headerSize; cluster < this.#clusters; cluster++) {
      const isUsed = (((this.#used[cluster >>> 5] ?? 0) >>> (cluster & 31)) & 1) === 1;
      if (isUsed) end(cluster);
      else if (start < 0) start = cluster;
    }
    end(this.#clusters);
  }
}

interface Guest {
  readonly offset: number;
  readonly length: number;
}
