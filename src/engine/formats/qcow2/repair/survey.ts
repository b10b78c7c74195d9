/** Finding out what uses each cluster, before anything is changed. */
import { divideRoundUp, isAligned } from '../../../binary/units.ts';
import { readBitmapTable, walkL2 } from '../check/walk.ts';
import { CheckContext } from '../check/context.ts';
import { entryOffset, OFFSET_HIGH } from '../tables.ts';
import { USE, type Use } from './clusters.ts';
import type { EntryJudge, EntryWords, Verdict } from './entries.ts';
import type { Layer, RepairJob } from './job.ts';

/** What the survey found out besides the uses of clusters. */
export interface Survey {
  /** Entries of L1 and L2 tables that say something wrong. */
  faults: number;
  /** Clusters that are used for unlike things. */
  conflicts: number;
  /** The snapshot table shares its place with something. */
  snapshotTableMoves: boolean;
}

/** Enters every use, in the order of the right to keep a cluster. */
export async function takeSurvey(job: RepairJob): Promise<Survey> {
  const survey: Survey = { faults: 0, conflicts: 0, snapshotTableMoves: false };
  claim(job, 0, job.clusterSize, USE.header);
  for (const layer of job.layers) if (layer.index < 0) claimL1(job, layer);
  const { luks } = job.image.header;
  if (luks !== undefined) claim(job, luks.offset, luks.length, USE.luks);
  for (const layer of job.layers) if (layer.index >= 0) claimL1(job, layer);
  const { snapshots } = job;
  if (snapshots.size > 0) {
    const { snapshotsOffset } = job.image.header;
    survey.snapshotTableMoves = claim(job, snapshotsOffset, snapshots.size, USE.snapshotTable);
  }
  await claimBitmaps(job);
  for (const layer of job.layers) await claimL2(job, layer, survey);
  for (const layer of job.layers) await surveyLayer(job, layer, survey);
  return survey;
}

/** Returns whether the range is not wholly its own, or not in the file. Bytes. */
function claim({ clusters, clusterSize }: RepairJob, offset: number, length: number, use: Use) {
  const first = Math.floor(offset / clusterSize);
  const last = Math.floor((offset + Math.max(1, length) - 1) / clusterSize);
  let shared = last >= clusters.clusters;
  for (let cluster = first; cluster <= last && cluster < clusters.clusters; cluster++) {
    if (clusters.add(cluster, use) !== USE.none) shared = true;
  }
  // A table that is cut short by less than a cluster may end behind the file.
  for (let cluster = clusters.clusters; cluster <= Math.min(last, first + 4096); cluster++) {
    clusters.addOutside(cluster);
  }
  return shared;
}

function claimL1(job: RepairJob, layer: Layer): void {
  if (layer.size === 0) return;
  const use = layer.index < 0 ? USE.l1 : USE.snapshotL1;
  const inFile = Math.max(0, Math.min(layer.size * 8, job.fileSize - layer.offset));
  if (inFile > 0 && claim(job, layer.offset, inFile, use)) layer.moves = true;
  if (layer.offset + layer.size * 8 > job.fileSize) noteOutside(job, layer.offset, layer.size * 8);
  // The last cluster may be cut short, as QEMU has it.
  const isOutside = layer.offset + layer.size * 8 - job.fileSize >= job.clusterSize;
  if (isOutside || layer.offset >= job.fileSize) layer.moves = true;
}

/** A bitmap's places are its own, or it is dropped or moved by whoever mends bitmaps. */
async function claimBitmaps(job: RepairJob): Promise<void> {
  const { image } = job;
  const { bitmaps } = image.header;
  if (bitmaps === undefined) return;
  claim(job, bitmaps.directoryOffset, bitmaps.directorySize, USE.bitmap);
  const context = new CheckContext(image, {});
  for (const bitmap of image.bitmaps) {
    if (bitmap.tableOffset >= job.fileSize) continue;
    const inFile = Math.min(bitmap.tableSize * 8, job.fileSize - bitmap.tableOffset);
    claim(job, bitmap.tableOffset, inFile, USE.bitmap);
    for await (const table of readBitmapTable(context, bitmap)) {
      for (let i = 0; i < table.length; i += 2) {
        const offset = entryOffset(table[i] as number, table[i + 1] as number);
        if (offset !== 0 && offset < job.fileSize) claim(job, offset, 1, USE.bitmap);
      }
    }
  }
}

