/**
 * Whether the guest reads what it read before, in every layer. Places in the file are compared
 * first: bytes are read only where these have changed, or where something was written.
 */
import { unpackBatch } from '../../../codecs/pool.ts';
import { ImageError } from '../../../errors.ts';
import type { Overlay } from '../../../storage/overlay.ts';
import { RangeSet } from '../../../storage/range-set.ts';
import { readPadded, type Storage } from '../../../storage/storage.ts';
import { cutExtent } from '../../extents.ts';
import type { Extent } from '../../format.ts';
import type { Header } from '../header.ts';
import { openQcow2, Qcow2Image } from '../image.ts';
import { readTable } from '../tables.ts';
import type { ComparedLayer } from './plan.ts';
import { extentOf, labelOf, SnapshotList, type RawSnapshot } from './snapshot-list.ts';

/** Bytes that are compared together. */
const PIECE = 1024 * 1024;

/** Where a layer's content begins: an L1 table. */
interface Root {
  readonly offset: number;
  readonly size: number;
}

export interface Verification {
  /** State before: where the header is sound enough to be opened. */
  readonly before: Storage;
  readonly after: Overlay;
  /** Guest ranges that may differ, as a lost table was put back there. */
  readonly recovered: readonly { snapshot: string; offset: number; length: number }[];
  readonly breathe: () => Promise<void>;
}

/**
 * Compares all layers that could be read before.
 * @throws ImageError internal where content has changed: must never happen
 */
export async function verifyLayers(verification: Verification): Promise<ComparedLayer[]> {
  const { before, after } = verification;
  const old = await openQcow2(before, 'check');
  const now = await openQcow2(after, 'check');
  const layers = [
    await compareLayer(verification, '', await layerOf(old), await layerOf(now), old.size),
  ];
  const oldList = await SnapshotList.read(before, old.header);
  const newList = await SnapshotList.read(after, now.header);
  const rest = newList.entries.slice();
  for (const entry of oldList.entries) {
    // An impossible L1 table could not be read.
    const { l1TableOffset, l1Size } = entry.fixed;
    if (l1TableOffset % old.clusterSize !== 0 || l1Size * 8 > 32 * 2 ** 20) continue;
    if (entry.id.length + entry.name.length === 0 && l1Size === 0) continue;
    const at = rest.findIndex((candidate) => isSame(candidate, entry));
    const [twin] = at < 0 ? [] : rest.splice(at, 1);
    const snapshot = labelOf(entry);
    if (twin === undefined) throw changed(`snapshot ${snapshot}`, 0);
    const [a, b] = await Promise.all([snapshotOf(old, entry), snapshotOf(now, twin)]);
    const extent = extentOf(entry, old.size, old.header.l2Coverage);
    layers.push(await compareLayer(verification, snapshot, a, b, extent));
  }
  return layers;
}

function isSame(a: RawSnapshot, b: RawSnapshot): boolean {
  const equal = (x: Uint8Array, y: Uint8Array) =>
    x.length === y.length && x.every((byte, at) => byte === y[at]);
  return equal(a.id, b.id) && equal(a.name, b.name);
}

function changed(what: string, offset: number): ImageError {
  return new ImageError('internal', {
    reason: `a repair would change the content of ${what || 'the disk'} at ${String(offset)}`,
  });
}

function layerOf(image: Qcow2Image): Promise<Qcow2Image> {
  const { header } = image;
  return withRoot(image, { offset: header.l1TableOffset, size: header.l1Size });
}

function snapshotOf(image: Qcow2Image, { fixed }: RawSnapshot): Promise<Qcow2Image> {
  return withRoot(image, { offset: fixed.l1TableOffset, size: fixed.l1Size });
}

/** The image as seen from an L1 table, with everything that it maps: machine state, too. */
async function withRoot(image: Qcow2Image, { offset, size }: Root): Promise<Qcow2Image> {
  const header: Header = { ...image.header, size: size * image.header.l2Coverage };
  return new Qcow2Image(image.storage, header, {
    l1: await readTable(image.storage, offset, size),
    snapshots: { snapshots: [], size: 0 },
    snapshotError: undefined,
    bitmaps: [],
    luks: undefined,
    luksError: undefined,
  });
}

async function compareLayer(
  verification: Verification,
  snapshot: string,
  old: Qcow2Image,
  now: Qcow2Image,
  extent: number,
): Promise<ComparedLayer> {
  const comparison = new Comparison(verification, snapshot, old, now, extent);
  await comparison.run();
  return comparison.result;
}

class Comparison {
  readonly result: ComparedLayer;
  readonly #verification: Verification;
  readonly #old: Qcow2Image;
  readonly #now: Qcow2Image;
  readonly #written = new RangeSet();
  readonly #recovered = new RangeSet();
  /** What nothing says anything of reads as zeros: there is no backing image. */
  readonly #hasBacking: boolean;

  /** Bytes of the disk and the machine state that is saved behind it. */
  readonly #extent: number;

