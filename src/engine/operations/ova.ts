/** A disk image packed as an OVA: descriptor, manifest and disk in one tar archive. */
import { tarEnd, tarHeader, tarPadding } from '../containers/tar-writer.ts';
import { createHasher, type HasherFactory } from '../codecs/hash.ts';
import { throwIfCancelled } from '../errors.ts';
import { PartStorage } from '../storage/part.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import type { RunOptions } from './operation.ts';
import { ovfText, type OvfMachine } from './ovf-text.ts';
import { yieldToEvents } from './yield.ts';

const BLOCK = 512;
const PIECE = 4 * 1024 * 1024;

export interface OvaOptions extends RunOptions {
  /** Seconds since 1970: the files' time in the archive. */
  time?: number | undefined;
  hasher?: HasherFactory | undefined;
}

/** What the disk's file is made by; it is told where to write it, and says what it has written. */
export type DiskMaker = (file: Storage) => Promise<{ capacity: number; populated: number }>;

/**
 * Makes an OVA in `target` (an empty file that can be read back). DSP0243 section «Distribution»:
 * the descriptor comes first, then the manifest, then the disk. Both get their room before the disk
 * is there, because both say what only the finished disk tells.
 * @param name of the machine and, with their suffixes, of the files: ASCII, at most 90 characters
 * @throws ImageError cancelled and those of reading and writing
 */
export async function writeOva(
  target: Storage,
  name: string,
  makeDisk: DiskMaker,
  { signal, progress, time = 0, hasher = createHasher }: OvaOptions = {},
): Promise<void> {
  const files = { ovf: `${name}.ovf`, mf: `${name}.mf`, disk: `${name}-disk1.vmdk` };
  const machine: OvfMachine = {
    ...{ name, diskFile: files.disk, diskFileSize: 0 },
    ...{ capacity: 0, populated: 0 },
  };
  const encoder = new TextEncoder();
  // The capacity is known to nobody but the one who makes the disk; its room is kept as the others'.
  const probe = encoder.encode(ovfText({ ...machine, capacity: Number.MAX_SAFE_INTEGER }));
  const ovfRoom = probe.length;
  const manifestRoom = encoder.encode(manifestText(files, '0'.repeat(64), '0'.repeat(64))).length;
  const manifestAt = BLOCK + ovfRoom + tarPadding(ovfRoom);
  const diskAt = manifestAt + BLOCK + manifestRoom + tarPadding(manifestRoom) + BLOCK;
  const disk = new PartStorage(target, diskAt, files.disk);
  await target.resize(diskAt);
  const { capacity, populated } = await makeDisk(disk);
  const diskFileSize = disk.size;
  const text = ovfText({ ...machine, capacity, populated, diskFileSize });
  const ovf = encoder.encode(text.padEnd(text.length + ovfRoom - encoder.encode(text).length));
  const ovfHasher = hasher('sha256');
  ovfHasher.update(ovf);
  const diskHasher = hasher('sha256');
  for (let at = 0; at < diskFileSize; at += PIECE) {
    throwIfCancelled(signal);
    diskHasher.update(await readPadded(disk, at, Math.min(PIECE, diskFileSize - at)));
    progress?.({ stage: 'writing', done: at, total: diskFileSize });
    await yieldToEvents(signal);
  }
  const manifest = encoder.encode(
    manifestText(files, hexOf(ovfHasher.digest()), hexOf(diskHasher.digest())),
  );
  await target.write(0, tarHeader({ name: files.ovf, size: ovf.length, time }));
  await target.write(BLOCK, ovf);
  await target.write(manifestAt, tarHeader({ name: files.mf, size: manifest.length, time }));
  await target.write(manifestAt + BLOCK, manifest);
  await target.write(diskAt - BLOCK, tarHeader({ name: files.disk, size: diskFileSize, time }));
  const filling = new Uint8Array(tarPadding(diskFileSize));
  if (filling.length > 0) await target.write(diskAt + diskFileSize, filling);
  await target.write(diskAt + diskFileSize + filling.length, tarEnd());
}

function manifestText(
  { ovf, disk }: { ovf: string; disk: string },
  ovfDigest: string,
  diskDigest: string,
): string {
  return `SHA256(${ovf})= ${ovfDigest}\nSHA256(${disk})= ${diskDigest}\n`;
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
