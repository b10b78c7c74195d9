/**
 * The complete check of a qcow2 image. It reads all metadata, counts every reference and compares;
 * it reads no guest data, so «no errors» does not promise that every cluster can be unpacked.
 */
import { hex64 } from '../../../binary/units.ts';
import type { ErrorDetails } from '../../../errors.ts';
import type { CheckOptions, CheckReport } from '../../../operations/check-report.ts';
import type { FindingKind } from '../../../operations/finding.ts';
import { LIMITS } from '../layout.ts';
import { missingAtEnd } from '../expected-end.ts';
import type { Qcow2Image } from '../image.ts';
import { entryOffset, type Table } from '../tables.ts';
import { RefcountBlocks } from './blocks.ts';
import { CheckContext } from './context.ts';
import { checkCopied } from './copied.ts';
import { addOwners } from './owners.ts';
import { ReferenceWalk } from './references.ts';
import { readBitmapTable } from './walk.ts';

/** QEMU counts clusters of a file as a 31-bit number. */
const MAX_CLUSTERS = 0x7fffffff;

/**
 * Checks an image that was opened in `check` mode.
 * @throws ImageError cancelled, too-large and those of reading
 */
export async function checkQcow2(image: Qcow2Image, options: CheckOptions): Promise<CheckReport> {
  const context = new CheckContext(image, options);
  const { report } = context;
  const aborted = checkSnapshotTable(context) ?? (await checkClusters(context));
  if (aborted !== undefined) report.aborted = aborted;
  await noteState(context);
  if (options.explain === true) await addOwners(context);
  doubtLeaks(report);
  return report;
}

/** Kinds of damage after which data may look leaked that is merely no longer pointed at. */
const LOST_POINTERS: readonly FindingKind[] = [
  'reference-outside',
  'l1-reserved-bits',
  'l2-reserved-bits',
  'l2-unaligned',
  'data-unaligned',
  'refcount-low',
  'snapshot-l1-unaligned',
  'snapshot-l1-too-large',
  'snapshot-table-invalid',
  'bitmap-invalid',
];

/** Freeing leaks is safe only while every pointer that could lead to them is sound. */
function doubtLeaks({ findings, findingCounts }: CheckReport): void {
  if (!LOST_POINTERS.some((kind) => findingCounts[kind] !== undefined)) return;
  for (const finding of findings) if (finding.kind === 'leak') finding.repair = 'guess';
}

type Fault = ErrorDetails['invalid-header'];

/** What the snapshot table itself says; the text of an errno where the check must end. */
function checkSnapshotTable(context: CheckContext): string | undefined {
  const { image } = context;
  const { snapshotError, header } = image;
  // Without its table, what snapshots use would look leaked.
  if (snapshotError !== undefined && snapshotError.code !== 'invalid-header') throw snapshotError;
  if (snapshotError !== undefined) {
    const { problem, message, field, value } = snapshotError.details as Fault;
    const overhang =
      field === 'snapshot table' ? Number(value) : header.snapshotCount - LIMITS.snapshots;
    context.note('snapshot-table-invalid', 'error', () => ({
      host: { offset: header.snapshotsOffset, length: image.clusterSize },
      values: { problem, message, overhang: Math.max(0, overhang) },
      repair: 'guess',
    }));
    return problem === 'snapshot-table-offset' ? 'Invalid argument' : 'File too large';
  }
  for (const [index, snapshot] of image.snapshots.entries()) {
    if (header.version < 3 || snapshot.extraDataSize >= 16) continue;
    context.note('snapshot-incomplete', 'corruption', () => ({
      host: { offset: header.snapshotsOffset, length: image.snapshotTable.size },
      values: { index, id: snapshot.id, name: snapshot.name },
      repair: 'safe',
    }));
  }
  return undefined;
}

async function checkClusters(context: CheckContext): Promise<string | undefined> {
  const { image, counts, report } = context;
  if (counts.clusters > MAX_CLUSTERS) {
    report.checkErrors += 1;
    return 'File too large';
  }
  const blocks = await RefcountBlocks.open(context);
  const walk = new ReferenceWalk(context, blocks);
  do {
    await blocks.enterWindow();
    await walk.run();
    const { luks } = image.header;
    if (luks !== undefined) context.reference(luks.offset, luks.length);
    const aborted = await countBitmaps(context);
    if (aborted !== undefined) return aborted;
    blocks.countOwn();
    await blocks.compare();
    context.repeats = true;
  } while (counts.next());
  context.repeats = false;
  await checkCopied(context, blocks, walk.suspects);
  return undefined;
}

/** «Bitmaps»: directory, tables and the clusters that these lead to. */
export async function countBitmaps(context: CheckContext): Promise<string | undefined> {
  const { image, clusterSize } = context;
  const { bitmaps } = image.header;
  if (bitmaps === undefined) return undefined;
  context.reference(bitmaps.directoryOffset, bitmaps.directorySize);
  for (const bitmap of image.bitmaps) {
    context.reference(bitmap.tableOffset, bitmap.tableSize * 8);
    // Nothing of a table is counted before all of it has been found sound.
    let bad: string | undefined;
    for await (const table of readBitmapTable(context, bitmap)) {
      bad ??= firstBadEntry(table, clusterSize);
    }
    if (bad !== undefined) {
      const entry = bad;
      context.note('bitmap-invalid', 'corruption', () => ({
        host: { offset: bitmap.tableOffset, length: bitmap.tableSize * 8 },
        values: { name: bitmap.name, entry },
        repair: 'none',
      }));
      return 'Invalid argument';
    }
    for await (const table of readBitmapTable(context, bitmap)) {
      for (let i = 0; i < table.length; i += 2) {
        const offset = entryOffset(table[i] as number, table[i + 1] as number);
        if (offset !== 0) context.reference(offset, clusterSize);
      }
    }
  }
  return undefined;
}

/** «Bitmap table»: reserved bits are zero, offsets are aligned. The first entry that is not so. */
function firstBadEntry(table: Table, clusterSize: number): string | undefined {
  for (let i = 0; i < table.length; i += 2) {
    const high = table[i] as number;
    const low = table[i + 1] as number;
    const offset = entryOffset(high, low);
    const reserved = (high & 0xff000000) !== 0 || (low & (offset === 0 ? 0x1fe : 0x1ff)) !== 0;
    if (reserved || offset % clusterSize !== 0) return hex64(high, low);
  }
  return undefined;
}

/** What qemu-img's check does not say, but a person should know. */
async function noteState(context: CheckContext): Promise<void> {
  const { image, fileSize: size } = context;
  const { header } = image;
  const missing = await missingAtEnd(image);
  if (missing > 0) {
    context.note('truncated', 'notice', () => ({
      host: { offset: size, length: missing },
      values: { end: size + missing, size, missing },
      repair: 'none',
    }));
  }
  const flags = { offset: 72, length: 8 };
  if (header.dirty) {
    context.note('dirty', 'notice', () => ({ host: flags, values: {}, repair: 'safe' }));
  }
  if (header.corrupt) {
    context.note('corrupt-bit', 'notice', () => ({ host: flags, values: {}, repair: 'guess' }));
  }
}
