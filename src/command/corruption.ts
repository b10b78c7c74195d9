/** What the real program says on stderr when it meets damaged tables on its way. */
import { mapChain, Qcow2Image, type ImageError } from '../engine/index.ts';
import type { ErrorDetails } from '../engine/errors.ts';
import type { ChainExtent } from '../engine/operations/chain.ts';
import type { Context } from './context.ts';

/** L2 tables are looked at in slices of at most this many bytes; indexes count within them. */
const SLICE_BYTES = 64 * 1024;

/** Says what is wrong with the tables, if that is why something could not be read. */
export async function reportCorruption(
  context: Context,
  disk: ChainExtent['disk'],
  error: ImageError,
): Promise<void> {
  if (error.code !== 'unreadable-cluster') return;
  const { guestOffset } = error.details as ErrorDetails['unreadable-cluster'];
  const found = await corruptionAt(disk, guestOffset);
  if (found !== undefined) printCorruption(context, found.text);
}

/** What is wrong with the tables for a guest offset (bytes), and of which image of the chain. */
export async function corruptionAt(
  disk: ChainExtent['disk'],
  offset: number,
): Promise<{ disk: ChainExtent['disk']; text: string } | undefined> {
  for await (const [extent] of mapChain(disk, offset, 1)) {
    const text = extent === undefined ? undefined : corruptionText(extent);
    if (extent !== undefined && text !== undefined) return { disk: extent.disk, text };
  }
  return undefined;
}

/** The real program says it once and is then quiet about the image. */
export function printCorruption({ host }: Context, text: string): void {
  const rest = 'further non-fatal corruption events will be suppressed';
  host.stderr(`qcow2: Image is corrupt: ${text}; ${rest}\n`);
}

function corruptionText(extent: ChainExtent): string | undefined {
  const { disk, kind, reason } = extent;
  if (kind !== 'invalid' || reason === undefined || !(disk instanceof Qcow2Image)) return undefined;
  const { l1Index, l2Offset, l2Index } = disk.tablesOf(extent.offset);
  const entryBytes = disk.clusterSize / disk.header.l2Entries;
  const index = l2Index % (SLICE_BYTES / entryBytes);
  const place = `(L2 offset: ${hex(l2Offset)}, L2 index: ${hex(index)})`;
  switch (reason) {
    case 'l2-unaligned':
      return `L2 table offset ${hex(extent.hostOffset)} unaligned (L1 index: ${hex(l1Index)})`;
    case 'data-unaligned':
      return `Cluster allocation offset ${hex(extent.hostOffset)} unaligned ${place}`;
    case 'zero-in-v2':
      return `Zero cluster entry found in pre-v3 image ${place}`;
    case 'subcluster-invalid':
      return `Invalid cluster entry found  ${place}`;
    case 'data-file-offset': {
      const offsets = `${hex(extent.hostOffset)} does not match guest cluster offset: ${hex(extent.offset)}`;
      return `External data file host cluster offset ${offsets}, L2 index: ${hex(index)})`;
    }
    case 'data-file-compressed': {
      const text = 'Compressed cluster entry found in image with external data file';
      return `${text} ${place}`;
    }
    case 'l2-unreadable':
    case 'data-file-missing':
    case 'extent-missing':
    case 'block-outside':
    case 'block-state':
    case 'locked':
    case 'compressed-corrupt':
    case 'compressed-short':
    case 'backing-missing':
      return undefined;
  }
}

/** As C prints `%#x`: zero goes without a prefix. */
function hex(value: number): string {
  return value === 0 ? '0' : `0x${value.toString(16)}`;
}
