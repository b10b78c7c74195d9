/** The tables of a compacted image. */
import { alignUp, divideRoundUp } from '../binary/units.ts';
import { readBitmapTable } from '../formats/qcow2/check/walk.ts';
import { RefcountBlockEditor } from '../formats/qcow2/edit/refcount-block.ts';
import { BITMAP_ENTRY, SNAPSHOT_ENTRY } from '../formats/qcow2/layout.ts';
import { compressedOffset } from '../formats/qcow2/mapping.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, readTable } from '../formats/qcow2/tables.ts';
import { encodeTable, entryHigh, entryLow } from '../formats/tables.ts';
import { ReadWindow } from '../storage/window.ts';
import type { CompactPlan, KeptTree } from './compact-plan.ts';
import type { SequentialWriter } from './compact-writer.ts';

/** Refcount table and blocks. */
export async function writeRefcounts(plan: CompactPlan, writer: SequentialWriter): Promise<void> {
  const { layout } = plan;
  const { clusterSize, header } = plan.image;
  const table = new Uint32Array(layout.blockCount * 2);
  for (let block = 0; block < layout.blockCount; block++) {
    const offset = (layout.refcountBlocks + block) * clusterSize;
    table[block * 2] = entryHigh(offset);
    table[block * 2 + 1] = entryLow(offset);
  }
  await writer.append(encodeTable(table));
  await writer.padTo(layout.refcountBlocks * clusterSize);
  const entries = (clusterSize * 8) / header.refcountBits;
  for (let block = 0; block < layout.blockCount; block++) {
    const editor = new RefcountBlockEditor(0, new Uint8Array(clusterSize), header.refcountBits);
    const first = block * entries;
    const count = Math.min(entries, layout.clusters - first);
    for (let index = 0; index < count; index++) editor.set(index, refcount(plan, first + index));
    await writer.append(editor.bytes);
    await plan.breathe();
  }
}

/** How often a cluster of the new file is referred to. */
function refcount({ layout, tables, plain, packedCounts }: CompactPlan, cluster: number): number {
  if (cluster >= layout.packed) return packedCounts[cluster - layout.packed] ?? 0;
  if (cluster >= layout.plain) return plain.countOf(cluster - layout.plain);
  const isTable = cluster >= layout.l2 && cluster < layout.l2 + tables.length;
  return isTable ? tables.countOf(cluster - layout.l2) : 1;
}

/** The active L1 table, or that of a snapshot. */
export async function writeL1(
  plan: CompactPlan,
  writer: SequentialWriter,
  { l1TableOffset, l1Size }: KeptTree,
  active: boolean,
): Promise<void> {
  const { layout, tables, image } = plan;
  const { clusterSize, storage } = image;
  const l1 = await readTable(storage, l1TableOffset, l1Size);
  for (let at = 0; at < l1.length; at += 2) {
    const offset = entryOffset(l1[at] as number, l1[at + 1] as number);
    const number = tables.numberOf(offset / clusterSize);
    const place = offset === 0 ? 0 : (layout.l2 + number) * clusterSize;
    const copied = offset !== 0 && active && tables.countOf(number) === 1;
    l1[at] = entryHigh(place) + (copied ? COPIED_HIGH : 0);
    l1[at + 1] = entryLow(place);
  }
  await writer.append(encodeTable(l1));
  await plan.breathe();
}

/** All L2 tables, each once. */
export async function writeL2Tables(plan: CompactPlan, writer: SequentialWriter): Promise<void> {
  await plan.walk(async ({ index }, bytes) => {
    await writer.append(movedTable(plan, bytes, index < plan.activeTables));
  });
}

