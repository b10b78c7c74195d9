/** Recognising a DMG. Small, and without the rest: it is always loaded. */
import type { ProbedFile } from '../format.ts';

const TRAILER = 512;

/** For qemu-img by its name alone; by its trailer, or as encrypted, where more is wanted. */
export function probeDmg({ first, last, name }: ProbedFile): number {
  if (name.length > 4 && name.endsWith('.dmg')) return 2;
  if (last === undefined) return 0;
  return hasText(last, last.length - TRAILER, 'koly') || isEncrypted(first, last) ? 90 : 0;
}

/** Apple's encrypted images have a header (version 2), or a trailer (version 1). */
export function isEncrypted(first: Uint8Array, last: Uint8Array): boolean {
  return hasText(first, 0, 'encrcdsa') || hasText(last, last.length - 8, 'cdsaencr');
}

function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}
