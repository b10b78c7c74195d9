/** Many runs in little memory: what is read in another order than that of the guest. */
import { ImageError } from '../errors.ts';
import type { ChainExtent } from './chain.ts';
import type { Range } from './finding.ts';

/** How many runs a store has room for: 34 bytes each, and 8 more while they are put in order. */
export const MOST_RUNS = 2 ** 20;

const PAGE_BITS = 13;
const PAGE = 1 << PAGE_BITS;

/** The runs of one page; all numbers are bytes. */
class Page {
  readonly offsets = new Float64Array(PAGE);
  readonly lengths = new Float64Array(PAGE);
  readonly hosts = new Float64Array(PAGE);
  readonly hostLengths = new Uint32Array(PAGE);
  /** From the beginning of a packed cluster to the run. */
  readonly skips = new Uint32Array(PAGE);
  readonly groups = new Uint16Array(PAGE);
}

/** Runs by index, in the order in which they were added. */
export class ExtentStore {
  readonly #limit: number;
  readonly #pages: Page[] = [];
  /** One run of each image and kind: what all of them have in common. */
  readonly #groups: ChainExtent[] = [];
  #length = 0;
  #farthest = 0;

  /** @param limit runs, at most {@link MOST_RUNS} */
  constructor(limit = MOST_RUNS) {
    this.#limit = Math.min(limit, MOST_RUNS);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length >= this.#limit;
  }

  /** Whether a run says nothing that would not fit: neither damaged nor unknown. */
  static takes({ kind, unknown }: ChainExtent): boolean {
    return kind !== 'invalid' && !unknown;
  }

  /** @throws ImageError internal when it is full */
  add(extent: ChainExtent): void {
    if (this.isFull) throw new ImageError('internal', { reason: 'too many runs at once' });
    const page = (this.#pages[this.#length >>> PAGE_BITS] ??= new Page());
    const at = this.#length++ & (PAGE - 1);
    page.offsets[at] = extent.offset;
    page.lengths[at] = extent.length;
    page.hosts[at] = extent.hostOffset;
    page.hostLengths[at] = extent.hostLength;
    page.skips[at] = extent.offset - extent.clusterOffset;
    page.groups[at] = this.#groupOf(extent);
    if (extent.hostOffset > this.#farthest) this.#farthest = extent.hostOffset;
  }

  /** The run with that index, made anew. */
  get(index: number): ChainExtent {
    const page = this.#pages[index >>> PAGE_BITS];
    const at = index & (PAGE - 1);
    const group = this.#groups[page?.groups[at] ?? 0];
    if (page === undefined || group === undefined) {
      throw new ImageError('internal', { reason: `no run ${index}` });
    }
    const offset = page.offsets[at] as number;
    const run: ChainExtent = {
      kind: group.kind,
      offset,
      length: page.lengths[at] as number,
      storage: group.storage,
      hostOffset: page.hosts[at] as number,
      hostLength: page.hostLengths[at] as number,
      clusterOffset: offset - (page.skips[at] as number),
      depth: group.depth,
      present: group.present,
      disk: group.disk,
      unknown: false,
    };
    if (group.packing !== undefined) run.packing = group.packing;
    if (group.unpackedLength !== undefined) run.unpackedLength = group.unpackedLength;
    return run;
  }

  /** Guest bytes of the run with that index. */
  lengthOf(index: number): number {
    return this.#pages[index >>> PAGE_BITS]?.lengths[index & (PAGE - 1)] ?? 0;
  }

  /** Where the runs are on the disk, as they were added. */
  *ranges(): Generator<Range, undefined> {
    for (let index = 0; index < this.#length; index++) {
      const page = this.#pages[index >>> PAGE_BITS] as Page;
      const at = index & (PAGE - 1);
      yield { offset: page.offsets[at] as number, length: page.lengths[at] as number };
    }
    return undefined;
  }

  /** The indexes by the place in the file, roughly: those of one small piece may be mixed. */
  fileOrder(): Float64Array {
    return sortedIndexes(this.#length, this.#farthest, (index) => {
      const page = this.#pages[index >>> PAGE_BITS] as Page;
      return Math.max(0, page.hosts[index & (PAGE - 1)] as number);
    });
  }

  clear(): void {
    this.#pages.length = 0;
    this.#groups.length = 0;
    this.#length = 0;
    this.#farthest = 0;
  }

  /** Chains are short and their runs come in stretches: it is mostly one of the last. */
  #groupOf(extent: ChainExtent): number {
    const groups = this.#groups;
    for (let index = groups.length - 1; index >= 0; index--) {
      const group = groups[index] as ChainExtent;
      const isSame =
        group.disk === extent.disk &&
        group.kind === extent.kind &&
        group.storage === extent.storage &&
        group.depth === extent.depth &&
        group.present === extent.present &&
        group.packing === extent.packing &&
        group.unpackedLength === extent.unpackedLength;
      if (isSame) return index;
    }
    return groups.push(extent) - 1;
  }
}

/**
 * The indexes from 0 to `count` by their places, roughly where places are huge numbers.
 * @param farthest no place is behind it
 */
export function sortedIndexes(
  count: number,
  farthest: number,
  placeOf: (index: number) => number,
): Float64Array {
  // Place and index in one number, which sorts faster than with a function.
  const most = Math.floor(Number.MAX_SAFE_INTEGER / Math.max(1, count)) - 1;
  let unit = 1;
  while (farthest / unit >= most) unit *= 2;
  const keys = new Float64Array(count);
  for (let index = 0; index < count; index++) {
    keys[index] = Math.floor(placeOf(index) / unit) * count + index;
  }
  keys.sort();
  for (let at = 0; at < count; at++) keys[at] = (keys[at] as number) % count;
  return keys;
}
