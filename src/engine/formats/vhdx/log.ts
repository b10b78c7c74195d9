/**
 * The log: changes of tables that may not be in their places yet. [MS-VHDX] section 2.3. A ring of
 * entries; those from the tail to the head of the newest sequence have to be replayed.
 */
import { guidText } from '../../binary/guid.ts';
import type { Values } from '../../binary/struct.ts';
import { divideRoundUp } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import {
  isSealed,
  LEADING_BYTES,
  LOG_DESCRIPTOR,
  LOG_DESCRIPTOR_BYTES,
  LOG_ENTRY,
  LOG_ENTRY_BYTES,
  LOG_GUID_AT,
  LOG_SECTOR,
  SIGNATURES,
  TRAILING_BYTES,
} from './layout.ts';

/** Logs are some MiB long; one that is longer than this is not looked through. */
export const LONGEST_LOG = 64 * 1024 * 1024;
/**
 * Damaged or made-up entries can contain one another, so that each byte is summed up many times:
 * so many times the length of the log, at least.
 */
const MOST_SUMMED = 8;
const LEAST_SUMMED = 64 * 1024 * 1024;

/** An entry that is whole. Bytes. */
export interface LogEntry {
  /** From the start of the log. */
  readonly at: number;
  readonly fields: Values<typeof LOG_ENTRY>;
}

/** A part of the file as it is to be. */
export interface LogWrite {
  readonly offset: number;
  readonly length: number;
  /** undefined: zeros. */
  readonly bytes: Uint8Array | undefined;
}

/** What a log has. */
export interface LogState {
  /** Whether there is any entry that is whole: qemu-img then takes the log for one to be replayed. */
  readonly hasEntries: boolean;
  /** An entry was only written in part, or is damaged: qemu-img then does not open the image. */
  readonly isTorn: boolean;
  /** What has to be replayed, the oldest first; undefined where no sequence is complete. */
  readonly active: readonly LogEntry[] | undefined;
}

/** A log in memory. */
export class Log {
  readonly #bytes: Uint8Array;
  readonly #guid: string;
  /** By their place; undefined where there is none. */
  readonly #entries = new Map<number, LogEntry | undefined>();
  #left: number;
  #isTorn = false;

  /** @param guid which entries must have to count */
  constructor(bytes: Uint8Array, guid: string) {
    this.#bytes = bytes;
    this.#guid = guid;
    this.#left = Math.max(LEAST_SUMMED, bytes.length * MOST_SUMMED);
  }

