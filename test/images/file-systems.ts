/**
 * Beginnings of file systems that the real programs made once, so that no test needs these. Of each
 * file-systems.json has its size, and the sectors that its readers look at, packed (deflate): the
 * number of each in 32 bits, and its 512 bytes. All else of it is zeros.
 *
 * mkfs.ext2 -L "ext two", mkfs.ext3 -L third, mkfs.ext4 -L root (cut off in the middle as
 * `ext4-cut`; `ext4-nojournal`: -O ^has_journal,^metadata_csum, its state set to 0 by debugfs),
 * mkfs.xfs -L data (`xfs4`: -m crc=0 -L four), mkfs.btrfs -L "pool of all", mkfs.ntfs -L "Windows
 * Größe" (`ntfs-dirty`: its flag set by hand), mkfs.vfat (`fat16-used`, `fat12-used`: with a file by
 * mcopy; the former's label in its root directory changed by mlabel), mkfs.exfat -L, mkswap -L
 * (`swap64`: -p 65536), genisoimage -J, xorriso (`hfsplus`: the part that -hfsplus adds),
 * mksquashfs, mkfs.erofs, mkfs.f2fs -l flash, cryptsetup luksFormat (1; 2 with --label crypt),
 * mkapfs, pvcreate (`pv`: and vgcreate vg_guest). UUIDs were given where the program lets.
 * (e2fsprogs 1.47.0, xfsprogs 6.1, btrfs-progs 6.2, ntfs-3g 2022.10, dosfstools 4.2, exfatprogs 1.2,
 * util-linux 2.38, cdrkit 1.1.11, libisoburn 1.5.4, squashfs-tools 4.5, erofs-utils 1.5, f2fs-tools
 * 1.15, cryptsetup 2.6, apfsprogs 0.1, LVM 2.03.16)
 *
 * `gpt.raw` and `mbr.raw` are disks that sfdisk divided, with some of these in their partitions.
 */
import { inflateRawSync } from 'node:zlib';
import samples from './file-systems.json' with { type: 'json' };

export type FileSystemSample = keyof typeof samples;

const SECTOR = 512;

export const FILE_SYSTEMS = Object.keys(samples) as FileSystemSample[];

/** Bytes of a whole file system; behind its end, zeros. */
export interface SampleReader {
  readonly size: number;
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
  /** What it consists of, to be written elsewhere: offsets in bytes. */
  readonly pieces: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
}

export function fileSystem(name: FileSystemSample): SampleReader {
  const { size, sectors } = samples[name];
  const packed = inflateRawSync(Buffer.from(sectors, 'base64'));
  const pieces: { offset: number; bytes: Uint8Array }[] = [];
  for (let at = 0; at < packed.length; at += 4 + SECTOR) {
    const bytes = new Uint8Array(packed.subarray(at + 4, at + 4 + SECTOR));
    pieces.push({ offset: packed.readUInt32LE(at) * SECTOR, bytes });
  }
  return { size, pieces, read: (offset, length) => Promise.resolve(cut(pieces, offset, length)) };
}

function cut(pieces: SampleReader['pieces'], offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const piece of pieces) {
    const from = Math.max(piece.offset, offset);
    const to = Math.min(piece.offset + piece.bytes.length, offset + length);
    if (from >= to) continue;
    bytes.set(piece.bytes.subarray(from - piece.offset, to - piece.offset), from - offset);
  }
  return bytes;
}
