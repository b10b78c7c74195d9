/** Checking formats that keep their content packed, by unpacking all of it. */
import { loadUnpacker, unpackerOf } from '../codecs/unpackers.ts';
import { throwIfCancelled } from '../errors.ts';
import type { CheckOptions, CheckReport } from '../operations/check-report.ts';
import type { Finding } from '../operations/finding.ts';
import { readPadded } from '../storage/storage.ts';
import { yieldToEvents } from '../yield.ts';
import { FindingCollector } from './finding-collector.ts';
import type { Disk, Extent } from './format.ts';

/** What a packed extent unpacks to; undefined where it is damaged. Reads all of it at once. */
export async function unpackExtent(
  disk: Disk,
  extent: Extent,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const packing = extent.packing ?? disk.codec ?? 'zlib';
  await loadUnpacker(packing);
  const packed = await readPadded(extent.storage, extent.hostOffset, extent.hostLength);
  const target = new Uint8Array(extent.unpackedLength ?? disk.clusterSize);
  return unpackerOf(packing)(packed, target) === 'ok' ? target : undefined;
}

/** What is wrong with a run whose content cannot be had. */
export function unreadableFinding({ offset, length, hostOffset, hostLength }: Extent): Finding {
  return {
    ...{ kind: 'content-checksum', severity: 'corruption', repair: 'none' },
    guest: { offset, length },
    ...(hostOffset < 0 ? {} : { host: { offset: hostOffset, length: hostLength } }),
    values: { message: '' },
  };
}

/** Where an entry of a table leads to nowhere. */
function outsideFinding(extent: Extent): Finding {
  return { ...unreadableFinding(extent), kind: 'block-outside' };
}

/** Unpacks every packed run of a disk. @throws ImageError cancelled and those of reading */
export async function checkPacked(disk: Disk, options: CheckOptions): Promise<CheckReport> {
  const collector = new FindingCollector(options);
  await checkRuns(disk, options, collector);
  return collector.report;
}

/** The same, noting what is found. */
export async function checkRuns(
  disk: Disk,
  { signal, progress }: CheckOptions,
  collector: FindingCollector,
): Promise<void> {
  const { report } = collector;
  for (let at = 0; at < disk.size;) {
    const extents = await disk.map(at, disk.size - at);
    for (const extent of extents) {
      throwIfCancelled(signal);
      report.totalClusters++;
      if (extent.kind === 'invalid') collector.add(outsideFinding(extent));
      if (extent.kind === 'data') report.allocatedClusters++;
      if (extent.kind === 'compressed') {
        report.allocatedClusters++;
        report.compressedClusters++;
        const content = await unpackExtent(disk, extent);
        if (content === undefined) collector.add(unreadableFinding(extent));
        await yieldToEvents(signal);
      }
      if (extent.kind !== 'zero') {
        const end = extent.hostOffset + Math.max(extent.hostLength, 0);
        report.imageEndOffset = Math.max(report.imageEndOffset, end);
      }
      at = extent.offset + extent.length;
    }
    progress?.({ stage: 'checking', done: at, total: disk.size });
  }
}
