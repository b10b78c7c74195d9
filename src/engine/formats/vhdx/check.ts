/** Looking for damage: as `qemu-img check` does, and for what it does not look at. */
import { MIB } from '../../binary/units.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding, FindingKind } from '../../operations/finding.ts';
import { FindingCollector } from '../finding-collector.ts';
import { EntryJudge, visitEntries } from './bat-scan.ts';
import { blockFinding, openingFindings } from './findings.ts';
import type { Parts } from './image.ts';
import { BITMAP_BYTES, BITMAP_PRESENT, FIRST_MIB, PAYLOAD } from './layout.ts';

/** @throws ImageError cancelled and those of reading */
export async function checkVhdx(parts: Parts, options: CheckOptions): Promise<CheckReport> {
  const { view, layout, metadata, regions } = parts;
  const collector = new FindingCollector(options);
  for (const finding of openingFindings(parts)) collector.add(finding);
  const judge = new EntryJudge({ view, layout, metadata, places: regions.places });
  const others = new OtherJudge(parts);
  await visitEntries(
    view,
    layout,
    (entry, state, offset) => {
      let isFaulty = false;
      for (const fault of judge.faults(entry, state, offset)) {
        collector.add(blockFinding(fault));
        isFaulty = true;
      }
      const kind = isFaulty ? undefined : others.judge(entry, state, offset);
      if (kind !== undefined) collector.add(findingOf(parts, kind, entry, offset));
      return true;
    },
    options.signal,
  );
  return collector.report;
}

/** What qemu-img would not count is a notice; images with a parent it does not count at all. */
function findingOf({ metadata }: Parts, kind: FindingKind, entry: number, offset: number): Finding {
  const isLost = metadata.parent !== undefined && kind !== 'block-duplicate';
  return {
    ...{ kind, severity: isLost ? 'corruption' : 'notice', repair: 'none' },
    host: { offset, length: 0 },
    values: { index: entry, message: '' },
  };
}

/** Finds what qemu-img does not look for, or only in images that it knows. */
class OtherJudge {
  readonly #parts: Parts;
  readonly #used: UsedMib;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#used = new UsedMib(parts.view.size);
  }

  judge(entry: number, state: number, offset: number): FindingKind | undefined {
    const { view, layout, metadata } = this.#parts;
    const isChild = metadata.parent !== undefined;
    const isBitmap = layout.isBitmap(entry);
    const isKnown = isBitmap
      ? state === 0 || (isChild && state === BITMAP_PRESENT)
      : state !== RESERVED && (isChild || state !== PAYLOAD.partiallyPresent);
    if (!isKnown) return 'block-state';
    const isThere = state === PAYLOAD.fullyPresent || state === PAYLOAD.partiallyPresent;
    if (!isThere) return undefined;
    const length = isBitmap ? BITMAP_BYTES : metadata.blockSize;
    // The others have been judged: the last one may be shorter.
    const isWhole = (!isBitmap && state === PAYLOAD.fullyPresent) || offset + length <= view.size;
    if (offset < FIRST_MIB || offset >= view.size || !isWhole) return 'block-outside';
    const isFree = this.#used.take(offset, length);
    return isFree ? undefined : 'block-duplicate';
  }
}

/** A state of payload blocks that never had a meaning. */
const RESERVED = 4;

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