  constructor(
    verification: Verification,
    snapshot: string,
    old: Qcow2Image,
    now: Qcow2Image,
    extent: number,
  ) {
    this.#extent = extent;
    this.#verification = verification;
    this.#old = old;
    this.#now = now;
    this.#hasBacking = old.header.backingName !== '';
    this.result = { snapshot, same: 0, read: 0, unreadable: 0, recovered: 0 };
    for (const { offset, length } of verification.after.changes())
      this.#written.add(offset, length);
    for (const range of verification.recovered) {
      if (range.snapshot === snapshot) this.#recovered.add(range.offset, range.length);
    }
  }

  async run(): Promise<void> {
    const size = this.#now.size;
    // A table that was too long for its disk is cut: there was nothing behind.
    const end = Math.min(this.#old.size, Math.max(size, this.#extent));
    for (let at = 0; at < end;) {
      const list = await this.#old.map(at, end - at);
      const mappedEnd = endOf(list) ?? end;
      const others = await this.#mapNow(at, Math.min(mappedEnd, size));
      await this.#compareLists(list, others);
      at = mappedEnd;
      await this.#verification.breathe();
    }
  }

  async #mapNow(offset: number, end: number): Promise<Extent[]> {
    const list: Extent[] = [];
    for (let at = offset; at < end;) {
      const part = await this.#now.map(at, end - at);
      for (const extent of part) list.push(extent);
      at = endOf(part) ?? end;
    }
    return list;
  }

  async #compareLists(list: readonly Extent[], others: readonly Extent[]): Promise<void> {
    let index = 0;
    for (const extent of list) {
      const end = extent.offset + extent.length;
      for (let at = extent.offset; at < end;) {
        let other = others[index];
        while (other !== undefined && other.offset + other.length <= at) other = others[++index];
        const to = other === undefined ? end : Math.min(end, other.offset + other.length);
        const old = cutExtent(extent, at, to);
        await this.#comparePart(old, other === undefined ? undefined : cutExtent(other, at, to));
        at = to;
      }
    }
  }

  async #comparePart(old: Extent, now: Extent | undefined): Promise<void> {
    const { offset, length } = old;
    if (old.kind === 'invalid') {
      this.result.unreadable += length;
      return;
    }
    if (this.#recovered.within(offset, length).length > 0) {
      this.result.recovered += length;
      return;
    }
    if (now === undefined) {
      if (old.kind !== 'unallocated' && old.kind !== 'zero') throw this.#changed(offset);
      return;
    }
    if (this.#isUntouched(old, now)) {
      this.result.same += length;
      return;
    }
    await this.#compareBytes(old, now);
  }

  /** Whether both lead to the same bytes, and nothing was written there. */
  #isUntouched(old: Extent, now: Extent): boolean {
    const isEmpty = (kind: Extent['kind']) => kind === 'zero' || kind === 'unallocated';
    if (isEmpty(old.kind) && isEmpty(now.kind)) return old.kind === now.kind || !this.#hasBacking;
    if (old.kind !== now.kind || old.hostOffset !== now.hostOffset) return false;
    if (old.kind === 'compressed' && old.hostLength !== now.hostLength) return false;
    // Content in an external data file is not touched by any repair.
    if (old.kind === 'data' && this.#old.header.hasDataFile) return true;
    const length = old.kind === 'compressed' ? old.hostLength : old.length;
    return this.#written.within(old.hostOffset, length).length === 0;
  }

  async #compareBytes(old: Extent, now: Extent): Promise<void> {
    const { offset, length } = old;
    if (old.kind === 'unallocated' && this.#hasBacking) throw this.#changed(offset);
    for (let done = 0; done < length; done += PIECE) {
      const from = offset + done;
      const to = Math.min(offset + length, from + PIECE);
      const a = await readExtent(this.#old, cutExtent(old, from, to), this.#verification.before);
      if (a === undefined) {
        this.result.unreadable += to - from;
        continue;
      }
      const isEmpty = now.kind === 'unallocated' && this.#hasBacking;
      const b = isEmpty
        ? undefined
        : await readExtent(this.#now, cutExtent(now, from, to), this.#verification.after);
      if (b === undefined) throw this.#changed(from);
      const at = firstDifference(a, b);
      if (at >= 0) throw this.#changed(from + at);
      this.result.same += to - from;
      this.result.read += to - from;
      await this.#verification.breathe();
    }
  }

  #changed(offset: number): ImageError {
    return changed(this.result.snapshot, offset);
  }
}

function endOf(list: readonly Extent[]): number | undefined {
  const last = list.at(-1);
  return last === undefined ? undefined : last.offset + last.length;
}

/** The bytes of a run as they are in the file, unpacked but not deciphered; undefined: damaged. */
export async function readExtent(
  image: Qcow2Image,
  extent: Extent,
  storage: Storage,
): Promise<Uint8Array | undefined> {
  const { kind, hostOffset, length } = extent;
  if (kind === 'zero' || kind === 'unallocated') return new Uint8Array(length);
  if (kind === 'data') return readPadded(storage, hostOffset, length);
  if (kind !== 'compressed') return undefined;
  const packed = await readPadded(storage, hostOffset, extent.hostLength);
  const { data, results } = unpackBatch({
    codec: image.codec,
    packed: new Uint8Array(packed),
    clusters: [{ start: 0, length: packed.length }],
    clusterSize: image.clusterSize,
  });
  if (results[0] !== 'ok') return undefined;
  const from = extent.offset - extent.clusterOffset;
  return data.subarray(from, from + length);
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
