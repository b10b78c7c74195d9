/**
 * A change of a file that is there: everything is written to an overlay, looked at, and only then
 * put into the file, or dropped.
 */
import { OverlayStorage, type Overlay } from './overlay.ts';
import type { Storage } from './storage.ts';

/** Bytes that are copied at once. */
const COPY_BYTES = 4 * 1024 * 1024;

export class Change {
  /** The new state: what it is made from stays untouched until {@link apply}. */
  readonly storage: Overlay;

  constructor(base: Storage) {
    this.storage = new OverlayStorage(base);
  }

  /** Puts the new state into the file. */
  async apply(): Promise<void> {
    const { storage } = this;
    const { base } = storage;
    if (storage.size !== base.size) await base.resize(storage.size);
    for (const { offset, length } of storage.changes()) {
      for (let done = 0; done < length; done += COPY_BYTES) {
        const bytes = new Uint8Array(Math.min(COPY_BYTES, length - done));
        await storage.read(offset + done, bytes);
        await base.write(offset + done, bytes);
      }
    }
    await base.flush();
  }
}
