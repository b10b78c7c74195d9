/** Small qcow2 images made by hand: these tests have no qemu-img to ask. */
import { deflateRaw } from 'pako';

const CLUSTER = 65536;
/** Entries of one L2 table. */
const PER_TABLE = CLUSTER / 8;

/** What one guest cluster is. `data` and `compressed` have bytes, at most a cluster of them. */
export type GuestCluster =
  { kind: 'data' | 'compressed'; bytes: Uint8Array } | { kind: 'zero' | 'unallocated' };

/** What is to be made. */
export interface TinyImage {
  /** Virtual size, bytes. */
  size: number;
  /** By index; the others are unallocated. */
  clusters: Map<number, GuestCluster>;
  backing?: string;
  /** Recorded for the backing file; none by default. */
  backingFormat?: string;
  /** Name of the external data file, in which all data clusters are: {@link guestContent}. */
  dataFile?: string;
}

/** Makes a version 3 image with 64 KiB clusters whose check finds nothing wrong. */
export function tinyQcow2(image: TinyImage): Uint8Array<ArrayBuffer> {
  const file = new Builder(image);
  for (const [index, cluster] of image.clusters) file.guest(index, cluster);
  return file.finish();
}

/** What the guest of such an image reads (without a backing image). */
export function guestContent({ size, clusters }: TinyImage): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(size);
  for (const [index, cluster] of clusters) {
    if ('bytes' in cluster) content.set(cluster.bytes, index * CLUSTER);
  }
  return content;
}

/** Clusters: 0 header, 1 refcount table, 2 refcount block, 3 L1, then L2 tables and data. */
class Builder {
  readonly #image: TinyImage;
  readonly #clusters: Uint8Array[] = [];
  readonly #refcounts: number[] = [];
  readonly #tables = new Map<number, number>();
  /** Where the next compressed cluster may begin, bytes; 0 when a new host cluster is needed. */
  #packedEnd = 0;

  constructor(image: TinyImage) {
    this.#image = image;
    for (let index = 0; index < 4; index++) this.#allocate();
  }

  guest(index: number, cluster: GuestCluster): void {
    const table = this.#table(Math.floor(index / PER_TABLE));
    const at = (index % PER_TABLE) * 8;
    switch (cluster.kind) {
      case 'data': {
        if (this.#image.dataFile !== undefined) {
          table.setBigUint64(at, (1n << 63n) | BigInt(index * CLUSTER));
          break;
        }
        const host = this.#allocate();
        this.#clusters[host]?.set(cluster.bytes);
        table.setBigUint64(at, (1n << 63n) | BigInt(host * CLUSTER));
        break;
      }
      case 'compressed':
        table.setBigUint64(at, this.#compressed(cluster.bytes));
        break;
      case 'zero':
        table.setBigUint64(at, 1n);
        break;
      case 'unallocated':
        break;
    }
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#header();
    this.#view(1).setBigUint64(0, BigInt(2 * CLUSTER));
    const counts = this.#view(2);
    this.#refcounts.forEach((count, index) => counts.setUint16(index * 2, count));
    const l1 = this.#view(3);
    for (const [index, host] of this.#tables) {
      l1.setBigUint64(index * 8, (1n << 63n) | BigInt(host * CLUSTER));
    }
    const file = new Uint8Array(this.#clusters.length * CLUSTER);
    this.#clusters.forEach((bytes, index) => file.set(bytes, index * CLUSTER));
    return file;
  }

  #header(): void {
    const header = this.#view(0);
    const { size, backing = '', backingFormat, dataFile } = this.#image;
    const name = new TextEncoder().encode(backing);
    header.setUint32(0, 0x514649fb);
    header.setUint32(4, 3);
    header.setBigUint64(8, name.length > 0 ? 1024n : 0n);
    header.setUint32(16, name.length);
    header.setUint32(20, 16);
    header.setBigUint64(24, BigInt(size));
    header.setUint32(36, Math.ceil(size / (PER_TABLE * CLUSTER)));
    header.setBigUint64(40, BigInt(3 * CLUSTER));
    header.setBigUint64(48, BigInt(CLUSTER));
    header.setUint32(56, 1);
    if (dataFile !== undefined) header.setBigUint64(72, 1n << 2n);
    header.setUint32(96, 4);
    header.setUint32(100, 104);
    let at = 104;
    if (backingFormat !== undefined) at = this.#extension(at, 0xe2792aca, backingFormat);
    if (dataFile !== undefined) this.#extension(at, 0x44415441, dataFile);
    this.#clusters[0]?.set(name, 1024);
  }

  /** Writes a header extension; returns where the next one goes. */
  #extension(at: number, type: number, text: string): number {
    const data = new TextEncoder().encode(text);
    this.#view(0).setUint32(at, type);
    this.#view(0).setUint32(at + 4, data.length);
    this.#clusters[0]?.set(data, at + 8);
    return at + 8 + Math.ceil(data.length / 8) * 8;
  }

  /** Packs as QEMU does: any number of clusters one behind the other, each to whole sectors. */
  #compressed(bytes: Uint8Array): bigint {
    const whole = new Uint8Array(CLUSTER);
    whole.set(bytes);
    const packed = deflateRaw(whole, { windowBits: 12, memLevel: 9 });
    const free = this.#packedEnd % CLUSTER === 0 ? 0 : CLUSTER - (this.#packedEnd % CLUSTER);
    if (packed.length > free) this.#packedEnd = this.#allocate() * CLUSTER;
    else this.#count(Math.floor(this.#packedEnd / CLUSTER));
    const start = this.#packedEnd;
    this.#clusters[Math.floor(start / CLUSTER)]?.set(packed, start % CLUSTER);
    this.#packedEnd += packed.length;
    const sectors = Math.floor((this.#packedEnd - 1) / 512) - Math.floor(start / 512);
    // Clusters of 2^16 bytes: the number of further sectors is in bits 54 to 61.
    return (1n << 62n) | (BigInt(sectors) << 54n) | BigInt(start);
  }

  #table(index: number): DataView {
    let host = this.#tables.get(index);
    if (host === undefined) {
      host = this.#allocate();
      this.#tables.set(index, host);
    }
    return this.#view(host);
  }

  #allocate(): number {
    this.#refcounts.push(1);
    return this.#clusters.push(new Uint8Array(CLUSTER)) - 1;
  }

  #count(host: number): void {
    this.#refcounts[host] = (this.#refcounts[host] ?? 0) + 1;
  }

  #view(host: number): DataView {
    const bytes = this.#clusters[host];
    if (bytes === undefined) throw new Error(`no cluster ${host}`);
    return new DataView(bytes.buffer);
  }
}
