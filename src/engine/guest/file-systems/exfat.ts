/** exFAT: «exFAT file system specification» of Microsoft, sections 3 and 7.3. */
import { struct, u16le, u32le, u64le, u8 } from '../../binary/struct.ts';
import {
  bytesOf,
  type More,
  type Recognised,
  says,
  type Superblock,
  unnamed,
  wideTextAt,
} from '../file-system.ts';
import { serialText } from './fat.ts';

const BOOT = struct({
  sectors: u64le(72, 'Sectors of the volume', 'count'),
  heapOffset: u32le(88, 'First sector of the clusters'),
  clusters: u32le(92, 'Clusters'),
  rootCluster: u32le(96, 'First cluster of the root directory'),
  serial: u32le(100, 'Serial number', 'bytes'),
  flags: u16le(106, 'Bit 1: in use, or not closed cleanly', 'bits'),
  sectorShift: u8(108, 'Bytes of a sector as 2^n'),
  clusterShift: u8(109, 'Sectors of a cluster as 2^n'),
  percent: u8(112, 'Clusters in use, per cent; 255 for unknown'),
  signature: u16le(510, 'End of the boot sector', 'bytes'),
});
const VOLUME_DIRTY = 0x2;

/** The boot region: its last sector is filled with the checksum of the others. */
const CHECKED_SECTORS = 11;
/** Flags and the percentage change without the checksum. */
const UNCHECKED: readonly number[] = [106, 107, 112];

/** «Volume Label Directory Entry». */
const LABEL_TYPE = 0x83;
const ENTRY_BYTES = 32;
const MOST_LETTERS = 11;
const MOST_ENTRIES = 512;

export function readExfat(first: Uint8Array): Recognised | undefined {
  if (first.length < 512 || !says(first, 3, 'EXFAT   ')) return undefined;
  const boot = BOOT.read(first);
  const { sectorShift, clusterShift } = boot;
  if (boot.signature !== 0xaa55 || sectorShift < 9 || sectorShift > 12) return undefined;
  if (sectorShift + clusterShift > 25 || boot.rootCluster < 2) return undefined;
  const sectorSize = 2 ** sectorShift;
  const clusterSize = sectorSize * 2 ** clusterShift;
  const found = {
    ...unnamed('exfat'),
    uuid: serialText(boot.serial),
    size: bytesOf(boot.sectors, sectorSize),
    used: usedOf(boot, sectorSize, clusterSize),
    blockSize: clusterSize,
    isDirty: (boot.flags & VOLUME_DIRTY) !== 0,
    isDamaged: isDamaged(first, sectorSize),
  };
  const offset = boot.heapOffset * sectorSize + (boot.rootCluster - 2) * clusterSize;
  return { found, more: labelOf(offset, clusterSize, found) };
}

/** What lies before the clusters, and the percentage of these that is in use. */
function usedOf(
  { sectors, clusters, percent, heapOffset }: ReturnType<typeof BOOT.read>,
  sectorSize: number,
  clusterSize: number,
): number | undefined {
  if (percent > 100) return undefined;
  const used = heapOffset * sectorSize + Math.round((clusters * percent) / 100) * clusterSize;
  return used <= sectors * sectorSize ? used : undefined;
}

function isDamaged(first: Uint8Array, sectorSize: number): boolean {
  const end = CHECKED_SECTORS * sectorSize;
  if (first.length < end + sectorSize) return false;
  let sum = 0;
  for (let at = 0; at < end; at++) {
    if (UNCHECKED.includes(at)) continue;
    sum = ((((sum & 1) << 31) | (sum >>> 1)) + (first[at] ?? 0)) >>> 0;
  }
  return new DataView(first.buffer, first.byteOffset + end, 4).getUint32(0, true) !== sum;
}

function labelOf(offset: number, clusterSize: number, found: Superblock): More {
  return {
    offset,
    length: Math.min(clusterSize, MOST_ENTRIES * ENTRY_BYTES),
    take: (root) => {
      for (let at = 0; at + ENTRY_BYTES <= root.length && root[at] !== 0; at += ENTRY_BYTES) {
        if (root[at] !== LABEL_TYPE) continue;
        const letters = Math.min(root[at + 1] ?? 0, MOST_LETTERS);
        return { found: { ...found, label: wideTextAt(root, at + 2, letters * 2) } };
      }
      return { found };
    },
  };
}
