/** A medium of which some sectors cannot be read. */
import { ImageError, MemoryStorage } from '../../src/engine/index.ts';

const SECTOR = 512;

/** A file in memory; a read that touches a bad sector fails as a whole, as on a real medium. */
export class DamagedMedium extends MemoryStorage {
  /** Numbers of sectors. */
  bad: ReadonlySet<number> = new Set();
  /** How many reads there were, and how many of them failed. */
  reads = 0;
  failures = 0;

  override async read(offset: number, target: Uint8Array): Promise<number> {
    this.reads++;
    const { name } = this;
    if (this.hits(offset, Math.min(target.length, this.size - offset))) {
      this.failures++;
      // What a failed read leaves behind is anything.
      target.fill(0xee);
      const reason = 'Input/output error';
      throw new ImageError('read-failed', { name, offset, length: target.length, reason });
    }
    return super.read(offset, target);
  }

  /** Whether a bad sector is among these bytes. */
  hits(offset: number, length: number): boolean {
    const end = Math.ceil((offset + length) / SECTOR);
    for (let sector = Math.floor(offset / SECTOR); sector < end; sector++) {
      if (this.bad.has(sector)) return true;
    }
    return false;
  }
}