async function claimL2(job: RepairJob, layer: Layer, survey: Survey): Promise<void> {
  const { clusters, clusterSize, fileSize } = job;
  const l1 = await job.readL1(layer);
  for (let i = 0; i < l1.length; i += 2) {
    const high = l1[i] as number;
    const low = l1[i + 1] as number;
    if ((high | low) === 0) continue;
    const offset = entryOffset(high, low);
    if ((high & 0x7f000000) !== 0 || (low & 0x1ff) !== 0) survey.faults += 1;
    if (offset === 0) {
      survey.faults += 1;
      continue;
    }
    if (!isAligned(offset, clusterSize) || offset >= fileSize) {
      survey.faults += 1;
      if (offset < 2 ** 53) noteOutside(job, offset, clusterSize);
      continue;
    }
    const before = clusters.add(offset / clusterSize, USE.l2);
    if (before !== USE.none && before !== USE.l2) survey.conflicts += 1;
  }
}

/** New clusters are not put where something points to, whatever is done about that. */
function noteOutside(job: RepairJob, offset: number, length: number): void {
  const { clusters, clusterSize, fileSize } = job;
  const first = Math.max(Math.floor(offset / clusterSize), clusters.clusters);
  const last = Math.floor((offset + length - 1) / clusterSize);
  // What lies far behind will not be reached.
  const reach = divideRoundUp(fileSize, clusterSize) * 2 + 2 ** 20;
  for (let cluster = first; cluster <= last && cluster < reach; cluster++) {
    clusters.addOutside(cluster);
  }
}

async function surveyLayer(job: RepairJob, layer: Layer, survey: Survey): Promise<void> {
  const { image, clusterSize } = job;
  const l1 = await job.readL1(layer);
  for await (const batch of walkL2(image, l1)) {
    for (const { offset, bytes } of batch) {
      if (bytes === undefined || offset === 0 || !isAligned(offset, clusterSize)) continue;
      surveyTable(job, bytes, survey);
      await job.breathe();
    }
  }
}

function surveyTable(job: RepairJob, bytes: Uint8Array, survey: Survey): void {
  const { clusters, clusterSize, judge } = job;
  const { header } = job.image;
  const { clusterBits } = header;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const step = header.extendedL2 ? 16 : 8;
  const isPlain = !header.extendedL2 && !header.hasDataFile;
  const lowMask = clusterSize - 1;
  const highLimit = 2 ** (clusterBits - 1);
  const inFile = clusters.clusters;
  const words: EntryWords = { high: 0, low: 0, zeros: 0, allocated: 0 };
  for (let at = 0; at < bytes.length; at += step) {
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if (isPlain && (high & 0x7f000000) === 0 && (low & lowMask) === 0) {
      if ((high | low) === 0) continue;
      const upper = high & OFFSET_HIGH;
      const cluster = upper < highLimit ? (upper << (32 - clusterBits)) | (low >>> clusterBits) : 0;
      if (cluster > 0 && cluster < inFile) {
        const before = clusters.add(cluster, USE.data);
        if (before !== USE.none && before !== USE.data) survey.conflicts += 1;
        continue;
      }
    }
    words.high = high;
    words.low = low;
    words.zeros = step === 16 ? view.getUint32(at + 8) : 0;
    words.allocated = step === 16 ? view.getUint32(at + 12) : 0;
    const verdict = judge.judge(words);
    survey.faults += verdict.faults.length;
    enter(job, judge, words, verdict, survey);
  }
}

function enter(
  job: RepairJob,
  judge: EntryJudge,
  words: EntryWords,
  { target, faults }: Verdict,
  survey: Survey,
): void {
  const { clusters, clusterSize, fileSize } = job;
  if (target.kind === 'data') {
    const before = clusters.add(target.offset / clusterSize, USE.data);
    if (before !== USE.none && before !== USE.data) survey.conflicts += 1;
    return;
  }
  if (target.kind === 'compressed') {
    if (target.overshoots) survey.faults += 1;
    if (target.offset + target.length > fileSize) {
      noteOutside(job, target.offset, target.length);
    }
    const end = Math.min(target.offset + target.length, fileSize);
    const last = Math.floor((end - 1) / clusterSize);
    for (let c = Math.floor(target.offset / clusterSize); c <= last; c++) {
      const before = clusters.add(c, USE.compressed);
      if (before !== USE.none && before !== USE.compressed) survey.conflicts += 1;
    }
    return;
  }
  if (faults.includes('data-outside') || faults.includes('data-unaligned')) {
    noteOutside(job, entryOffset(words.high, words.low), judge.clusterSize);
  }
}
