/**
 * Mending persistent bitmaps. A part of a bitmap that is lost counts as changed: an incremental
 * backup then copies more than it must, and misses nothing. Specification: «Bitmaps».
 */
import { alignUp, divideRoundUp, isAligned } from '../../../binary/units.ts';
import { readPadded } from '../../../storage/storage.ts';
import type { Bitmap } from '../bitmaps.ts';
import { wordsToBytes } from '../edit/words.ts';
import { BITMAP_ENTRY } from '../layout.ts';
import { entryOffset } from '../tables.ts';
import type { RepairJob } from './job.ts';

/** Table entries that are looked at together. */
const ENTRIES = 64 * 1024;

/** Bits of an entry that must be zero, the high word's and the low word's. */
const RESERVED_HIGH = 0xff000000;

/** Tables that are made anew: entries at most. */
const MOST_NEW = 2 ** 20;
/** A table entry for a part of which every bit is set. */
const ALL_SET = 1;

/** Mends the tables of the bitmaps; one that is not in the file is made anew. */
export async function mendBitmaps(job: RepairJob): Promise<void> {
  const { image, log, storage, clusterSize, fileSize } = job;
  if (image.header.bitmaps === undefined) return;
  let entryAt = image.header.bitmaps.directoryOffset;
  for (const bitmap of image.bitmaps) {
    const place = entryAt;
    const fixed = BITMAP_ENTRY.read(await readPadded(storage, place, BITMAP_ENTRY.size));
    entryAt += alignUp(BITMAP_ENTRY.size + fixed.nameSize + fixed.extraDataSize, 8);
    if (bitmap.tableOffset + bitmap.tableSize * 8 - fileSize >= clusterSize) {
      await replaceTable(job, bitmap, place);
      continue;
    }
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

/** A table behind the end of the file reads as «nothing has changed», which nobody knows. */
async function replaceTable(job: RepairJob, bitmap: Bitmap, entryAt: number): Promise<void> {
  const { log, storage, clusterSize } = job;
  if (bitmap.tableSize > MOST_NEW) {
    log.refuse('too-many-copies', { values: { name: bitmap.name } });
    return;
  }
  const host = { offset: bitmap.tableOffset, length: bitmap.tableSize * 8 };
  const values = { name: bitmap.name, index: 'all' };
  if (!log.add({ kind: 'bitmap-entry-dirty', class: 'guess', host, values })) return;
  job.doubt = true;
  const words = new Uint32Array(bitmap.tableSize * 2);
  for (let at = 1; at < words.length; at += 2) words[at] = ALL_SET;
  const offset = job.allocate(divideRoundUp(bitmap.tableSize * 8, clusterSize));
  await storage.write(offset, wordsToBytes(words));
  const pointer = new Uint8Array(8);
  BITMAP_ENTRY.fields.tableOffset.write(new DataView(pointer.buffer), 0, offset);
  await storage.write(entryAt, pointer);
}

function isSound(high: number, low: number, clusterSize: number, fileSize: number): boolean {
  const offset = entryOffset(high, low);
  const reserved = (high & RESERVED_HIGH) !== 0 || (low & (offset === 0 ? 0x1fe : 0x1ff)) !== 0;
  return !reserved && isAligned(offset, clusterSize) && offset < fileSize;
}
