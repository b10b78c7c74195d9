/** Recognising a VHD by its footer. Small, and without the rest: it is always loaded. */
import type { ProbedFile } from '../format.ts';

const COOKIE = 'conectix';
const FOOTER = 512;

/** By its beginning; a fixed one, which begins with the guest's bytes, by its end only. */
export function probeVpc({ first, last, size }: ProbedFile): number {
  if (hasCookie(first, 0)) return 100;
  if (last === undefined) return 0;
  // Old programs leave out the last byte of the footer.
  const length = size % FOOTER === 0 ? FOOTER : size % FOOTER;
  return hasCookie(last, last.length - length) ? 100 : 0;
}

function hasCookie(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < COOKIE.length; i++) {
    if (bytes[at + i] !== COOKIE.charCodeAt(i)) return false;
  }
  return true;
}
