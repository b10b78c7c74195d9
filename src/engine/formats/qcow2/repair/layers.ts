/** L1 tables: what their entries become, and a place of their own where they have none. */
import { divideRoundUp } from '../../../binary/units.ts';
import { wordsToBytes } from '../edit/words.ts';
import type { Table } from '../tables.ts';
import type { Layer, RepairJob } from './job.ts';
import type { Rewriter } from './rewrite.ts';

/** Mends a layer and writes its L1 table where that has changed. */
export async function mendLayer(job: RepairJob, rewriter: Rewriter, layer: Layer): Promise<void> {
  const mended = await rewriter.mend(layer);
  if (layer.moves) {
    await moveL1(job, layer, mended ?? (await job.readL1(layer)));
  } else if (mended !== undefined) {
    await job.storage.write(layer.offset, wordsToBytes(mended));
  }
}

/** Puts an L1 table behind everything else, no longer than it has to be. */
async function moveL1(job: RepairJob, layer: Layer, words: Table): Promise<void> {
  const { log, fileSize, clusterSize, snapshots } = job;
  const size = lengthOf(job, layer, words);
  const isOutside = layer.offset >= fileSize;
  const host = { offset: layer.offset, length: layer.size * 8 };
  const kind = isOutside && layer.index >= 0 ? 'snapshot-l1-emptied' : 'move-l1';
  const values = { from: layer.size, to: size };
  if (!log.add({ kind, class: 'guess', host, snapshot: layer.name, values })) return;
  const offset = job.allocate(Math.max(1, divideRoundUp(size * 8, clusterSize)));
  const bytes = new Uint8Array(Math.max(8, size * 8));
  bytes.set(wordsToBytes(words.slice(0, size * 2)));
  await job.storage.write(offset, bytes);
  layer.offset = offset;
  layer.size = size;
  if (layer.index < 0) {
    await job.patchHeader({ l1TableOffset: offset, l1Size: size });
    return;
  }
  const entry = snapshots.entries[layer.index];
  if (entry === undefined) return;
  entry.fixed.l1TableOffset = offset;
  entry.fixed.l1Size = size;
  snapshots.changed = true;
}

/** Entries that are needed: for the disk, and for everything that is in the table. */
function lengthOf({ image }: RepairJob, layer: Layer, words: Table): number {
  let last = words.length - 1;
  while (last >= 0 && words[last] === 0) last--;
  const used = Math.floor(last / 2) + 1;
  const disk = divideRoundUp(image.size, image.header.l2Coverage);
  return Math.min(layer.size, Math.max(used, disk));
}
