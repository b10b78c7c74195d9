/** Looking for damage in a VHD. qemu-img has no check of them, so the counts are ours. */
import { alignUp, SECTOR } from '../../binary/units.ts';
import { throwIfCancelled } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding, FindingKind } from '../../operations/finding.ts';
import { FindingCollector } from '../finding-collector.ts';
import type { VpcParts } from './disk.ts';
import { FOOTER_SIZE } from './layout.ts';
import type { BlockTable } from './table.ts';

/** A block that is in the file. */
interface Placed {
  readonly index: number;
  /** Bytes. */
  readonly at: number;
}

/** Blocks between two looks at whether to stop. */
const STEP = 65536;

/**
 * Each block must be in the file, away from the header and the table, and the only one there.
 * @throws ImageError cancelled
 */
export function checkVpc(parts: VpcParts, options: CheckOptions): Promise<CheckReport> {
  const collector = new FindingCollector(options);
  for (const finding of parts.findings) collector.add(finding);
  if (parts.table !== undefined) new TableCheck(parts, parts.table, collector, options).run();
  return Promise.resolve(collector.report);
}

class TableCheck {
  readonly #table: BlockTable;
  readonly #collector: FindingCollector;
  readonly #signal: AbortSignal | undefined;
  /** Bytes, the last sector a whole one. */
  readonly #fileSize: number;

  constructor(
    { storage }: VpcParts,
    table: BlockTable,
    collector: FindingCollector,
    options: CheckOptions,
  ) {
    this.#table = table;
    this.#collector = collector;
    this.#signal = options.signal;
    this.#fileSize = alignUp(storage.size, SECTOR);
  }

  run(): void {
    const { report } = this.#collector;
    const { entries } = this.#table;
    report.totalClusters = entries.length;
    const inFile = this.#checkPlaces();
    const places = Uint32Array.from(inFile, (index) => entries[index] as number);
    this.#checkOverlaps(inFile, places);
    this.#countFragments(inFile);
    report.allocatedClusters = inFile.length;
    const end = this.#table.end;
    report.imageEndOffset = Math.min(end, this.#fileSize);
    const left = this.#fileSize - FOOTER_SIZE - end;
    if (left <= 0) return;
    const host = { offset: end, length: left };
    const values = { offset: end, size: left, message: '' };
    this.#collector.add({ kind: 'tail-leak', severity: 'leak', host, values, repair: 'none' });
  }

  /** Finds blocks that are where none can be; returns the others. */
  #checkPlaces(): Uint32Array {
    const table = this.#table;
    const { entries, blockRoom } = table;
    const good = new Uint32Array(entries.length);
    let count = 0;
    for (let index = 0; index < entries.length; index++) {
      if (index % STEP === 0) throwIfCancelled(this.#signal);
      const at = table.blockAt(index);
      if (at < 0) continue;
      const isOutside = at + blockRoom > this.#fileSize || table.hitsMetadata(at);
      if (isOutside) this.#add('block-outside', { index, at });
      else good[count++] = index;
    }
    return good.subarray(0, count);
  }

  /** @param places of the blocks in `inFile`, sectors */
  #checkOverlaps(inFile: Uint32Array, places: Uint32Array): void {
    throwIfCancelled(this.#signal);
    const order = Uint32Array.from(inFile, (_, rank) => rank);
    if (!isRising(places)) order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0));
    let previousEnd = 0;
    for (const rank of order) {
      const at = (places[rank] ?? 0) * SECTOR;
      if (at < previousEnd) this.#add('block-duplicate', { index: inFile[rank] ?? 0, at });
      previousEnd = Math.max(previousEnd, at + this.#table.blockRoom);
    }
  }

  /** Blocks that do not follow the one before them. */
  #countFragments(inFile: Uint32Array): void {
    let expected = -1;
    for (const index of inFile) {
      const at = this.#table.blockAt(index);
      if (expected >= 0 && at !== expected) this.#collector.report.fragmentedClusters++;
      expected = at + this.#table.blockRoom;
    }
  }

  #add(kind: FindingKind, { index, at }: Placed): void {
    const { blockSize } = this.#table.header;
    const finding: Finding = {
      ...{ kind, severity: 'corruption', repair: 'none' },
      host: { offset: at, length: this.#table.blockRoom },
      guest: { offset: index * blockSize, length: blockSize },
      values: { index, offset: at, message: '' },
    };
    this.#collector.add(finding);
  }
}

function isRising(places: Uint32Array): boolean {
  for (let i = 1; i < places.length; i++) {
    if ((places[i - 1] ?? 0) > (places[i] ?? 0)) return false;
  }
  return true;
}
