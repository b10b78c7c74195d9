/** A DMG as a disk. */
import type { Values } from '../../binary/struct.ts';
import { SECTOR } from '../../binary/units.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Description } from '../../operations/image-info.ts';
import type { Storage } from '../../storage/storage.ts';
import { clip } from '../extents.ts';
import { fieldValues } from '../field-values.ts';
import type { Extent } from '../format.ts';
import { checkDmg } from './check.ts';
import type { Chunk, ChunkTable } from './chunks.ts';
import { IGNORE, KOLY, PACKINGS, RAW, ZERO } from './layout.ts';
import { StandAloneDisk } from '../stand-alone.ts';

/** What the file says of itself, checked. */
export interface DmgParts {
  readonly koly: Values<typeof KOLY>;
  /** Where the trailer is, bytes. */
  readonly kolyAt: number;
  readonly tables: readonly ChunkTable[];
  /** In guest order, none over another. */
  readonly chunks: readonly Chunk[];
}

const RUNS = 4096;

export class DmgDisk extends StandAloneDisk {
  readonly format = 'dmg';
  readonly isOpaque = true;
  readonly checkIsOurs = true;
  readonly storage: Storage;
  readonly parts: DmgParts;
  readonly size: number;
  /** That of most chunks; each says for itself what it unpacks to. */
  readonly clusterSize: number;
  override readonly codec = 'zlib-stream';

  constructor(storage: Storage, parts: DmgParts) {
    super();
    this.storage = storage;
    this.parts = parts;
    this.size = parts.koly.sectors * SECTOR;
    const packed = parts.chunks.find(({ type }) => PACKINGS.has(type));
    this.clusterSize = packed?.size ?? 0;
  }

  map(offset: number, length: number, most = RUNS): Promise<Extent[]> {
    const end = Math.min(offset + length, this.size);
    const { chunks } = this.parts;
    const extents: Extent[] = [];
    let at = offset;
    let index = this.find(offset);
    while (at < end && extents.length < most) {
      const chunk = chunks[index++];
      const next = Math.min(chunk?.guest ?? end, end);
      // No table says anything of what lies between two chunks.
      if (next > at) extents.push({ ...this.#plain('invalid', at, next - at, -1), ...NOWHERE });
      if (chunk === undefined || next >= end) break;
      this.#addChunk(extents, chunk);
      at = chunk.guest + chunk.size;
    }
    return Promise.resolve(clip(joinRuns(extents), offset, end));
  }

  /** The index of the first chunk that ends behind a place of the disk, bytes. */
  find(offset: number): number {
    const { chunks } = this.parts;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = chunks[middle] as Chunk;
      if (chunk.guest + chunk.size <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #plain(kind: Extent['kind'], offset: number, length: number, hostOffset: number): Extent {
    const { storage } = this;
    return { kind, offset, length, storage, hostOffset, hostLength: 0, clusterOffset: offset };
  }

  #addChunk(extents: Extent[], { type, guest, size, offset, length }: Chunk): void {
    const isPacked = PACKINGS.has(type);
    if (type === ZERO || type === IGNORE) extents.push(this.#plain('zero', guest, size, -1));
    else if ((!isPacked && type !== RAW) || offset >= this.storage.size || length === 0) {
      const reason = isPacked && length === 0 ? 'compressed-short' : 'block-outside';
      extents.push({ ...this.#plain('invalid', guest, size, offset), reason });
    } else if (isPacked) {
      const packing = PACKINGS.get(type)?.packing ?? this.codec;
      const extent = this.#plain('compressed', guest, size, offset);
      extents.push({ ...extent, hostLength: length, packing, unpackedLength: size });
    } else {
      const there = Math.min(size, length);
      extents.push(this.#plain('data', guest, there, offset));
      if (there === size) return;
      extents.push({ ...this.#plain('invalid', guest + there, size - there, -1), ...NOWHERE });
    }
  }

  /** Unpacks everything and compares the checksums of the tables and of the file. */
  check(options: CheckOptions): Promise<CheckReport> {
    return checkDmg(this, options);
  }

  describe(): Description {
    const { koly, kolyAt, chunks, tables } = this.parts;
    const kinds = new Set(chunks.map(({ type }) => PACKINGS.get(type)?.name ?? ''));
    const compression = [...kinds].filter((name) => name !== '').join(', ');
    return {
      // qemu-img says nothing of it.
      ...{ clusterSize: undefined, encrypted: false, dirty: undefined, specific: undefined },
      facts: [
        { key: 'format-version', value: String(koly.version) },
        ...(compression === '' ? [] : [{ key: 'compression' as const, value: compression }]),
        { key: 'extents', value: String(tables.length) },
      ],
      fields: fieldValues(KOLY, koly, kolyAt),
    };
  }
}

const NOWHERE = { reason: 'block-outside' } as const;

/** Neighbours that go on where the one before ends become one. */
function joinRuns(extents: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const extent of extents) {
    const last = joined.at(-1);
    const isSame = last?.kind === extent.kind && extent.kind !== 'compressed';
    const follows =
      extent.kind !== 'data' || last?.hostOffset === extent.hostOffset - (last?.length ?? 0);
    if (last !== undefined && isSame && follows && last.reason === extent.reason) {
      last.length += extent.length;
    } else joined.push({ ...extent });
  }
  return joined;
}
