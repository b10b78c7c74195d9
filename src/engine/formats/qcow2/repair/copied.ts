/** COPIED flags of the active tables: each says whether the refcount of its cluster is one. */
import { hex64, isAligned } from '../../../binary/units.ts';
import { walkL2 } from '../check/walk.ts';
import { wordsToBytes } from '../edit/words.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW } from '../tables.ts';
import type { RepairJob } from './job.ts';
import type { FinalRefcounts } from './refcounts.ts';

/** Puts the wrong ones right. */
export async function mendCopied(job: RepairJob, final: FinalRefcounts): Promise<void> {
  const { image, ones } = final;
  const { clusterSize, log, storage } = job;
  const { header } = image;
  const l1 = image.l1.slice();
  let changed = false;
  for await (const batch of walkL2(image, image.l1)) {
    for (const { index, high, low, offset, bytes } of batch) {
      if (offset === 0) continue;
      const cluster = Math.floor(offset / clusterSize);
      const wanted = ones.has(cluster);
      const guest = { offset: index * header.l2Coverage, length: header.l2Coverage };
      const host = { offset, length: clusterSize };
      if (cluster < job.end && wanted !== high >= COPIED_HIGH) {
        const values = { index, entry: hex64(high, low), refcount: final.refcount(cluster) };
        if (log.add({ kind: 'copied-l1', class: 'safe', host, guest, values })) {
          l1[index * 2] = withFlag(high, wanted);
          changed = true;
        }
      }
      // A table between clusters overlaps others: nothing is written there.
      if (bytes === undefined || !isAligned(offset, clusterSize)) continue;
      const mended = mendTable(job, final, bytes, guest.offset);
      if (mended !== undefined) await storage.write(offset, mended);
    }
    await job.breathe();
  }
  if (changed) await storage.write(header.l1TableOffset, wordsToBytes(l1));
}

function withFlag(high: number, copied: boolean): number {
  return (copied ? high | COPIED_HIGH : high & ~COPIED_HIGH) >>> 0;
}

/** The table with its flags right; undefined where they are. */
function mendTable(
  job: RepairJob,
  { image, ones, refcount }: FinalRefcounts,
  source: Uint8Array,
  base: number,
): Uint8Array<ArrayBuffer> | undefined {
  const { clusterSize, log } = job;
  const { header } = image;
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const step = header.extendedL2 ? 16 : 8;
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  for (let at = 0; at < source.length; at += step) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if ((high | low) === 0 || (high & COMPRESSED_HIGH) !== 0) continue;
    const offset = entryOffset(high, low);
    const copied = high >= COPIED_HIGH;
    const zero = (low & ZERO_LOW) !== 0 && !header.extendedL2;
    if (offset === 0 && !(header.hasDataFile && copied && !zero)) continue;
    const cluster = Math.floor(offset / clusterSize);
    if (!header.hasDataFile && cluster >= job.end) continue;
    const wanted = header.hasDataFile || ones.has(cluster);
    if (wanted === copied) continue;
    const host = { offset, length: clusterSize };
    const guest = { offset: base + (at / step) * clusterSize, length: clusterSize };
    const values = {
      entry: hex64(high, low),
      refcount: header.hasDataFile ? 1 : refcount(cluster),
    };
    if (!log.add({ kind: 'copied-l2', class: 'safe', host, guest, values })) continue;
    bytes ??= new Uint8Array(source);
    new DataView(bytes.buffer).setUint32(at, withFlag(high, wanted));
  }
  return bytes;
}
