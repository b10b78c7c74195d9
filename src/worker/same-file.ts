import { BlobStorage, readPadded } from '../engine/index.ts';

/** Bytes at the beginning that are compared. */
const HEAD = 64 * 1024;

/**
 * Whether nothing tells two files apart: a browser does not say where a file lies, and two folders
 * may hold files of one name.
 */
export async function isSameFile(a: File, b: File): Promise<boolean> {
  if (a === b) return true;
  if (a.name !== b.name || a.lastModified !== b.lastModified) return false;
  return hasSameHead(a, b);
}

/**
 * Whether two files have the same length and begin alike: likely, one is a copy of the other.
 * Zeros are alike everywhere and say nothing.
 */
export async function hasSameHead(a: File, b: File): Promise<boolean> {
  if (a.size !== b.size) return false;
  const [first, second] = await Promise.all([head(a), head(b)]);
  const isAlike = first.every((byte, index) => byte === second[index]);
  return isAlike && first.some((byte) => byte !== 0);
}

function head(file: File): Promise<Uint8Array> {
  return readPadded(new BlobStorage(file), 0, Math.min(HEAD, file.size));
}
