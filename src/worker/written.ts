/**
 * Where a fresh file was written. What was never written in it reads as zeros: that much is the
 * file system's word. So verifying reads every byte that was written, and not the holes, which may
 * be a thousand times as long.
 */
import { type Disk, type Extent, PassingStorage, type Storage } from '../engine/index.ts';

/** Parts of a file that are told apart, at least this long, bytes; and how many at most. */
const LEAST_PART = 2 ** 20;
const MOST_PARTS = 2 ** 22;
/** Runs that one call of {@link WrittenDisk.map} gives at most. */
const RUNS = 1024;

/** Which parts of a file were written to, at least in one byte. */
export class WriteMap {
  /** Bytes of one part. */
  readonly part: number;
  readonly #bits: Uint8Array;

  /** @param size bytes that the file will have at most; what is written behind counts nowhere */
  constructor(size: number) {
    this.part = LEAST_PART;
    while (size / this.part > MOST_PARTS) this.part *= 2;
    this.#bits = new Uint8Array(Math.ceil(size / this.part / 8));
  }

  /** Notes a write of `length` bytes at `offset`. */
  add(offset: number, length: number): void {
    if (length <= 0) return;
    const last = Math.floor((offset + length - 1) / this.part);
    for (let index = Math.floor(offset / this.part); index <= last; index++) {
      const at = index >>> 3;
      this.#bits[at] = (this.#bits[at] ?? 0) | (1 << (index & 7));
    }
  }

  /** Whether the part was written to. */
  has(index: number): boolean {
    return ((this.#bits[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }
}

/** Notes where it is written and passes everything on. */
export class RecordingStorage extends PassingStorage {
  readonly written: WriteMap;

  constructor(target: Storage, size: number) {
    super(target);
    this.written = new WriteMap(size);
  }

  override write(offset: number, source: Uint8Array): Promise<void> {
    this.written.add(offset, source.length);
    return super.write(offset, source);
  }
}

/** A raw disk in a file that was fresh: zeros where it was not written. */
export class WrittenDisk implements Disk {
  readonly format = 'raw';
  readonly storage: Storage;
  readonly clusterSize = 0;
  readonly codec = undefined;
  readonly backing = undefined;
  readonly backingMissing = false;
  readonly cipher = undefined;
  readonly contentMissing = undefined;
  readonly #written: WriteMap;

  constructor(storage: Storage, written: WriteMap) {
    this.storage = storage;
    this.#written = written;
  }

  /** Bytes; whole sectors, as every raw disk. */
  get size(): number {
    return Math.ceil(this.storage.size / 512) * 512;
  }

  map(offset: number, length: number): Promise<Extent[]> {
    const end = Math.min(offset + length, this.size);
    const runs: Extent[] = [];
    for (let at = offset; at < end && runs.length < RUNS;) {
      const data = this.#written.has(Math.floor(at / this.#written.part));
      const next = Math.min(end, this.#endOfRun(at, end, data));
      runs.push({
        kind: data ? 'data' : 'zero',
        offset: at,
        length: next - at,
        storage: this.storage,
        hostOffset: data ? at : -1,
        hostLength: 0,
        clusterOffset: at,
      });
      at = next;
    }
    return Promise.resolve(runs);
  }

  close(): Promise<void> {
    return this.storage.close();
  }

  #endOfRun(offset: number, end: number, data: boolean): number {
    const { part } = this.#written;
    let index = Math.floor(offset / part) + 1;
    while (index * part < end && this.#written.has(index) === data) index++;
    return index * part;
  }
}

/** A disk whose files were fresh: what lies in parts that were never written is zeros. */
export class WrittenParts implements Disk {
  readonly #disk: Disk;
  readonly #writtenTo: (storage: Storage) => WriteMap | undefined;

  /** @param writtenTo undefined for a file of which nothing is known */
  constructor(disk: Disk, writtenTo: (storage: Storage) => WriteMap | undefined) {
    this.#disk = disk;
    this.#writtenTo = writtenTo;
  }

  get format(): Disk['format'] {
    return this.#disk.format;
  }

  get size(): number {
    return this.#disk.size;
  }

  get storage(): Storage {
    return this.#disk.storage;
  }

  get clusterSize(): number {
    return this.#disk.clusterSize;
  }

  get codec(): Disk['codec'] {
    return this.#disk.codec;
  }

  get backing(): Disk | undefined {
    return this.#disk.backing;
  }

  get backingMissing(): boolean {
    return this.#disk.backingMissing;
  }

  get cipher(): Disk['cipher'] {
    return this.#disk.cipher;
  }

  get contentMissing(): Disk['contentMissing'] {
    return this.#disk.contentMissing;
  }

  async map(offset: number, length: number, most?: number): Promise<Extent[]> {
    const runs = await this.#disk.map(offset, length, most);
    if (this.cipher !== undefined) return runs;
    return runs.flatMap((run) => {
      const written = run.kind === 'data' ? this.#writtenTo(run.storage) : undefined;
      return written === undefined ? [run] : split(run, written);
    });
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}

/** A run of data, and zeros where its file was never written. */
function split(run: Extent, written: WriteMap): Extent[] {
  const { part } = written;
  const end = run.hostOffset + run.length;
  const runs: Extent[] = [];
  for (let at = run.hostOffset; at < end;) {
    const data = written.has(Math.floor(at / part));
    let index = Math.floor(at / part) + 1;
    while (index * part < end && written.has(index) === data) index++;
    const next = Math.min(end, index * part);
    const offset = run.offset + at - run.hostOffset;
    const piece = { ...run, offset, clusterOffset: offset, length: next - at };
    runs.push(data ? { ...piece, hostOffset: at } : { ...piece, kind: 'zero', hostOffset: -1 });
    at = next;
  }
  return runs;
}