  /**
   * Looks for the sequence that has to be replayed: section 2.3.3.
   * @throws ImageError too-large where that takes too long
   */
  examine(): LogState {
    let active: LogEntry[] | undefined;
    let newest = 0n;
    let hasEntries = false;
    for (let tail = 0; tail < this.#bytes.length;) {
      const sequence = this.#sequenceFrom(tail);
      const head = sequence.at(-1);
      if (head === undefined) {
        tail += LOG_SECTOR;
        continue;
      }
      hasEntries = true;
      const oldest = sequence.findIndex(({ at }) => at === head.fields.tail);
      if (oldest < 0) {
        tail += LOG_SECTOR;
        continue;
      }
      if (head.fields.sequenceNumber > newest) {
        active = sequence.slice(oldest);
        newest = head.fields.sequenceNumber;
      }
      const end = head.at + head.fields.entryLength;
      // Behind the end of the ring all has been seen.
      if (end >= this.#bytes.length || end <= tail) break;
      tail = end;
    }
    return { hasEntries, isTorn: this.#isTorn, active };
  }

  /** What an entry does, in its order. */
  *writesOf({ at, fields }: LogEntry): Generator<LogWrite> {
    const bytes = this.#part(at, fields.entryLength);
    let dataAt = descriptorSectors(fields.descriptorCount) * LOG_SECTOR;
    for (let index = 0; index < fields.descriptorCount; index++) {
      const place = descriptorAt(index);
      const { signature, fileOffset, leadingBytes } = LOG_DESCRIPTOR.read(bytes, place);
      if (signature === SIGNATURES.zeroDescriptor) {
        yield { offset: fileOffset, length: Number(leadingBytes), bytes: undefined };
        continue;
      }
      const sector = bytes.slice(dataAt, dataAt + LOG_SECTOR);
      sector.set(bytes.subarray(place + 8, place + 8 + LEADING_BYTES));
      sector.set(
        bytes.subarray(place + 4, place + 4 + TRAILING_BYTES),
        LOG_SECTOR - TRAILING_BYTES,
      );
      yield { offset: fileOffset, length: LOG_SECTOR, bytes: sector };
      dataAt += LOG_SECTOR;
    }
  }

  /** The entries from a place on that follow one another. */
  #sequenceFrom(tail: number): LogEntry[] {
    const sequence: LogEntry[] = [];
    let length = 0;
    for (let at = tail; ;) {
      const entry = this.#entryAt(at);
      if (entry === undefined) return sequence;
      const { sequenceNumber, entryLength } = entry.fields;
      const last = sequence.at(-1);
      if (last !== undefined && sequenceNumber !== last.fields.sequenceNumber + 1n) return sequence;
      length += entryLength;
      // The ring holds no more than itself.
      if (length > this.#bytes.length) return sequence;
      sequence.push(entry);
      at = (at + entryLength) % this.#bytes.length;
    }
  }

  #entryAt(at: number): LogEntry | undefined {
    if (this.#entries.has(at)) return this.#entries.get(at);
    const entry = this.#validate(at);
    this.#entries.set(at, entry);
    return entry;
  }

  #validate(at: number): LogEntry | undefined {
    const bytes = this.#bytes;
    const fields = LOG_ENTRY.read(bytes, at);
    const { signature, entryLength: length, sequenceNumber, descriptorCount: count } = fields;
    if (signature !== SIGNATURES.logEntry || sequenceNumber === 0n) return undefined;
    if (length === 0 || length > bytes.length || length % LOG_SECTOR !== 0) return undefined;
    if (fields.tail % LOG_SECTOR !== 0) return undefined;
    if (guidText(bytes, at + LOG_GUID_AT) !== this.#guid) return undefined;
    if (descriptorSectors(count) * LOG_SECTOR > length) return undefined;
    this.#left -= length;
    if (this.#left < 0) {
      const details = { what: 'entries of the log', value: String(bytes.length) };
      throw new ImageError('too-large', { ...details, limit: LONGEST_LOG });
    }
    const entry = this.#part(at, length);
    if (!hasDescriptors(entry, fields)) {
      this.#isTorn = true;
      return undefined;
    }
    return isSealed(entry) && hasData(entry, fields) ? { at, fields } : undefined;
  }

  /** A part of the ring; in one piece, which is a copy where it goes over the end. */
  #part(at: number, length: number): Uint8Array {
    const bytes = this.#bytes;
    if (at + length <= bytes.length) return bytes.subarray(at, at + length);
    const part = new Uint8Array(length);
    const first = bytes.subarray(at);
    part.set(first);
    part.set(bytes.subarray(0, length - first.length), first.length);
    return part;
  }
}

/** Sectors that the head of an entry and its descriptors take. */
export function descriptorSectors(count: number): number {
  return divideRoundUp(LOG_ENTRY_BYTES + count * LOG_DESCRIPTOR_BYTES, LOG_SECTOR);
}

function descriptorAt(index: number): number {
  return LOG_ENTRY_BYTES + index * LOG_DESCRIPTOR_BYTES;
}

/** Whether all descriptors of an entry belong to it and make sense. */
function hasDescriptors(
  entry: Uint8Array,
  { descriptorCount, sequenceNumber }: LogEntry['fields'],
): boolean {
  for (let index = 0; index < descriptorCount; index++) {
    const descriptor = LOG_DESCRIPTOR.read(entry, descriptorAt(index));
    if (descriptor.sequenceNumber !== sequenceNumber) return false;
    if (descriptor.fileOffset % LOG_SECTOR !== 0) return false;
    const isZero = descriptor.signature === SIGNATURES.zeroDescriptor;
    if (!isZero && descriptor.signature !== SIGNATURES.dataDescriptor) return false;
    if (isZero && descriptor.leadingBytes % BigInt(LOG_SECTOR) !== 0n) return false;
  }
  return true;
}

/** Whether the sectors with the new content are those of the entry. */
function hasData(entry: Uint8Array, { descriptorCount, sequenceNumber }: LogEntry['fields']) {
  const view = new DataView(entry.buffer, entry.byteOffset, entry.byteLength);
  const high = Number(sequenceNumber >> 32n);
  const low = Number(sequenceNumber & 0xffffffffn);
  let dataAt = descriptorSectors(descriptorCount) * LOG_SECTOR;
  for (let index = 0; index < descriptorCount; index++) {
    if (view.getUint32(descriptorAt(index), true) === SIGNATURES.zeroDescriptor) continue;
    if (dataAt + LOG_SECTOR > entry.length) return false;
    if (view.getUint32(dataAt, true) !== SIGNATURES.dataSector) return false;
    if (view.getUint32(dataAt + 4, true) !== high) return false;
    if (view.getUint32(dataAt + LOG_SECTOR - 4, true) !== low) return false;
    dataAt += LOG_SECTOR;
  }
  return true;
}
