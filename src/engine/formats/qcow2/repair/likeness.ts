/** Whether bytes look like a table: what a lost table is known by. */
import { isAligned } from '../../../binary/units.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW, type Table } from '../tables.ts';
import type { RepairJob } from './job.ts';

/**
 * Whether a cluster can be an L2 table of this image: each entry is sound and leads into the file,
 * one at least leads somewhere, and no two lead to one cluster. No guest data looks like that by
 * chance.
 */
export function looksLikeL2(job: RepairJob, words: Table): boolean {
  const { judge, clusterSize } = job;
  const step = job.image.header.extendedL2 ? 4 : 2;
  const seen = new Set<number>();
  for (let at = 0; at < words.length; at += step) {
    const high = words[at] as number;
    const low = words[at + 1] as number;
    const zeros = step === 4 ? (words[at + 2] as number) : 0;
    const allocated = step === 4 ? (words[at + 3] as number) : 0;
    if ((high | low | zeros | allocated) === 0) continue;
    const { target, faults } = judge.judge({ high, low, zeros, allocated });
    if (faults.length > 0) return false;
    if (target.kind === 'none') {
      // A flag alone: zeros without a place. Anything else is no entry.
      const isZero = step === 4 ? (high | low) === 0 : high === 0 && low === ZERO_LOW;
      if (!isZero) return false;
      continue;
    }
    if (target.kind === 'compressed') {
      // The first bytes of the file are the header.
      if (target.overshoots || target.offset < clusterSize) return false;
      seen.add(-target.offset);
      continue;
    }
    if (seen.has(target.offset)) return false;
    seen.add(target.offset);
  }
  return seen.size > 0;
}

/** The clusters that a table leads to, as indexes. */
export function* targetsOf(job: RepairJob, words: Table): Generator<number, undefined> {
  const { judge, clusterSize } = job;
  const step = job.image.header.extendedL2 ? 4 : 2;
  for (let at = 0; at < words.length; at += step) {
    const high = words[at] as number;
    const low = words[at + 1] as number;
    if ((high | low) === 0) continue;
    const zeros = step === 4 ? (words[at + 2] as number) : 0;
    const allocated = step === 4 ? (words[at + 3] as number) : 0;
    const { target } = judge.judge({ high, low, zeros, allocated });
    if (target.kind === 'data') yield target.offset / clusterSize;
    if (target.kind === 'compressed') {
      const end = Math.min(target.offset + target.length, job.fileSize);
      const last = Math.floor((end - 1) / clusterSize);
      for (let c = Math.floor(target.offset / clusterSize); c <= last; c++) yield c;
    }
  }
  return undefined;
}

/** Whether all entries of an L1 table (with no reserved bits) lead to clusters of the file. */
export function looksLikeL1(job: RepairJob, words: Table): boolean {
  const { clusterSize, fileSize } = job;
  const seen = new Set<number>();
  for (let at = 0; at < words.length; at += 2) {
    const high = words[at] as number;
    const low = words[at + 1] as number;
    if ((high | low) === 0) continue;
    const offset = entryOffset(high, low);
    const isPure =
      (high & ~COPIED_HIGH & 0xff000000) === 0 &&
      (high & COMPRESSED_HIGH) === 0 &&
      (low & 0x1ff) === 0;
    if (!isPure || offset === 0 || offset >= fileSize || !isAligned(offset, clusterSize))
      return false;
    if (seen.has(offset)) return false;
    seen.add(offset);
  }
  return seen.size > 0;
}
