/**
 * Formats that qemu-img knows and this version does not. A file of such a format must not pass for
 * a raw disk: that would copy its tables as if they were a guest's data.
 */
import type { Storage } from '../engine/storage/storage.ts';

/** A signature at a place in the file's beginning. */
interface Signature {
  readonly format: string;
  readonly at: number;
  /** Text; each character is one byte. */
  readonly bytes: string;
}

/** Formats that the real program can read and write, beside those read here. */
const KNOWN = [
  ...['bochs', 'cloop', 'dmg', 'luks', 'parallels', 'qcow', 'qed', 'vdi', 'vhdx', 'vmdk', 'vpc'],
  ...['vvfat', 'quorum', 'throttle', 'blkdebug', 'blkverify', 'copy-on-read', 'file', 'nbd'],
];

const SIGNATURES: readonly Signature[] = [
  // Of no version at all: nothing that the real program knows, so raw like anything else.
  { format: 'raw', at: 0, bytes: 'QFI\xfb\0\0\0\0' },
  { format: 'qcow', at: 0, bytes: 'QFI\xfb\0\0\0\x01' },
  { format: 'qed', at: 0, bytes: 'QED\0' },
  { format: 'vmdk', at: 0, bytes: 'KDMV' },
  { format: 'vmdk', at: 0, bytes: 'COWD' },
  { format: 'vdi', at: 0x40, bytes: '\x7f\x10\xda\xbe' },
  { format: 'vhdx', at: 0, bytes: 'vhdxfile' },
  { format: 'vpc', at: 0, bytes: 'conectix' },
  { format: 'parallels', at: 0, bytes: 'WithoutFreeSpace\x02\0\0\0' },
  { format: 'parallels', at: 0, bytes: 'WithouFreSpacExt\x02\0\0\0' },
  { format: 'luks', at: 0, bytes: 'LUKS\xba\xbe\0\x01' },
  { format: 'bochs', at: 0, bytes: 'Bochs Virtual HD Image\0' },
  { format: 'cloop', at: 0, bytes: '#!/bin/sh\n#V2.0 Format\nmodprobe cloop' },
];

/** Bytes of the beginning that decide. */
const PROBE_BYTES = 512;

/** A text file that describes a VMDK: comments and empty lines, then its version. */
const VMDK_DESCRIPTOR = /^(?:#[^\n]*\r?\n|[ \t]*\r?\n)*version=[123]\r?\n/;

/** Whether the real program has a format of that name. */
export function isForeignFormat(name: string): boolean {
  return KNOWN.includes(name);
}

/**
 * The format of a file that only the real program would find, by its content (for dmg: its name);
 * undefined: the engine's own judgement is good.
 */
export async function probeForeignFormat(storage: Storage): Promise<string | undefined> {
  const bytes = new Uint8Array(Math.min(PROBE_BYTES, storage.size));
  await storage.read(0, bytes);
  const text = String.fromCharCode(...bytes);
  const found = SIGNATURES.find(({ at, bytes: signature }) => text.startsWith(signature, at));
  if (found !== undefined) return found.format;
  if (VMDK_DESCRIPTOR.test(text)) return 'vmdk';
  return storage.name.endsWith('.dmg') ? 'dmg' : undefined;
}
