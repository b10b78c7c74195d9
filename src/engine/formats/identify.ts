/** What a file is, judged by its first bytes and never by its name. */
import type { ForeignContent } from '../errors.ts';

/** A signature and where it stands, bytes. */
interface Signature {
  readonly at: number;
  readonly bytes: readonly number[];
}

function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

const FOREIGN: readonly (Signature & { readonly kind: ForeignContent })[] = [
  { kind: 'gzip', at: 0, bytes: [0x1f, 0x8b] },
  { kind: 'xz', at: 0, bytes: [0xfd, ...ascii('7zXZ'), 0] },
  { kind: 'zstd', at: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd] },
  { kind: 'zip', at: 0, bytes: [...ascii('PK'), 3, 4] },
  { kind: 'bzip2', at: 0, bytes: ascii('BZh') },
  { kind: 'tar', at: 257, bytes: ascii('ustar') },
  { kind: '7z', at: 0, bytes: [...ascii('7z'), 0xbc, 0xaf, 0x27, 0x1c] },
  { kind: 'rar', at: 0, bytes: [...ascii('Rar!'), 0x1a, 7] },
  { kind: 'pgp', at: 0, bytes: ascii('-----BEGIN PGP ') },
  // A passphrase or a public key, by which a session key is encrypted (RFC 4880, 5.1 and 5.3).
  { kind: 'pgp', at: 0, bytes: [0x8c, 0x0d, 4] },
  { kind: 'pgp', at: 0, bytes: [0xc3, 0x0d, 4] },
  { kind: 'pgp', at: 0, bytes: [0x85, 1, 0x0c, 3] },
  { kind: 'pgp', at: 0, bytes: [0x85, 1, 0x8c, 3] },
  { kind: 'pgp', at: 0, bytes: [0x85, 2, 0x0c, 3] },
  { kind: 'pgp', at: 0, bytes: [0x84, 0x5e, 3] },
  { kind: 'age', at: 0, bytes: ascii('age-encryption.org/') },
  { kind: 'age', at: 0, bytes: ascii('-----BEGIN AGE ENCRYPTED FILE') },
  { kind: 'openssl', at: 0, bytes: ascii('Salted__') },
  { kind: 'pdf', at: 0, bytes: ascii('%PDF-') },
  { kind: 'picture', at: 0, bytes: [0x89, ...ascii('PNG')] },
  { kind: 'picture', at: 0, bytes: [0xff, 0xd8, 0xff] },
  { kind: 'picture', at: 0, bytes: ascii('GIF8') },
  { kind: 'picture', at: 8, bytes: ascii('WEBP') },
  { kind: 'program', at: 0, bytes: [0x7f, ...ascii('ELF')] },
  { kind: 'program', at: 0, bytes: [0xcf, 0xfa, 0xed, 0xfe] },
  { kind: 'lfs-pointer', at: 0, bytes: ascii('version https://git-lfs.github.com/spec/') },
];

/** What raw disks begin with: a partition table or a file system over the whole disk. */
const DISKS: readonly Signature[] = [
  { at: 510, bytes: [0x55, 0xaa] }, // MBR, GPT's protective MBR, FAT, NTFS
  { at: 512, bytes: ascii('EFI PART') },
  { at: 4096, bytes: ascii('EFI PART') }, // GPT with 4096-byte sectors
  { at: 1080, bytes: [0x53, 0xef] }, // ext2, ext3, ext4
  { at: 0, bytes: ascii('XFSB') },
  { at: 65600, bytes: ascii('_BHRfS_M') }, // Btrfs
  { at: 32769, bytes: ascii('CD001') }, // ISO 9660
  { at: 512, bytes: ascii('LABELONE') }, // LVM2
  { at: 0, bytes: [...ascii('LUKS'), 0xba, 0xbe] },
  { at: 4086, bytes: ascii('SWAPSPACE2') },
];

function matches(bytes: Uint8Array, { at, bytes: signature }: Signature): boolean {
  return signature.every((value, index) => bytes[at + index] === value);
}

/** Whether the beginning of a file is that of a raw disk. */
export function looksLikeDisk(first: Uint8Array, size: number): boolean {
  return size >= 512 && DISKS.some((signature) => matches(first, signature));
}

/**
 * What a file that is no disk image is instead.
 * @param first its first bytes, some thousand are enough
 * @param size its length, bytes
 */
export function identify(first: Uint8Array, size: number): ForeignContent {
  if (size === 0) return 'empty';
  const known = FOREIGN.find((signature) => matches(first, signature));
  // «General purpose bit flag» of the first file in it: its content is encrypted.
  if (known?.kind === 'zip' && ((first[6] ?? 0) & 1) === 1) return 'encrypted-zip';
  if (known !== undefined) return known.kind;
  if (isWindowsProgram(first)) return 'program';
  if (size < 72) return isText(first) && size > 8 ? 'text' : 'too-short';
  if (!isText(first.subarray(0, 4096))) return 'unknown';
  const head = new TextDecoder().decode(first.subarray(0, 1024)).toLowerCase();
  return /<!doctype html|<html|<head|<body/.test(head) ? 'html' : 'text';
}

/** «MZ», and the signature «PE» where its header says. */
function isWindowsProgram(first: Uint8Array): boolean {
  if (first.length < 64 || first[0] !== 0x4d || first[1] !== 0x5a) return false;
  const at = new DataView(first.buffer, first.byteOffset, first.length).getUint32(60, true);
  return matches(first, { at, bytes: [...ascii('PE'), 0, 0] });
}

/** Printable UTF-8 without control characters. */
function isText(bytes: Uint8Array): boolean {
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return false;
  }
  for (let i = 0; i < decoded.length; i++) {
    const code = decoded.charCodeAt(i);
    if (code < 32 && code !== 9 && code !== 10 && code !== 13) return false;
  }
  return decoded.length > 0;
}
