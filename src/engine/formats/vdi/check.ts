/** Looking through the block map of a VDI, as `qemu-img check` does. */
import { throwIfCancelled } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import { yieldToEvents } from '../../yield.ts';
import { FindingCollector } from '../finding-collector.ts';
import type { VdiDisk } from './image.ts';
import { ZERO } from './layout.ts';

/** What a walk over the block map brings to light besides findings. */
export interface VdiUsage {
  /** Entries that name a block that there can be. */
  readonly allocated: number;
  /** One more than the highest block that is in use. */
  readonly end: number;
}

/** @throws ImageError cancelled and those of reading */
export async function checkVdi(disk: VdiDisk, options: CheckOptions): Promise<CheckReport> {
  const collector = new FindingCollector(options);
  const { allocated } = await walk(disk, options, (finding) => {
    collector.add(finding);
  });
  const counted = disk.header.fields.allocated;
  if (allocated !== counted) {
    const message = `ERROR: allocated blocks mismatch, is ${allocated}, should be ${counted}\n`;
    collector.add({
      ...{ kind: 'allocation-count', severity: 'corruption', repair: 'none' },
      values: { allocated, counted, message },
    });
  }
  return collector.report;
}

/** Goes through all entries of the map once; memory for a bit of each block. */
export async function walk(
  disk: VdiDisk,
  { signal, progress }: CheckOptions,
  onFinding: (finding: Finding) => void,
): Promise<VdiUsage> {
  const { table, storage } = disk;
  const { blocks } = disk.header.fields;
  const used = new Uint8Array(Math.ceil(blocks / 8));
  let allocated = 0;
  let end = 0;
  for (let index = 0; index < blocks;) {
    throwIfCancelled(signal);
    const { first, values } = await table.whole(index);
    for (let at = index - first; at < values.length; at++) {
      const entry = values[at] as number;
      if (entry >= ZERO) continue;
      if (entry >= blocks) {
        onFinding(tooLarge(disk, first + at, entry));
        continue;
      }
      allocated++;
      end = Math.max(end, entry + 1);
      const bit = 1 << (entry & 7);
      if (((used[entry >>> 3] as number) & bit) !== 0) onFinding(twice(disk, first + at, entry));
      else used[entry >>> 3] = (used[entry >>> 3] as number) | bit;
      if (disk.placeOf(entry) >= storage.size) onFinding(outside(disk, first + at, entry));
    }
    index = first + values.length;
    progress?.({ stage: 'checking', done: index * 4, total: blocks * 4 });
    await yieldToEvents(signal);
  }
  return { allocated, end };
}

function finding(disk: VdiDisk, index: number, entry: number): Pick<Finding, 'host' | 'guest'> {
  const length = disk.clusterSize;
  return {
    host: { offset: disk.placeOf(entry), length },
    guest: { offset: index * length, length },
  };
}

function tooLarge(disk: VdiDisk, index: number, entry: number): Finding {
  const message = `ERROR: block index ${index} too large, is ${entry}\n`;
  return {
    ...{ kind: 'block-outside', severity: 'corruption', repair: 'none' },
    ...finding(disk, index, entry),
    values: { index, entry, message },
  };
}

/** The real program names the block of the file twice, and not the two of the disk. */
function twice(disk: VdiDisk, index: number, entry: number): Finding {
  const message = `ERROR: block index ${entry} also used by ${entry}\n`;
  return {
    ...{ kind: 'block-duplicate', severity: 'corruption', repair: 'none' },
    ...finding(disk, index, entry),
    values: { index, entry, message },
  };
}

/** The real program does not look at the end of the file. */
function outside(disk: VdiDisk, index: number, entry: number): Finding {
  return {
    ...{ kind: 'block-outside', severity: 'notice', repair: 'none' },
    ...finding(disk, index, entry),
    values: { index, entry, message: '' },
  };
}
