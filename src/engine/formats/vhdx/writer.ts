/** Writing guest content into a VHDX, new or old. New blocks go to the end of the file, as in QEMU. */
import { alignUp, MIB } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import { readPadded, writeFresh, type Storage } from '../../storage/storage.ts';
import type { DiskWriter } from '../format.ts';
import type { BatLayout } from './bat.ts';
import { entryOffset, entryState, FIRST_MIB, LOG_SECTOR, PAYLOAD } from './layout.ts';
import type { LogWriter } from './log-writer.ts';
import { writeZeros } from './replay.ts';
import type { HeaderSession } from './session.ts';

/** Sectors of the table that are kept: 4 MiB. */
const SECTORS_KEPT = 1024;

/** What is written into. */
export interface WriterParts {
  readonly storage: Storage;
  readonly blockSize: number;
  readonly layout: BatLayout;
  readonly session: HeaderSession;
  readonly log: LogWriter;
}

/**
 * The table is written with each new block and some of it is kept in memory; the headers, which
 * count changes, are written by {@link flush}.
 */
export class VhdxWriter implements DiskWriter {
  readonly clusterSize: number;
  readonly packing = undefined;
  readonly #parts: WriterParts;
  /** Sectors of the table by their place in the file, the oldest first. */
  readonly #sectors = new Map<number, Uint8Array<ArrayBuffer>>();

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.clusterSize = parts.blockSize;
  }

  /** @throws ImageError unreadable-cluster where the table makes no sense, and those of writing */
  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { storage, session } = this.#parts;
    session.noteContent();
    for (const part of this.#split(offset, bytes.length)) {
      const source = bytes.subarray(part.done, part.done + part.length);
      const place = await this.#placeOf(part.block);
      if (place !== undefined) await storage.write(place + part.inBlock, source);
      else await this.#writeNew(part, source);
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    const { storage, session } = this.#parts;
    for (const part of this.#split(offset, length)) {
      const place = await this.#placeOf(part.block);
      if (place === undefined) continue;
      session.noteContent();
      await writeZeros(storage, place + part.inBlock, part.length);
    }
  }

  writePacked(): Promise<void> {
    throw new ImageError('internal', { reason: 'VHDX packs nothing' });
  }

  flush(): Promise<void> {
    return this.#parts.session.flush();
  }

  *#split(offset: number, length: number): Generator<BlockPart> {
    const { blockSize } = this.#parts;
    for (let done = 0; done < length;) {
      const block = Math.floor((offset + done) / blockSize);
      const inBlock = offset + done - block * blockSize;
      const count = Math.min(length - done, blockSize - inBlock);
      yield { block, inBlock, done, length: count };
      done += count;
    }
  }

  /** Where a block is in the file, bytes; undefined for one that is all zeros. */
  async #placeOf(block: number): Promise<number | undefined> {
    const { view, at } = await this.#entry(block);
    const low = view.getUint32(at, true);
    const place = entryOffset(view.getUint32(at + 4, true), low);
    switch (entryState(low)) {
      case PAYLOAD.notPresent:
      case PAYLOAD.undefined:
      case PAYLOAD.zero:
      case PAYLOAD.unmapped:
      case PAYLOAD.unmappedDraft:
        return undefined;
      case PAYLOAD.fullyPresent:
        if (place >= FIRST_MIB) return place;
    }
    const { blockSize } = this.#parts;
    throw new ImageError('unreadable-cluster', {
      ...{ guestOffset: block * blockSize, hostOffset: place, length: blockSize },
      reason: 'block-state',
    });
  }

  /** Takes room for a block; its content is there before the table knows of it. */
  async #writeNew({ block, inBlock }: BlockPart, source: Uint8Array): Promise<void> {
    const { storage, blockSize, log, session } = this.#parts;
    const place = alignUp(storage.size, MIB);
    await storage.resize(place + blockSize);
    await writeFresh(storage, place + inBlock, source);
    const { view, at, sector, sectorAt } = await this.#entry(block);
    view.setBigUint64(at, BigInt(place) | BigInt(PAYLOAD.fullyPresent), true);
    session.noteLog();
    await log.writeSector(sectorAt, sector);
  }

  async #entry(block: number): Promise<EntryPlace> {
    const { storage, layout } = this.#parts;
    const place = layout.offset + layout.entryOfBlock(block) * 8;
    const at = place % LOG_SECTOR;
    const sectorAt = place - at;
    const known = this.#sectors.get(sectorAt);
    const sector = known ?? (await readPadded(storage, sectorAt, LOG_SECTOR));
    if (known === undefined) {
      for (const old of this.#sectors.keys()) {
        if (this.#sectors.size < SECTORS_KEPT) break;
        this.#sectors.delete(old);
      }
      this.#sectors.set(sectorAt, sector);
    }
    return { view: new DataView(sector.buffer, sector.byteOffset), at, sector, sectorAt };
  }
}

/** A part of a block that is written at once. Bytes. */
interface BlockPart {
  readonly block: number;
  readonly inBlock: number;
  /** Of what is written, as much was before this part. */
  readonly done: number;
  readonly length: number;
}

/** Where an entry of the table is: in a sector, and the sector in the file. */
interface EntryPlace {
  readonly view: DataView;
  readonly at: number;
  readonly sector: Uint8Array<ArrayBuffer>;
  readonly sectorAt: number;
}
