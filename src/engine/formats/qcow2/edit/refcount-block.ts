/** One refcount block as it is in the file. Specification: «Host cluster management». */
import { divideRoundUp, TWO_32 } from '../../../binary/units.ts';

/** Reads and changes refcounts in place; entries below a byte are packed from the lowest bit on. */
export class RefcountBlockEditor {
  /** Of the block itself, bytes from the start of the file. */
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  dirty = false;
  readonly #bits: number;
  readonly #view: DataView;

  constructor(offset: number, bytes: Uint8Array<ArrayBuffer>, refcountBits: number) {
    this.offset = offset;
    this.bytes = bytes;
    this.#bits = refcountBits;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The refcount of entry `index`; inexact above 2^53. */
  get(index: number): number {
    const bits = this.#bits;
    if (bits === 16) return this.#view.getUint16(index * 2);
    if (bits === 8) return this.#view.getUint8(index);
    if (bits === 32) return this.#view.getUint32(index * 4);
    if (bits === 64) {
      return this.#view.getUint32(index * 8) * TWO_32 + this.#view.getUint32(index * 8 + 4);
    }
    const place = index * bits;
    return (this.#view.getUint8(place >>> 3) >>> (place & 7)) & ((1 << bits) - 1);
  }

  /** Whether every refcount is zero, apart from that of entry `except`. */
  isEmpty(except: number): boolean {
    const kept = except < 0 ? 0 : this.get(except);
    const { dirty } = this;
    if (kept !== 0) this.set(except, 0);
    const isEmpty = this.bytes.every((byte) => byte === 0);
    if (kept !== 0) this.set(except, kept);
    this.dirty = dirty;
    return isEmpty;
  }

  set(index: number, value: number): void {
    const bits = this.#bits;
    this.dirty = true;
    if (bits === 16) this.#view.setUint16(index * 2, value);
    else if (bits === 8) this.#view.setUint8(index, value);
    else if (bits === 32) this.#view.setUint32(index * 4, value);
    else if (bits === 64) {
      this.#view.setUint32(index * 8, Math.floor(value / TWO_32));
      this.#view.setUint32(index * 8 + 4, value % TWO_32);
    } else {
      const place = index * bits;
      const mask = ((1 << bits) - 1) << (place & 7);
      const byte = this.#view.getUint8(place >>> 3);
      this.#view.setUint8(place >>> 3, (byte & ~mask) | (value << (place & 7)));
    }
  }
}

/**
 * How many refcount blocks count `clusters` clusters and, behind them, a table and blocks for all
 * of it; `generous`: with half as much room again in the table.
 */
export function blocksNeeded(
  clusters: number,
  clusterSize: number,
  blockEntries: number,
  generous: boolean,
): number {
  const settle = (wanted: number): { blocks: number; table: number } => {
    let blocks = 0;
    let table = 0;
    for (let before = -1; before !== blocks + table;) {
      before = blocks + table;
      blocks = divideRoundUp(wanted + table + blocks, blockEntries);
      table = divideRoundUp(blocks, clusterSize / 8);
    }
    return { blocks, table };
  };
  const { blocks, table } = settle(clusters);
  return generous ? settle(clusters + divideRoundUp(table, 2)).blocks : blocks;
}
