/** Writing into the extents of a disk, each in its way. */
import { MIB, SECTOR } from '../../binary/units.ts';
import { deflateStream } from '../../codecs/deflate.ts';
import { ImageError } from '../../errors.ts';
import { writeFresh, type Storage } from '../../storage/storage.ts';
import type { ReadBelow } from '../format.ts';
import type { GrainEditor } from './grain-editor.ts';
import { GRAIN_MARKER, LARGEST_PACKED, ZEROED } from './layout.ts';

/** Takes what is written to a stretch of the disk. Guest offsets, bytes. */
export interface SegmentWriter {
  readonly start: number;
  readonly length: number;
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** @returns whether anything had to be changed */
  zero(offset: number, length: number): Promise<boolean>;
  writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void>;
  flush(): Promise<void>;
}

/** Where a stretch of the disk is. */
export interface Stretch {
  readonly start: number;
  readonly length: number;
}

/** Zeros that are written at once. */
const ZEROS = new Uint8Array(MIB);
/** Bytes of packed grains that are written at once. */
const PACKED_BYTES = MIB;

function cannot(feature: string, message = feature): never {
  throw new ImageError('unsupported-feature', { feature, message });
}

/** An extent that holds the bytes as they are. */
export class FlatWriter implements SegmentWriter {
  readonly start: number;
  readonly length: number;
  readonly #storage: Storage;
  readonly #hostOffset: number;

  /** @param hostOffset where it begins in the file, bytes */
  constructor({ start, length }: Stretch, storage: Storage, hostOffset: number) {
    this.start = start;
    this.length = length;
    this.#storage = storage;
    this.#hostOffset = hostOffset;
  }

  write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#storage.write(this.#hostOffset + offset - this.start, bytes);
  }

  async zero(offset: number, length: number): Promise<boolean> {
    for (let done = 0; done < length; done += ZEROS.length) {
      await this.write(offset + done, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)));
    }
    return true;
  }

  writePacked(): Promise<void> {
    return cannot('packed clusters in a flat extent');
  }

  flush(): Promise<void> {
    return this.#storage.flush();
  }
}

/** A part of one grain. */
interface GrainPart {
  /** Index of its table, and of its entry there. */
  readonly table: number;
  readonly entry: number;
  /** Guest offset of the grain, and its bytes: the last one ends with the extent. */
  readonly grain: number;
  readonly bytes: number;
  /** Guest offsets of the part. */
  readonly from: number;
  readonly to: number;
}

function isWhole({ grain, bytes, from, to }: GrainPart): boolean {
  return from === grain && to === grain + bytes;
}

abstract class GrainWriter implements SegmentWriter {
  readonly start: number;
  readonly length: number;
  protected readonly grains: GrainEditor;
  protected readonly below: ReadBelow | undefined;

  constructor({ start, length }: Stretch, grains: GrainEditor, below: ReadBelow | undefined) {
    this.start = start;
    this.length = length;
    this.grains = grains;
    this.below = below;
  }

  protected get grainBytes(): number {
    return this.grains.layout.grainSectors * SECTOR;
  }

  /** The grains of a range, one after the other. */
  protected *parts(offset: number, length: number): Generator<GrainPart> {
    const { entriesPerTable } = this.grains.layout;
    const { grainBytes } = this;
    for (let at = offset; at < offset + length;) {
      const index = Math.floor((at - this.start) / grainBytes);
      const grain = this.start + index * grainBytes;
      const bytes = Math.min(grainBytes, this.start + this.length - grain);
      const to = Math.min(offset + length, grain + grainBytes);
      const table = Math.floor(index / entriesPerTable);
      yield { table, entry: index % entriesPerTable, grain, bytes, from: at, to };
      at = to;
    }
  }

  /** Whether an entry says that the grain is zero. */
  protected isZeroed(entry: number): boolean {
    return this.grains.layout.zeroedGrains && entry === ZEROED;
  }

  /** The whole grain with new bytes in it. */
  protected async composed(
    part: GrainPart,
    isZeroed: boolean,
    bytes: Uint8Array,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const isOpen = this.below !== undefined && !isZeroed;
    const old = isOpen ? await this.below?.(part.grain, part.bytes) : undefined;
    const whole = old ?? new Uint8Array(part.bytes);
    whole.set(bytes, part.from - part.grain);
    return whole;
  }

  async zero(offset: number, length: number): Promise<boolean> {
    let changed = false;
    for (const part of this.parts(offset, length)) {
      const table = this.grains.ready(part.table) ?? (await this.grains.table(part.table));
      const entry = table[part.entry] ?? 0;
      if (this.isZeroed(entry) || (entry === 0 && this.below === undefined)) continue;
      changed = true;
      if (this.grains.layout.zeroedGrains && isWhole(part) && this.mayZero(entry)) {
        await this.grains.touch(part.table);
        table[part.entry] = ZEROED;
      } else {
        await this.writeZeros(part.from, part.to);
      }
    }
    return changed;
  }

  private async writeZeros(from: number, to: number): Promise<void> {
    for (let at = from; at < to; at += LARGEST_PACKED) {
      await this.write(at, new Uint8Array(Math.min(LARGEST_PACKED, to - at)));
    }
  }

  protected abstract mayZero(entry: number): boolean;
  abstract write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  abstract writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void>;
  abstract flush(): Promise<void>;
}

/** Neighbouring bytes that go to neighbouring places. */
interface Put {
  readonly host: number;
  readonly from: number;
  to: number;
  /** Nothing of the old state is there. */
  readonly fresh: boolean;
}

