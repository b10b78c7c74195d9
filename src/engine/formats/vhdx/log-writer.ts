/**
 * Changes of tables go through the log: [MS-VHDX] section 2.3. As QEMU does it, an entry for each,
 * whose change is put in its place at once; what stays in the log no longer counts.
 */
import type { Storage } from '../../storage/storage.ts';
import {
  GUID_BYTES,
  LEADING_BYTES,
  LOG_DESCRIPTOR,
  LOG_ENTRY,
  LOG_ENTRY_BYTES,
  LOG_GUID_AT,
  LOG_SECTOR,
  newGuid,
  seal,
  SIGNATURES,
  TRAILING_BYTES,
} from './layout.ts';

/** An entry of one sector: its head with the descriptor, and the sector. */
const ENTRY_BYTES = 2 * LOG_SECTOR;

export interface LogPlace {
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
}

export class LogWriter {
  readonly #storage: Storage;
  readonly #place: LogPlace;
  /** Where the next entry goes, from the start of the log. */
  #at = 0;
  #sequenceNumber: bigint;

  /** @param before number of the last entry that was replayed */
  constructor(storage: Storage, place: LogPlace, before = 0n) {
    this.#storage = storage;
    this.#place = place;
    this.#sequenceNumber = before + 1n;
  }

  /**
   * Writes a sector of a table, by way of the log.
   * @param offset of the sector in the file, bytes
   */
  async writeSector(offset: number, sector: Uint8Array): Promise<void> {
    const { length } = this.#place;
    if (ENTRY_BYTES <= length) await this.#writeEntry(offset, sector);
    await this.#storage.write(offset, sector);
  }

  async #writeEntry(offset: number, sector: Uint8Array): Promise<void> {
    const sequenceNumber = this.#sequenceNumber;
    const bytes = new Uint8Array(ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    LOG_ENTRY.write(bytes, {
      ...{ signature: SIGNATURES.logEntry, checksum: 0, entryLength: ENTRY_BYTES, tail: this.#at },
      ...{ sequenceNumber, descriptorCount: 1 },
      ...{ flushedFileOffset: this.#storage.size, lastFileOffset: this.#storage.size },
    });
    bytes.set(newGuid().subarray(0, GUID_BYTES), LOG_GUID_AT);
    const data = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
    const descriptor = {
      signature: SIGNATURES.dataDescriptor,
      trailingBytes: data.getUint32(LOG_SECTOR - TRAILING_BYTES, true),
      leadingBytes: data.getBigUint64(0, true),
      ...{ fileOffset: offset, sequenceNumber },
    };
    LOG_DESCRIPTOR.write(bytes, descriptor, LOG_ENTRY_BYTES);
    bytes.set(sector, LOG_SECTOR);
    bytes.fill(0, LOG_SECTOR, LOG_SECTOR + LEADING_BYTES);
    view.setUint32(LOG_SECTOR, SIGNATURES.dataSector, true);
    view.setUint32(LOG_SECTOR + 4, Number(sequenceNumber >> 32n), true);
    view.setUint32(ENTRY_BYTES - 4, Number(sequenceNumber & 0xffffffffn), true);
    seal(bytes);
    await this.#storage.write(this.#place.offset + this.#at, bytes);
    this.#at = (this.#at + ENTRY_BYTES) % this.#place.length;
    this.#sequenceNumber = BigInt.asUintN(64, sequenceNumber + 1n);
  }
}
