/** COPIED flags of the active tables: each must say whether the refcount of its cluster is one. */
import { hex64 } from '../../../binary/units.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW } from '../tables.ts';
import type { RefcountBlocks } from './blocks.ts';
import type { CheckContext } from './context.ts';
import { walkL2, type L2Visit } from './walk.ts';

/**
 * Reports the wrong flags. Only the tables in `suspects` are read again: the first walk has seen
 * that something is wrong there, but qemu-img reports it last.
 */
export async function checkCopied(
  context: CheckContext,
  blocks: RefcountBlocks,
  suspects: Uint8Array,
): Promise<void> {
  if (!suspects.includes(1)) return;
  for await (const batch of walkL2(context.image, context.image.l1, suspects)) {
    for (const visit of batch) {
      await checkTable(context, blocks, visit);
    }
    await context.passed(0);
  }
}

async function checkTable(
  context: CheckContext,
  blocks: RefcountBlocks,
  visit: L2Visit,
): Promise<void> {
  const { image, clusterSize } = context;
  const { header } = image;
  const { index, high, low, offset } = visit;
  if (offset === 0) return;
  const cluster = Math.floor(offset / clusterSize);
  if (!blocks.isPrepared(cluster)) await blocks.prepare(cluster);
  const refcount = blocks.get(cluster);
  if (refcount === undefined) return;
  const base = index * header.l2Coverage;
  if ((refcount === 1) !== ((high & COPIED_HIGH) !== 0)) {
    context.note('copied-l1', 'corruption', () => ({
      host: { offset, length: clusterSize },
      guest: { offset: base, length: header.l2Coverage },
      values: { index, entry: hex64(high, low), refcount: blocks.exact(cluster) },
      repair: 'safe',
    }));
  }
  if (visit.bytes !== undefined) await checkEntries(context, blocks, visit.bytes, base);
}

async function checkEntries(
  context: CheckContext,
  blocks: RefcountBlocks,
  bytes: Uint8Array,
  base: number,
): Promise<void> {
  const { image, clusterSize } = context;
  const { header } = image;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = header.extendedL2 ? 16 : 8;
  for (let at = 0; at < bytes.length; at += step) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if ((high & COMPRESSED_HIGH) !== 0) continue;
    const offset = entryOffset(high, low);
    const copied = (high & COPIED_HIGH) !== 0;
    const zero = (low & ZERO_LOW) !== 0 && !header.extendedL2;
    if (offset === 0 && !(header.hasDataFile && copied && !zero)) continue;
    const cluster = Math.floor(offset / clusterSize);
    if (!header.hasDataFile && !blocks.isPrepared(cluster)) await blocks.prepare(cluster);
    const refcount = header.hasDataFile ? 1 : blocks.get(cluster);
    if (refcount === undefined || (refcount === 1) === copied) continue;
    const exact = header.hasDataFile ? 1 : blocks.exact(cluster);
    context.note('copied-l2', 'corruption', () => ({
      host: { offset, length: clusterSize },
      guest: { offset: base + (at / step) * clusterSize, length: clusterSize },
      values: { entry: hex64(high, low), refcount: exact },
      repair: 'safe',
    }));
  }
}
