/** Looking for damage: in the order and the words of qemu-img, and where it does not look. */
import { divideRoundUp, SECTOR } from '../../binary/units.ts';
import { isImageError, throwIfCancelled } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import { gather } from '../../storage/gather.ts';
import type { Storage } from '../../storage/storage.ts';
import { FindingCollector } from '../finding-collector.ts';
import type { VmdkParts } from './image.ts';
import { PlainSegment, SparseSegment, type Segment } from './segments.ts';
import type { SparseLayout } from './sparse-header.ts';
import {
  DirectoryBudget,
  GrainTables,
  INVALID,
  NONE,
  readDirectory,
  type TableWindow,
} from './tables.ts';

/** Sectors of a file whose use is noted at once, in a bit each; longer files are gone through again. */
const NOTED_SECTORS = 256 * 1024 * 1024;
const NOTICE = { severity: 'notice', repair: 'none' } as const;

/** @throws ImageError cancelled and those of reading */
export async function checkVmdk(parts: VmdkParts, options: CheckOptions): Promise<CheckReport> {
  const check = new Check(options);
  for (const finding of parts.findings) check.collector.add(finding);
  for (const segment of parts.segments) await check.segment(segment);
  for (const segment of parts.segments) {
    if (segment instanceof SparseSegment) await check.beyondQemu(segment);
  }
  return check.collector.report;
}

