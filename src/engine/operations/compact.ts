/**
 * Compacting: a qcow2 image rewritten in guest order into a new file. Table by table, so that nothing
 * of its nature changes: the header with all extensions, snapshots with ids, dates and the state of
 * machines, bitmaps, zero flags, packed clusters as they are packed. What nothing refers to is left
 * behind.
 */
import { ImageError } from '../errors.ts';
import { checkQcow2 } from '../formats/qcow2/check/index.ts';
import { compactedHeader } from '../formats/qcow2/compact-header.ts';
import type { Qcow2Image } from '../formats/qcow2/image.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { writeBitmapClusters, writePacked, writePlain } from './compact-content.ts';
import { CompactPlan, type CompactOptions } from './compact-plan.ts';
import {
  writeBitmapDirectory,
  writeBitmapTables,
  writeL1,
  writeL2Tables,
  writeRefcounts,
  writeSnapshotTable,
} from './compact-tables.ts';
import { SequentialWriter } from './compact-writer.ts';

export type { CompactOptions };

/** What a compaction makes of an image. Bytes. */
export interface CompactReport {
  /** The file as it is. */
  sourceSize: number;
  /** The new file, exactly. */
  size: number;
  /** Plain content, in whole clusters. */
  plain: number;
  /** Packed content. */
  packed: number;
  /** Clusters of zeros that give up their room. */
  zeroRoom: number;
  /** How many snapshots there are in the new file. */
  snapshots: number;
  /** Bitmaps that another program has made untrue are left out, as every writer does. */
  bitmapsDropped: boolean;
}

/**
 * What would be there. Checks the image and reads its tables; writes nothing.
 * @throws ImageError unsupported-feature (an external data file; locked by LUKS), image-corrupt,
 * image-damaged (repair it first; what is merely leaked does not matter), too-large, cancelled and
 * those of reading
 */
export async function planCompact(
  image: Qcow2Image,
  options: CompactOptions = {},
): Promise<CompactReport> {
  await refuse(image, options);
  return reportOf(await CompactPlan.make(image, options));
}

/**
 * Writes the image anew into `target`, an empty file, from front to back but for the header, which
 * comes last: a file that was not finished is no image.
 * @param source unlocked, if LUKS encrypts it: it is encrypted anew, with the same key
 * @throws ImageError as {@link planCompact} before anything is written, and those of writing
 */
export async function compactQcow2(
  source: Qcow2Image,
  target: Storage,
  options: CompactOptions = {},
): Promise<CompactReport> {
  await refuse(source, options);
  const plan = await CompactPlan.make(source, options);
  const { layout, image } = plan;
  const { clusterSize, header } = image;
  const writer = new SequentialWriter(target, clusterSize, async (position) => {
    options.progress?.({ stage: 'copying', done: position, total: layout.fileSize });
    await plan.breathe();
  });
  const goTo = (cluster: number) => writer.padTo(cluster * clusterSize);
  await copyLuks(plan, writer);
  await goTo(layout.refcountTable);
  await writeRefcounts(plan, writer);
  const [active, ...snapshots] = plan.trees;
  if (active !== undefined) await writeL1(plan, writer, active, true);
  if (plan.tables.length > 0) await goTo(layout.l2);
  await writeL2Tables(plan, writer);
  if (snapshots.length > 0) {
    await goTo(layout.snapshotTable);
    await writeSnapshotTable(plan, writer);
    for (const [index, tree] of snapshots.entries()) {
      if (tree.l1Size > 0) await goTo(layout.snapshotL1s[index] ?? 0);
      await writeL1(plan, writer, tree, false);
    }
  }
  if (header.bitmaps !== undefined) {
    await goTo(layout.bitmapDirectory);
    await writeBitmapDirectory(plan, writer);
    await writeBitmapTables(plan, writer);
    if (plan.bitmapClusters > 0) await goTo(layout.bitmapClusters);
    await writeBitmapClusters(plan, writer);
  }
  if (plan.plain.length > 0) await goTo(layout.plain);
  await writePlain(plan, writer);
  await writePacked(plan, writer);
  await writer.finish(layout.fileSize);
  await target.flush();
  await image.storage.checkUnchanged?.();
  const first = await readPadded(image.storage, 0, clusterSize);
  await target.write(0, compactedHeader(first, header, layout, snapshots.length));
  await target.flush();
  return reportOf(plan);
}

function reportOf({ image, layout, plain, streams, zeroRoom, trees }: CompactPlan): CompactReport {
  const { clusterSize, storage, header } = image;
  return {
    sourceSize: storage.size,
    size: layout.fileSize,
    plain: plain.length * clusterSize,
    packed: streams.totals().bytes,
    zeroRoom: zeroRoom * clusterSize,
    snapshots: trees.length - 1,
    bitmapsDropped: header.bitmapsInconsistent,
  };
}

async function refuse(image: Qcow2Image, { signal, progress }: CompactOptions): Promise<void> {
  const { header, storage } = image;
  const { name } = storage;
  if (header.hasDataFile) {
    const message = 'The content is in an external data file: there is nothing to compact';
    throw new ImageError('unsupported-feature', {
      feature: 'compacting an image with an external data file',
      message,
    });
  }
  if (image.encryption === 'luks' && image.cipher === undefined) {
    const message = 'LUKS encrypts by the place in the file: compacting takes the passphrase';
    throw new ImageError('unsupported-feature', {
      feature: 'compacting an image that is locked',
      message,
    });
  }
  if (header.corrupt) throw new ImageError('image-corrupt', { name });
  const report = await checkQcow2(image, { signal, progress, limit: 0 });
  // Entries that no reader of version 2 takes: qemu-img's check does not count them.
  const unreadable = report.findingCounts['zero-in-v2'] ?? 0;
  const corruptions = report.corruptions + report.checkErrors + unreadable;
  if (corruptions > 0 || report.aborted !== undefined) {
    throw new ImageError('image-damaged', { name, corruptions: Math.max(1, corruptions) });
  }
}

/** The LUKS header as it is: its own places count from its beginning. */
async function copyLuks({ image, layout }: CompactPlan, writer: SequentialWriter): Promise<void> {
  const { luks, clusterSize } = image.header;
  if (luks === undefined) return;
  await writer.padTo(layout.luks * clusterSize);
  const piece = 1024 * 1024;
  for (let at = 0; at < luks.length; at += piece) {
    const length = Math.min(piece, luks.length - at);
    await writer.append(await readPadded(image.storage, luks.offset + at, length));
  }
}
