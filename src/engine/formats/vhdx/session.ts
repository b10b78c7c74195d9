/**
 * Changing the headers of an image while it is written. [MS-VHDX] section 2.2.2.1. QEMU updates both
 * for each change of a table; here that is counted and done once, at the end.
 */
import type { Storage } from '../../storage/storage.ts';
import { HEADER, HEADER_AT, HEADER_BYTES, newGuid, seal } from './layout.ts';
import type { Headers } from './headers.ts';

export class HeaderSession {
  readonly #storage: Storage;
  /** The current header and the other one, in the file. */
  readonly #places: readonly [current: number, other: number];
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** A new one for each time that a file is opened for writing. */
  readonly #fileWriteGuid = newGuid();
  /** Updates of both headers that were not written yet. */
  #updates = 0;
  #sequenceNumber: bigint;
  #isVisible = false;

  constructor(storage: Storage, { current, otherAt }: Pick<Headers, 'current' | 'otherAt'>) {
    this.#storage = storage;
    this.#places = [current.at, otherAt];
    this.#bytes = current.bytes.slice(0, HEADER_BYTES);
    this.#sequenceNumber = current.fields.sequenceNumber;
  }

  /** Something is going to change that the guest can see. */
  noteContent(): void {
    if (this.#isVisible) return;
    this.#isVisible = true;
    this.#bytes.set(newGuid(), HEADER_AT.dataWriteGuid);
    this.#updates++;
  }

  /** The log was begun, and emptied once its changes were in their places. */
  noteLog(): void {
    this.noteContent();
    this.noteEmptyLog();
    this.#updates++;
  }

  /** The log was emptied. */
  noteEmptyLog(): void {
    this.noteContent();
    this.#bytes.fill(0, HEADER_AT.logGuid, HEADER_AT.logGuid + 16);
    this.#updates++;
  }

  /** Both headers are to be written although nothing has changed: one of them is damaged. */
  noteRepair(): void {
    this.#updates++;
  }

  /** Writes what was noted. */
  async flush(): Promise<void> {
    if (this.#updates === 0) return;
    this.#sequenceNumber += BigInt(2 * this.#updates);
    this.#updates = 0;
    this.#bytes.set(this.#fileWriteGuid, HEADER_AT.fileWriteGuid);
    const [currentAt, otherAt] = this.#places;
    await this.#write(otherAt, this.#sequenceNumber - 1n);
    await this.#write(currentAt, this.#sequenceNumber);
  }

  async #write(at: number, sequenceNumber: bigint): Promise<void> {
    const bytes = this.#bytes;
    HEADER.write(bytes, {
      ...HEADER.read(bytes),
      sequenceNumber: BigInt.asUintN(64, sequenceNumber),
    });
    seal(bytes);
    await this.#storage.write(at, bytes);
  }
}
