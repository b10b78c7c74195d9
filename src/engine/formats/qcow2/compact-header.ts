/** The header of a compacted image: the source's own bytes, with other places in them. */
import { alignUp } from '../../binary/units.ts';
import type { CompactLayout } from './compact-size.ts';
import { headerEnd, type Header } from './header.ts';
import {
  BITMAPS_EXTENSION,
  CRYPTO_EXTENSION,
  EXTENSION,
  EXTENSION_TYPE,
  HEADER_V2,
  HEADER_V3,
} from './layout.ts';

/** Not closed cleanly: what is written now is. */
const DIRTY = 1n;
/** Autoclear bits of what a compaction keeps true: bitmaps. */
const BITMAPS_BIT = 1n;

/**
 * The first cluster. Everything in it stays as it is, unknown fields and extensions too, but for
 * places, for flags of a state that is over, for autoclear bits that nobody here knows, and for an
 * extension of bitmaps that are no longer true (readers drop it with the next change).
 * @param bytes the first cluster of the source
 * @param snapshotCount how many are kept
 */
export function compactedHeader(
  bytes: Uint8Array,
  header: Header,
  layout: CompactLayout,
  snapshotCount: number,
): Uint8Array<ArrayBuffer> {
  const { clusterSize } = header;
  const cluster = new Uint8Array(clusterSize);
  cluster.set(bytes.subarray(0, Math.min(bytes.length, headerEnd(header))));
  HEADER_V2.write(cluster, {
    ...HEADER_V2.read(cluster),
    l1TableOffset: header.l1Size === 0 ? 0 : layout.l1 * clusterSize,
    refcountTableOffset: layout.refcountTable * clusterSize,
    refcountTableClusters: layout.refcountTableClusters,
    snapshotCount,
    snapshotsOffset: snapshotCount === 0 ? 0 : layout.snapshotTable * clusterSize,
  });
  if (header.version >= 3) {
    const fields = HEADER_V3.read(cluster);
    HEADER_V3.write(cluster, {
      ...fields,
      incompatibleFeatures: fields.incompatibleFeatures & ~DIRTY,
      autoclearFeatures:
        fields.autoclearFeatures & (header.bitmaps === undefined ? 0n : BITMAPS_BIT),
    });
  }
  moveExtensions(cluster, header, layout);
  return cluster;
}

function moveExtensions(cluster: Uint8Array, header: Header, layout: CompactLayout): void {
  const { clusterSize } = header;
  // From the last to the first: what is taken out moves only what has been seen.
  for (const { type, offset, data } of header.extensions.toReversed()) {
    const at = offset + EXTENSION.size;
    if (type === EXTENSION_TYPE.crypto) {
      const place = { ...CRYPTO_EXTENSION.read(data), offset: layout.luks * clusterSize };
      CRYPTO_EXTENSION.write(cluster, place, at);
    } else if (type !== EXTENSION_TYPE.bitmaps) continue;
    else if (header.bitmaps === undefined) {
      const end = header.backingFileOffset === 0 ? clusterSize : header.backingFileOffset;
      const next = Math.min(end, at + alignUp(data.length, 8));
      cluster.copyWithin(offset, next, end);
      cluster.fill(0, end - (next - offset), end);
    } else {
      const directoryOffset = layout.bitmapDirectory * clusterSize;
      BITMAPS_EXTENSION.write(cluster, { ...BITMAPS_EXTENSION.read(data), directoryOffset }, at);
    }
  }
}
