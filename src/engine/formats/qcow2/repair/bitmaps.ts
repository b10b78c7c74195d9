/**
 * Mending persistent bitmaps. A part of a bitmap that is lost counts as changed: an incremental
 * backup then copies more than it must, and misses nothing. Specification: «Bitmaps».
 */
import { isAligned } from '../../../binary/units.ts';
import { readPadded } from '../../../storage/storage.ts';
import { entryOffset } from '../tables.ts';
import type { RepairJob } from './job.ts';

/** Table entries that are looked at together. */
const ENTRIES = 64 * 1024;

/** Bits of an entry that must be zero, the high word's and the low word's. */
const RESERVED_HIGH = 0xff000000;

/** Mends the tables of the bitmaps: what their entries say, not where they are. */
export async function mendBitmaps(job: RepairJob): Promise<void> {
  const { image, log, storage, clusterSize, fileSize } = job;
  if (image.header.bitmaps === undefined) return;
  for (const bitmap of image.bitmaps) {
    const inFile = Math.max(
      0,
      Math.min(bitmap.tableSize, Math.floor((fileSize - bitmap.tableOffset) / 8)),
    );
    for (let first = 0; first < inFile; first += ENTRIES) {
      const count = Math.min(ENTRIES, inFile - first);
      const at = bitmap.tableOffset + first * 8;
      const bytes = await readPadded(storage, at, count * 8);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let changed = false;
      for (let i = 0; i < count; i++) {
        if (isSound(view.getUint32(i * 8), view.getUint32(i * 8 + 4), clusterSize, fileSize))
          continue;
        const values = { name: bitmap.name, index: first + i };
        const host = { offset: at + i * 8, length: 8 };
        if (!log.add({ kind: 'bitmap-entry-dirty', class: 'guess', host, values })) continue;
        job.doubt = true;
        view.setUint32(i * 8, 0);
        view.setUint32(i * 8 + 4, 1);
        changed = true;
      }
      if (changed) await storage.write(at, bytes);
      await job.breathe();
    }
  }
}

function isSound(high: number, low: number, clusterSize: number, fileSize: number): boolean {
  const offset = entryOffset(high, low);
  const reserved = (high & RESERVED_HIGH) !== 0 || (low & (offset === 0 ? 0x1fe : 0x1ff)) !== 0;
  return !reserved && isAligned(offset, clusterSize) && offset < fileSize;
}
