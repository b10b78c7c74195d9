import { available } from './failures.ts';
import { KeptBytes, MEMORY_BUDGET, type ScratchOpener } from './kept-bytes.ts';
import { type ByteRange, RangeSet } from './range-set.ts';
import { modifiedOf, type Storage } from './storage.ts';

/** A part of the file that is no longer as it was. */
export interface Change extends ByteRange {
  /** `data`: new bytes, to be read from the overlay. `zero`: old bytes that now read as zeros. */
  readonly kind: 'data' | 'zero';
}

/**
 * Changes kept aside from a storage that stays untouched: what is read is the new state, what is
 * on the medium is the old one, and the difference can be listed, checked, applied or dropped.
 */
export interface Overlay extends Storage {
  /** What lies under it, as it was, but for what {@link writeFresh} put there. */
  readonly base: Storage;
  /** Bytes of `base` before anything was changed. */
  readonly oldSize: number;
  /**
   * Everything that differs from `base`, in order, never touching one another: what must be
   * written to turn one into the other, besides setting the size.
   */
  changes(): Change[];
  /** Whether anything differs, the size included. */
  readonly changed: boolean;
  /** Whether {@link writeFresh} has written to `base`. */
  readonly wroteFresh: boolean;
  writeFresh(offset: number, source: Uint8Array): Promise<void>;
  /** Forgets the changes, which are in `base` now. */
  settle(): Promise<void>;
}

export interface OverlayOptions {
  /** What to call it; default: as the base. */
  name?: string;
  /** Where changes go that are too many for memory; without it, they stay in memory. */
  scratch?: ScratchOpener | undefined;
  /** Bytes of changes that are kept in memory. */
  budget?: number;
  /** Whether {@link Overlay.writeFresh} may write to the base; default: no. */
  freshInPlace?: boolean;
}

/**
 * The overlay whose changes are in memory, and beyond a budget in a scratch storage. Closing it
 * drops them and leaves `base` open: that belongs to whoever opened it.
 */
export class OverlayStorage implements Overlay {
  readonly base: Storage;
  readonly name: string;
  readonly writable = true;
  readonly #freshInPlace: boolean;
  readonly #kept: KeptBytes;
  readonly #written = new RangeSet();
  /** Written to the base itself, and part of the new state. */
  readonly #fresh = new RangeSet();
  /** Where the last byte that was ever written to the base itself ends. */
  #freshEnd = 0;
  /** Whether the base may have bytes behind its old end that are no part of the new state. */
  #freshHidden = false;
  #oldSize: number;
  /** Bytes of the old state that still show: less than its size once the overlay was cut shorter. */
  #visible: number;
  #size: number;

  constructor(base: Storage, options: OverlayOptions = {}) {
    this.base = base;
    this.name = options.name ?? base.name;
    this.#freshInPlace = options.freshInPlace === true && base.writable;
    this.#kept = new KeptBytes(options.scratch, options.budget ?? MEMORY_BUDGET);
    this.#oldSize = base.size;
    this.#size = base.size;
    this.#visible = base.size;
  }

  get size(): number {
    return this.#size;
  }

  get oldSize(): number {
    return this.#oldSize;
  }

  get changed(): boolean {
    return this.#size !== this.base.size || this.wroteFresh || this.changes().length > 0;
  }

  get wroteFresh(): boolean {
    return this.#freshEnd > 0;
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    const length = available(this.#size, offset, target.length);
    if (length === 0) return 0;
    const written = this.#written.within(offset, length);
    if (written.length !== 1 || written[0]?.length !== length) {
      await this.#readBase(offset, target.subarray(0, length));
    }
    for (const part of written) {
      const start = part.offset - offset;
      await this.#kept.read(part.offset, target.subarray(start, start + part.length));
    }
    return length;
  }

  async write(offset: number, source: Uint8Array): Promise<void> {
    if (source.length === 0) return;
    this.#written.add(offset, source.length);
    this.#size = Math.max(this.#size, offset + source.length);
    await this.#kept.write(offset, source, this.#written);
  }

  /**
   * As {@link write}, for clusters that nothing in the old state uses: the caller vouches for it.
   * Where the medium allows it the bytes go to the base at once. Should the change never be
   * applied, they are left in clusters that count as free.
   */
  async writeFresh(offset: number, source: Uint8Array): Promise<void> {
    const { length } = source;
    if (!this.#freshInPlace || this.#written.within(offset, length).length > 0) {
      return this.write(offset, source);
    }
    if (length === 0) return;
    this.#freshEnd = Math.max(this.#freshEnd, offset + length);
    try {
      await this.base.write(offset, source);
    } catch (error) {
      this.#freshHidden = true;
      throw error;
    }
    this.#fresh.add(offset, length);
    this.#size = Math.max(this.#size, offset + length);
  }

  async resize(size: number): Promise<void> {
    await this.#kept.resize(size);
    if (size < this.#size) {
      this.#written.cut(size);
      this.#fresh.cut(size);
      if (size < this.#freshEnd) this.#freshHidden = true;
      this.#visible = Math.min(this.#visible, size);
    }
    this.#size = size;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    const grew = this.wroteFresh && this.base.size > this.#oldSize;
    const { oldSize } = this;
    await this.#forget(oldSize);
    if (!grew) return;
    try {
      // What somebody else may have put there by now is not ours to cut off.
      await this.base.checkUnchanged?.();
      await this.base.resize(oldSize);
    } catch {
      // It stays larger than it was, by bytes that nothing refers to.
    }
  }

  settle(): Promise<void> {
    return this.#forget(this.base.size);
  }

  /** Of the medium: what is kept aside has been written nowhere yet. */
  modified(): Promise<number | undefined> {
    return modifiedOf(this.base);
  }

  changes(): Change[] {
    const changes: Change[] = [];
    const hidden = Math.min(this.#freshHidden ? this.base.size : this.#oldSize, this.#size);
    let zeroFrom = this.#visible;
    const addZeros = (end: number) => {
      for (const gap of this.#fresh.gaps(zeroFrom, Math.min(end, hidden))) {
        changes.push({ kind: 'zero', ...gap });
      }
    };
    for (const part of this.#written.within(0, this.#size)) {
      // Bytes that a cut hid and growing brought back as zeros, up to the next written part.
      addZeros(part.offset);
      zeroFrom = Math.max(zeroFrom, part.offset + part.length);
      changes.push({ kind: 'data', ...part });
    }
    addZeros(hidden);
    return changes;
  }

  async #forget(size: number): Promise<void> {
    this.#written.cut(0);
    this.#fresh.cut(0);
    this.#freshEnd = 0;
    this.#freshHidden = false;
    this.#size = size;
    this.#oldSize = size;
    this.#visible = size;
    await this.#kept.clear();
  }

  /** What shows of the base; zeros where it does not reach. */
  async #readBase(offset: number, target: Uint8Array): Promise<void> {
    const visible = available(this.#visible, offset, target.length);
    const count = visible === 0 ? 0 : await this.base.read(offset, target.subarray(0, visible));
    target.fill(0, count);
    if (count === target.length) return;
    const rest = offset + count;
    for (const part of this.#fresh.within(rest, target.length - count)) {
      const start = part.offset - offset;
      await this.base.read(part.offset, target.subarray(start, start + part.length));
    }
  }
}