class Check {
  readonly collector: FindingCollector;
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.collector = new FindingCollector(options);
    this.#options = options;
  }

  /** What qemu-img looks at. */
  async segment(segment: Segment): Promise<void> {
    if (segment.missing) {
      const { start: offset, length } = segment;
      const values = { name: segment.storage.name, message: '' };
      const finding = { kind: 'io-error', severity: 'error', repair: 'none' } as const;
      this.collector.add({ ...finding, guest: { offset, length }, values });
    } else if (segment instanceof PlainSegment) {
      this.#plain(segment);
    } else if (segment instanceof SparseSegment) {
      this.#places(segment);
      await this.#eachWindow(segment, (window) => {
        this.#entries(segment, window);
      });
    }
  }

  #plain({ storage, hostOffset, start, length, type }: PlainSegment): void {
    if (type === 'ZERO') return;
    const size = divideRoundUp(storage.size, SECTOR) * SECTOR;
    if (hostOffset >= size) {
      this.#outside(start, length, hostOffset);
    } else if (hostOffset + length > size) {
      const guest = { offset: start + size - hostOffset, length: hostOffset + length - size };
      this.collector.add({ kind: 'truncated', guest, values: { message: '' }, ...NOTICE });
    }
  }

  async #eachWindow(
    { tables, length, grainBytes, layout }: SparseSegment,
    use: (window: TableWindow) => void,
  ): Promise<void> {
    const count = Math.ceil(length / (layout.entriesPerTable * grainBytes));
    for (let index = 0; index < count;) {
      throwIfCancelled(this.#options.signal);
      const run = tables.runOf(index, count - 1);
      if (run.place < 0) {
        index += run.count;
        continue;
      }
      const window = await tables.window(index, count - index);
      use(window);
      index = window.first + window.count;
    }
  }

  /** Tables that are not where they could be: their grains are out of reach. */
  #places({ tables, start, length, grainBytes, layout }: SparseSegment): void {
    const coverage = layout.entriesPerTable * grainBytes;
    const count = Math.ceil(length / coverage);
    for (let index = 0; index < count;) {
      const run = tables.runOf(index, count - 1);
      if (run.place === INVALID) {
        const within = index * coverage;
        const guest = {
          offset: start + within,
          length: Math.min(run.count * coverage, length - within),
        };
        if (tables.isRefused(index)) this.#invalid(guest);
        else this.collector.add({ kind: 'block-outside', guest, values: VALUES, ...NOTICE });
      }
      index += run.count;
    }
  }

  #entries(segment: SparseSegment, window: TableWindow): void {
    const { start, length, grainBytes, layout, storage, tables } = segment;
    const size = divideRoundUp(storage.size, SECTOR) * SECTOR;
    const overhead = layout.overhead * SECTOR;
    const { entries, first } = window;
    const base = first * layout.entriesPerTable;
    const most = Math.min(entries.length, Math.ceil(length / grainBytes) - base);
    for (let i = 0; i < most; i++) {
      const entry = entries[i] ?? NONE;
      if (entry < 0 && entry !== INVALID) continue;
      if (entry === INVALID && tables.placeOf(tableOf(base + i, segment)) < 0) continue;
      const within = (base + i) * grainBytes;
      const offset = start + within;
      const guest = { offset, length: Math.min(grainBytes, length - within) };
      if (entry === INVALID) this.#invalid(guest);
      else if (entry >= size) this.#outside(offset, guest.length, entry);
      else if (entry < overhead || (!layout.compressed && entry + guest.length > size)) {
        const host = { offset: entry, length: guest.length };
        this.collector.add({ kind: 'block-outside', guest, host, values: VALUES, ...NOTICE });
      }
    }
  }

  /** qemu-img stops here. */
  #outside(offset: number, length: number, hostOffset: number): void {
    const line = `ERROR: cluster offset for sector ${offset / SECTOR} points after EOF\n`;
    const host = { offset: hostOffset, length };
    this.#corruption({ guest: { offset, length }, host }, line, 'Invalid argument');
  }

  #invalid(guest: { offset: number; length: number }): void {
    const line = `ERROR: could not get cluster_offset for sector ${guest.offset / SECTOR}\n`;
    this.#corruption({ guest }, line, 'Operation not permitted');
  }

  #corruption(where: Pick<Finding, 'guest' | 'host'>, line: string, reason: string): void {
    const { report } = this.collector;
    const message = report.aborted === undefined ? line : '';
    report.aborted ??= reason;
    const finding = { kind: 'block-outside', severity: 'corruption', repair: 'none' } as const;
    this.collector.add({ ...finding, ...where, values: { message } });
  }

  /** Grains that share a place, and tables that should be the same and are not. */
  async beyondQemu(segment: SparseSegment): Promise<void> {
    const sectors = divideRoundUp(segment.storage.size, SECTOR);
    for (let first = 0; first < sectors; first += NOTED_SECTORS) {
      await this.#duplicates(segment, first, Math.min(NOTED_SECTORS, sectors - first));
    }
    await this.#copies(segment);
  }

  async #duplicates(segment: SparseSegment, first: number, count: number): Promise<void> {
    const seen = new Uint8Array(Math.ceil(count / 8));
    const { start, length, grainBytes, layout } = segment;
    await this.#eachWindow(segment, ({ entries, first: table }) => {
      const base = table * layout.entriesPerTable;
      const most = Math.min(entries.length, Math.ceil(length / grainBytes) - base);
      for (let i = 0; i < most; i++) {
        const entry = entries[i] ?? NONE;
        const sector = entry / SECTOR - first;
        if (entry < 0 || sector < 0 || sector >= count) continue;
        const bit = 1 << (sector & 7);
        const at = sector >>> 3;
        const before = seen[at] ?? 0;
        if ((before & bit) === 0) {
          seen[at] = before | bit;
          continue;
        }
        const guest = { offset: start + (base + i) * grainBytes, length: grainBytes };
        const host = { offset: entry, length: grainBytes };
        this.collector.add({ kind: 'block-duplicate', guest, host, values: VALUES, ...NOTICE });
      }
    });
  }

  /** The redundant tables say the same as the others, unless a program died in between. */
  async #copies({ storage, layout, tables, start, length, grainBytes }: SparseSegment) {
    if (layout.redundantDirectory === 0) return;
    const redundant = await this.#redundantDirectory(storage, layout);
    if (redundant === undefined) return;
    const copy = new GrainTables(storage, layout, redundant);
    const { entriesPerTable } = layout;
    const tablesThere = Math.max(tables.directory.length, redundant.length);
    const tableBytes = entriesPerTable * 4;
    const step = Math.max(1, Math.floor(COMPARED_BYTES / tableBytes));
    for (let first = 0; first < tablesThere; first += step) {
      throwIfCancelled(this.#options.signal);
      const count = Math.min(step, tablesThere - first);
      const own = await rawTables(tables, first, count, tableBytes);
      const other = await rawTables(copy, first, count, tableBytes);
      if (isSame(own, other)) continue;
      for (let i = 0; i < count; i++) {
        const [from, to] = [i * tableBytes, (i + 1) * tableBytes];
        if (isSame(own.subarray(from, to), other.subarray(from, to))) continue;
        const coverage = entriesPerTable * grainBytes;
        const within = (first + i) * coverage;
        const guest = { offset: start + within, length: Math.min(coverage, length - within) };
        const values = { table: first + i, message: '' };
        this.collector.add({ kind: 'table-copy', guest, values, ...NOTICE });
      }
    }
  }

  /** undefined where it cannot be read, which is found then. */
  async #redundantDirectory(storage: Storage, layout: SparseLayout) {
    const { redundantDirectory } = layout;
    try {
      return await readDirectory(storage, layout, redundantDirectory, new DirectoryBudget());
    } catch (error) {
      if (!isImageError(error) || error.code === 'cancelled') throw error;
      const host = { offset: redundantDirectory * SECTOR, length: layout.directorySize * 4 };
      this.collector.add({ kind: 'table-copy', host, values: VALUES, ...NOTICE });
      return undefined;
    }
  }
}

/** The table that a grain is in. */
function tableOf(grain: number, { layout }: SparseSegment): number {
  return Math.floor(grain / layout.entriesPerTable);
}

const VALUES = { message: '' };
/** Bytes of tables that are compared at once. */
const COMPARED_BYTES = 1024 * 1024;

/** Tables as they are in the file; zeros for those that are not. */
async function rawTables(
  tables: GrainTables,
  first: number,
  count: number,
  tableBytes: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(count * tableBytes);
  const pieces: { offset: number; length: number; index: number }[] = [];
  for (let index = 0; index < count; index++) {
    const sector = tables.placeOf(first + index);
    if (sector >= 0) pieces.push({ offset: sector * SECTOR, length: tableBytes, index });
  }
  await gather(tables.storage, pieces, ({ index }, table) => {
    bytes.set(table, index * tableBytes);
  });
  return bytes;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}