/** An extent whose grains are as they are. */
export class SparseWriter extends GrainWriter {
  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let put: Put | undefined;
    const end = async () => {
      if (put === undefined) return;
      const piece = bytes.subarray(put.from - offset, put.to - offset);
      const { storage } = this.grains;
      await (put.fresh ? writeFresh(storage, put.host, piece) : storage.write(put.host, piece));
      put = undefined;
    };
    for (const part of this.parts(offset, bytes.length)) {
      const table = this.grains.ready(part.table) ?? (await this.grains.table(part.table));
      const entry = table[part.entry] ?? 0;
      const isFresh = entry === 0 || this.isZeroed(entry);
      if (isFresh && !this.grains.isTouched(part.table)) await this.grains.touch(part.table);
      const sector = isFresh ? this.#allocate(part, table) : this.#existing(entry);
      const host = sector * SECTOR + part.from - part.grain;
      if (isFresh && entry === 0 && this.below !== undefined && !isWhole(part)) {
        await end();
        await this.#copyAround(part, sector * SECTOR, this.below);
        put = { host, from: part.from, to: part.to, fresh: true };
      } else if (put?.fresh === isFresh && put.host + put.to - put.from === host) {
        put.to = part.to;
      } else {
        await end();
        put = { host, from: part.from, to: part.to, fresh: isFresh };
      }
    }
    await end();
  }

  /** The rest of a new grain is what lies below; without that, it is zeros by itself. */
  async #copyAround(part: GrainPart, host: number, below: ReadBelow): Promise<void> {
    const { grain, bytes, from, to } = part;
    const rest = [
      [grain, from],
      [to, grain + bytes],
    ] as const;
    for (const [start, stop] of rest) {
      for (let at = start; at < stop; at += ZEROS.length) {
        const piece = await below(at, Math.min(ZEROS.length, stop - at));
        await writeFresh(this.grains.storage, host + at - grain, piece);
      }
    }
  }

  #allocate(part: GrainPart, table: Uint32Array): number {
    const sector = this.grains.allocate(this.grains.layout.grainSectors);
    table[part.entry] = sector;
    return sector;
  }

  #existing(entry: number): number {
    const { storage, layout } = this.grains;
    const isInside = entry >= layout.overhead && entry < this.grains.nextSector;
    if (isInside) return entry;
    throw new ImageError('image-damaged', { name: storage.name, corruptions: 1 });
  }

  protected mayZero(): boolean {
    return true;
  }

  writePacked(): Promise<void> {
    return cannot('packed clusters in an extent without compression');
  }

  /** The last grain is there as a whole. */
  async flush(): Promise<void> {
    const { storage, nextSector } = this.grains;
    await this.grains.flush();
    if (storage.size < nextSector * SECTOR) await storage.resize(nextSector * SECTOR);
    await storage.flush();
  }
}

/** An extent whose grains are packed, one behind the other; none is written twice. */
export class StreamWriter extends GrainWriter {
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  #waitingAt = 0;
  /** Where the last grain would end, were it not packed, bytes. */
  #end = 0;

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const part of this.parts(offset, bytes.length)) {
      const table = this.grains.ready(part.table) ?? (await this.grains.table(part.table));
      const entry = table[part.entry] ?? 0;
      const piece = bytes.subarray(part.from - offset, part.to - offset);
      const whole = isWhole(part) ? piece : await this.composed(part, this.isZeroed(entry), piece);
      await this.#put(part, deflateStream(whole));
    }
  }

  async writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const part of this.parts(offset, 1)) await this.#put(part, packed);
  }

  protected mayZero(entry: number): boolean {
    return entry === 0;
  }

  async #put(part: GrainPart, packed: Uint8Array): Promise<void> {
    const table = this.grains.ready(part.table) ?? (await this.grains.table(part.table));
    const entry = table[part.entry] ?? 0;
    if (entry !== 0 && !this.isZeroed(entry)) {
      const message = 'Could not write to allocated cluster for streamOptimized';
      cannot('writing to a grain of a streamOptimized image again', message);
    }
    const length = GRAIN_MARKER.size + packed.length;
    const sectors = Math.ceil(length / SECTOR);
    const bytes = new Uint8Array(sectors * SECTOR);
    GRAIN_MARKER.write(bytes, { sector: part.grain / SECTOR, size: packed.length });
    bytes.set(packed, GRAIN_MARKER.size);
    await this.grains.touch(part.table);
    const sector = this.grains.allocate(sectors);
    table[part.entry] = sector;
    this.#end = sector * SECTOR + this.grainBytes;
    await this.#append(sector * SECTOR, bytes);
  }

  async #append(host: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#waitingAt + this.#waitingBytes !== host) await this.#writeWaiting();
    if (this.#waiting.length === 0) this.#waitingAt = host;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= PACKED_BYTES) await this.#writeWaiting();
  }

  async #writeWaiting(): Promise<void> {
    if (this.#waitingBytes === 0) return;
    const all = new Uint8Array(this.#waitingBytes);
    let at = 0;
    for (const bytes of this.#waiting) {
      all.set(bytes, at);
      at += bytes.length;
    }
    await writeFresh(this.grains.storage, this.#waitingAt, all);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  /** The file ends no sooner than the last grain would, were it not packed: as QEMU leaves it. */
  async flush(): Promise<void> {
    const { grains } = this;
    await this.#writeWaiting();
    await grains.flush();
    if (grains.storage.size < this.#end) await grains.storage.resize(this.#end);
    await grains.storage.flush();
  }
}
