/** Looking for damage: as `qemu-img check` does, and then for what it does not look at. */
import { MIB } from '../../binary/units.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding, FindingKind } from '../../operations/finding.ts';
import { FindingCollector } from '../finding-collector.ts';
import { blockFinding, openingFindings } from './findings.ts';
import { EntryJudge, visitEntries } from './bat-scan.ts';
import type { Parts } from './image.ts';
import { BITMAP_BYTES, BITMAP_PRESENT, FIRST_MIB, PAYLOAD } from './layout.ts';

/** @throws ImageError cancelled and those of reading */
export async function checkVhdx(parts: Parts, options: CheckOptions): Promise<CheckReport> {
  const collector = new FindingCollector(options);
  await checkAsQemu(parts, options, collector);
  for (const finding of openingFindings(parts)) collector.add(finding);
  await checkFurther(parts, options, collector);
  return collector.report;
}

async function checkAsQemu(
  { view, layout, metadata, regions }: Parts,
  { signal }: CheckOptions,
  collector: FindingCollector,
): Promise<void> {
  const judge = new EntryJudge({ view, layout, metadata, places: regions.places });
  await visitEntries(
    view,
    layout,
    (entry, state, offset) => {
      for (const fault of judge.faults(entry, state, offset)) collector.add(blockFinding(fault));
      return true;
    },
    signal,
  );
}

/** States that do not exist, and blocks that share a place: qemu-img looks for neither. */
async function checkFurther(
  { view, layout, metadata }: Parts,
  { signal }: CheckOptions,
  collector: FindingCollector,
): Promise<void> {
  const notice = (kind: FindingKind, entry: number, offset: number): Finding => ({
    ...{ kind, severity: 'notice', repair: 'none' },
    host: { offset, length: metadata.blockSize },
    values: { index: entry, message: '' },
  });
  const isChild = metadata.parent !== undefined;
  const used = new UsedMib(view.size);
  await visitEntries(
    view,
    layout,
    (entry, state, offset) => {
      const isBitmap = layout.isBitmap(entry);
      const isKnown = isBitmap
        ? state === 0 || (isChild && state === BITMAP_PRESENT)
        : state !== 4 && (isChild || state !== PAYLOAD.partiallyPresent);
      if (!isKnown) collector.add(notice('block-state', entry, offset));
      const isThere = state === PAYLOAD.fullyPresent || state === PAYLOAD.partiallyPresent;
      if (!isThere) return true;
      // Of these qemu-img thinks nothing, or it knows no such images.
      const isMissed = offset < FIRST_MIB || state === PAYLOAD.partiallyPresent || isBitmap;
      if (isMissed && (offset < FIRST_MIB || offset >= view.size)) {
        collector.add(notice('block-outside', entry, offset));
      } else if (!used.take(offset, isBitmap ? BITMAP_BYTES : metadata.blockSize)) {
        collector.add(notice('block-duplicate', entry, offset));
      }
      return true;
    },
    signal,
  );
}

/** The parts of a file that are in use, by the MiB: everything in it is so aligned. */
class UsedMib {
  readonly #bits: Uint8Array;
  readonly #count: number;

  /** @param size of the file, bytes */
  constructor(size: number) {
    this.#count = Math.ceil(size / MIB);
    this.#bits = new Uint8Array(Math.ceil(this.#count / 8));
  }

  /** Takes a range, as far as it is in the file. Returns whether all of it was free. */
  take(offset: number, length: number): boolean {
    const end = Math.min(this.#count, Math.ceil((offset + length) / MIB));
    let isFree = true;
    for (let unit = Math.floor(offset / MIB); unit < end; unit++) {
      const bit = 1 << (unit & 7);
      const byte = this.#bits[unit >>> 3] ?? 0;
      if ((byte & bit) !== 0) isFree = false;
      this.#bits[unit >>> 3] = byte | bit;
    }
    return isFree;
  }
}
