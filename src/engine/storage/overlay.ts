import { available } from './failures.ts';
import { MemoryStorage } from './memory.ts';
import { type ByteRange, RangeSet } from './range-set.ts';
import type { Storage } from './storage.ts';

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
  /** What lies under it, as it was. */
  readonly base: Storage;
  /**
   * Everything that differs from `base`, in order, never touching one another: what must be
   * written to turn one into the other, besides setting the size.
   */
  changes(): Change[];
  /** Whether anything differs, the size included. */
  readonly changed: boolean;
}

/** Pages of the kept bytes: changes are mostly table entries, scattered. */
const PAGE = 4096;

/**
 * The overlay whose changes are in memory. Closing it drops them and leaves `base` open: that
 * belongs to whoever opened it.
 */
export class OverlayStorage implements Overlay {
  readonly base: Storage;
  readonly name: string;
  readonly writable = true;
  readonly #written = new RangeSet();
  #kept = new MemoryStorage({ pageSize: PAGE });
  /** Bytes of the base that still show: less than its size once the overlay was cut shorter. */
  #visible: number;
  #size: number;

  constructor(base: Storage, name = base.name) {
    this.base = base;
    this.name = name;
    this.#size = base.size;
    this.#visible = base.size;
  }

  get size(): number {
    return this.#size;
  }

  get changed(): boolean {
    return this.#size !== this.base.size || this.changes().length > 0;
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
    await this.#kept.write(offset, source);
    this.#written.add(offset, source.length);
    this.#size = Math.max(this.#size, offset + source.length);
  }

  async resize(size: number): Promise<void> {
    await this.#kept.resize(size);
    if (size < this.#size) {
      this.#written.cut(size);
      this.#visible = Math.min(this.#visible, size);
    }
    this.#size = size;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#kept = new MemoryStorage({ pageSize: PAGE });
    this.#written.cut(0);
    this.#size = this.base.size;
    this.#visible = this.base.size;
    return Promise.resolve();
  }

  changes(): Change[] {
    const changes: Change[] = [];
    const hidden = Math.min(this.base.size, this.#size);
    let zeroFrom = this.#visible;
    for (const part of this.#written.within(0, this.#size)) {
      // Bytes that a cut hid and growing brought back as zeros, up to the next written part.
      const zeroTo = Math.min(part.offset, hidden);
      if (zeroTo > zeroFrom) {
        changes.push({ kind: 'zero', offset: zeroFrom, length: zeroTo - zeroFrom });
      }
      zeroFrom = Math.max(zeroFrom, part.offset + part.length);
      changes.push({ kind: 'data', ...part });
    }
    if (hidden > zeroFrom) {
      changes.push({ kind: 'zero', offset: zeroFrom, length: hidden - zeroFrom });
    }
    return changes;
  }

  /** What shows of the base; zeros where it does not reach. */
  async #readBase(offset: number, target: Uint8Array): Promise<void> {
    const visible = available(this.#visible, offset, target.length);
    const count = visible === 0 ? 0 : await this.base.read(offset, target.subarray(0, visible));
    target.fill(0, count);
  }
}
