/** The pieces in which disks are packed: what is in a cluster of the target decides, nothing else. */
import { alignDown } from '../binary/units.ts';
import type { Disk } from '../formats/format.ts';
import { cutExtent } from '../formats/extents.ts';
import { mapChain, type ChainExtent } from './chain.ts';

/** A stretch of the target that is read and packed together. Bytes. */
export interface PackWindow {
  /** Where it begins in the target. */
  readonly offset: number;
  /** The last one ends with the disks. */
  readonly length: number;
  /** Zeros that were passed over since the window before. */
  skipped: number;
  /** Bytes of it that have to be read. */
  data: number;
  /** What is to be read of each source; `start` is where the source begins in the target. */
  readonly parts: PackPart[];
}

interface PackPart {
  readonly source: Disk;
  readonly start: number;
  readonly extents: ChainExtent[];
}

/**
 * The windows of disks that lie one behind the other, in order; those without any data are left out.
 * @param length of a window, bytes: a multiple of the target's clusters
 * @param onSource called before a source is looked at
 */
export async function* packedWindows(
  sources: readonly Disk[],
  length: number,
  onSource?: (source: Disk, start: number) => void,
): AsyncGenerator<PackWindow> {
  const total = sources.reduce((sum, disk) => sum + disk.size, 0);
  let window: PackWindow | undefined;
  let reached = 0;
  let start = 0;
  for (const source of sources) {
    onSource?.(source, start);
    for await (const batch of mapChain(source)) {
      for (const extent of batch) {
        if (extent.kind === 'zero' || (extent.kind === 'unallocated' && !extent.unknown)) continue;
        const end = start + extent.offset + extent.length;
        for (let at = start + extent.offset; at < end;) {
          const offset = alignDown(at, length);
          if (window?.offset !== offset) {
            if (window !== undefined) yield window;
            const size = Math.min(length, total - offset);
            window = { offset, length: size, skipped: offset - reached, data: 0, parts: [] };
            reached = offset + size;
          }
          const until = Math.min(end, offset + length);
          addPart(window, source, start, cutExtent(extent, at - start, until - start));
          at = until;
        }
      }
    }
    start += source.size;
  }
  if (window !== undefined) yield window;
}

function addPart(window: PackWindow, source: Disk, start: number, extent: ChainExtent): void {
  window.data += extent.length;
  const last = window.parts.at(-1);
  if (last?.start === start && last.source === source) last.extents.push(extent);
  else window.parts.push({ source, start, extents: [extent] });
}