/** An L2 table with the new places. Only in the active one, flags say what is referred to once. */
function movedTable(plan: CompactPlan, bytes: Uint8Array, active: boolean): Uint8Array {
  const { extendedL2, clusterSize } = plan.image.header;
  const moved = new Uint8Array(bytes);
  const view = new DataView(moved.buffer);
  const step = extendedL2 ? 16 : 8;
  const first = plan.layout.plain * clusterSize;
  for (let at = 0; at < moved.length; at += step) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if ((high | low) === 0) continue;
    const kind = plan.kindOf(high, low, step === 16 ? view.getUint32(at + 12) : 0);
    // Bit 0 is the zero flag, or is not in use.
    let newHigh = 0;
    let newLow = low & 1;
    if (kind === 'packed') [newHigh, newLow] = movedStream(plan, high, low);
    else if (kind === 'plain') {
      const number = plan.plain.numberOf(entryOffset(high, low) / clusterSize);
      const place = first + number * clusterSize;
      const copied = active && plan.plain.countOf(number) === 1;
      newHigh = entryHigh(place) + (copied ? COPIED_HIGH : 0);
      newLow = (entryLow(place) | newLow) >>> 0;
    }
    view.setUint32(at, newHigh);
    view.setUint32(at + 4, newLow);
  }
  return moved;
}

/** «Compressed Clusters Descriptor» of a stream at its new place. */
function movedStream(
  { packing, streams, streamPlaces, layout, image }: CompactPlan,
  high: number,
  low: number,
): [high: number, low: number] {
  const stream = streams.indexOf(compressedOffset(packing, high, low));
  const place = layout.packed * image.clusterSize + (streamPlaces[stream] as number);
  const sectors = divideRoundUp((place % 512) + streams.length(stream), 512) - 1;
  const count = sectors * 2 ** packing.sectorShift;
  return [COMPRESSED_HIGH + count + entryHigh(place), entryLow(place)];
}

/** The list of snapshots, entry by entry as it was. */
export async function writeSnapshotTable(
  plan: CompactPlan,
  writer: SequentialWriter,
): Promise<void> {
  const { image, layout } = plan;
  const { clusterSize, header } = image;
  const table = new ReadWindow(image.storage, header.snapshotsOffset);
  const start = layout.snapshotTable * clusterSize;
  let at = 0;
  for (const [index, { l1Size }] of image.snapshots.entries()) {
    at = alignUp(at, 8);
    const fixed = SNAPSHOT_ENTRY.read(await table.read(at, SNAPSHOT_ENTRY.size));
    const size = SNAPSHOT_ENTRY.size + fixed.extraDataSize + fixed.idSize + fixed.nameSize;
    const entry = new Uint8Array(await table.read(at, size));
    const l1 = (layout.snapshotL1s[index] ?? 0) * clusterSize;
    SNAPSHOT_ENTRY.fields.l1TableOffset.write(new DataView(entry.buffer), 0, l1Size === 0 ? 0 : l1);
    await writer.padTo(start + at);
    await writer.append(entry);
    at += size;
  }
}

/** The directory of bitmaps, entry by entry as it was. */
export async function writeBitmapDirectory(
  plan: CompactPlan,
  writer: SequentialWriter,
): Promise<void> {
  const { layout, image } = plan;
  const { bitmaps } = image.header;
  if (bitmaps === undefined) return;
  const directory = new ReadWindow(image.storage, bitmaps.directoryOffset);
  let at = 0;
  for (const table of layout.bitmapTables) {
    const fixed = BITMAP_ENTRY.read(await directory.read(at, BITMAP_ENTRY.size));
    const size = alignUp(BITMAP_ENTRY.size + fixed.nameSize + fixed.extraDataSize, 8);
    const entry = new Uint8Array(await directory.read(at, size));
    const place = table * image.clusterSize;
    BITMAP_ENTRY.fields.tableOffset.write(new DataView(entry.buffer), 0, place);
    await writer.append(entry);
    at += size;
  }
}

/** Tables of bitmaps; each cluster has one place, in this order. */
export async function writeBitmapTables(
  plan: CompactPlan,
  writer: SequentialWriter,
): Promise<void> {
  const { layout, image } = plan;
  const { clusterSize } = image;
  const context = { image, passed: () => plan.breathe() };
  let next = layout.bitmapClusters;
  for (const [index, start] of layout.bitmapTables.entries()) {
    await writer.padTo(start * clusterSize);
    const bitmap = image.bitmaps[index];
    if (bitmap === undefined) continue;
    for await (const table of readBitmapTable(context, bitmap)) {
      for (let at = 0; at < table.length; at += 2) {
        if (entryOffset(table[at] as number, table[at + 1] as number) === 0) continue;
        const place = next * clusterSize;
        table[at] = entryHigh(place);
        table[at + 1] = entryLow(place);
        next += 1;
      }
      await writer.append(encodeTable(table));
    }
  }
}
