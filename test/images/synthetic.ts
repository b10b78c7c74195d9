/**
 * Files of any size that take no memory: what is asked for is made up on the spot. They count what
 * is read of them.
 */
import type { Storage } from '../../src/engine/index.ts';

/** Fills `target` with what the file has at `offset`; it comes filled with zeros. */
export type Fill = (offset: number, target: DataView) => void;

export class SyntheticStorage implements Storage {
  readonly name: string;
  readonly size: number;
  readonly writable = false;
  /** Reads so far, and their bytes. */
  reads = 0;
  bytesRead = 0;
  /** Called before each read. */
  onRead: (() => void) | undefined;
  readonly #parts: readonly (readonly [offset: number, length: number, fill: Fill])[];

  /** @param parts where there is something else than zeros; `fill` counts from the part's start */
  constructor(
    size: number,
    parts: readonly (readonly [offset: number, length: number, fill: Fill])[],
    name = 'synthetic',
  ) {
    this.size = size;
    this.#parts = parts;
    this.name = name;
  }

  read(offset: number, target: Uint8Array): Promise<number> {
    this.onRead?.();
    this.reads += 1;
    const length = Math.max(0, Math.min(target.length, this.size - offset));
    this.bytesRead += length;
    target.fill(0, 0, length);
    for (const [start, partLength, fill] of this.#parts) {
      const from = Math.max(offset, start);
      const end = Math.min(offset + length, start + partLength);
      if (from >= end) continue;
      const at = target.byteOffset + from - offset;
      fill(from - start, new DataView(target.buffer, at, end - from));
    }
    return Promise.resolve(length);
  }

  write(): Promise<void> {
    return Promise.reject(new Error('read only'));
  }

  resize(): Promise<void> {
    return Promise.reject(new Error('read only'));
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Bytes as they are. */
export function content(bytes: Uint8Array): Fill {
  return (offset, target) => {
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(
      bytes.subarray(offset, offset + target.byteLength),
    );
  };
}

/** A table of 64-bit entries: `entry` says high and low word of each. Reads are aligned. */
export function table(entry: (index: number) => readonly [high: number, low: number]): Fill {
  return (offset, target) => {
    for (let at = 0; at + 8 <= target.byteLength; at += 8) {
      const [high, low] = entry((offset + at) / 8);
      target.setUint32(at, high);
      target.setUint32(at + 4, low);
    }
  };
}

/** Both halves of an offset with COPIED set. */
export function pointer(offset: number): readonly [number, number] {
  return [(0x80000000 | Math.floor(offset / 2 ** 32)) >>> 0, offset % 2 ** 32];
}

export interface HeaderValues {
  clusterBits: number;
  size: number;
  l1Size: number;
  l1Offset: number;
  refcountOffset: number;
  refcountClusters: number;
  refcountBits?: number;
  snapshots?: number;
  snapshotsOffset?: number;
  extendedL2?: boolean;
  bitmaps?: { count: number; size: number; offset: number };
  backing?: string;
}

/** A header of version 3. */
export function header(values: HeaderValues): Uint8Array {
  const bytes = Buffer.alloc(512);
  bytes.writeUInt32BE(0x514649fb, 0);
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(values.clusterBits, 20);
  bytes.writeBigUInt64BE(BigInt(values.size), 24);
  bytes.writeUInt32BE(values.l1Size, 36);
  bytes.writeBigUInt64BE(BigInt(values.l1Offset), 40);
  bytes.writeBigUInt64BE(BigInt(values.refcountOffset), 48);
  bytes.writeUInt32BE(values.refcountClusters, 56);
  bytes.writeUInt32BE(values.snapshots ?? 0, 60);
  bytes.writeBigUInt64BE(BigInt(values.snapshotsOffset ?? 0), 64);
  bytes.writeUInt32BE(values.extendedL2 === true ? 16 : 0, 76);
  bytes.writeUInt32BE(values.bitmaps === undefined ? 0 : 1, 92);
  bytes.writeUInt32BE(Math.log2(values.refcountBits ?? 16), 96);
  bytes.writeUInt32BE(112, 100);
  let at = 112;
  if (values.bitmaps !== undefined) {
    bytes.writeUInt32BE(0x23852875, at);
    bytes.writeUInt32BE(24, at + 4);
    bytes.writeUInt32BE(values.bitmaps.count, at + 8);
    bytes.writeBigUInt64BE(BigInt(values.bitmaps.size), at + 16);
    bytes.writeBigUInt64BE(BigInt(values.bitmaps.offset), at + 24);
    at += 32;
  }
  if (values.backing !== undefined) {
    bytes.writeUInt32BE(0xe2792aca, at);
    bytes.writeUInt32BE(5, at + 4);
    bytes.write('qcow2', at + 8);
    at += 24;
    bytes.writeBigUInt64BE(BigInt(at), 8);
    bytes.writeUInt32BE(values.backing.length, 16);
    bytes.write(values.backing, at);
  }
  return bytes;
}
