/** Recognising a compressed loop image. Small, and without the rest: it is always loaded. */
import type { ProbedFile } from '../format.ts';
import { ANY_VERSION, PREAMBLE, PREAMBLE_BYTES } from './layout.ts';

/** Version 2.0 as qemu-img knows it; the others only where more than it knows is wanted. */
export function probeCloop({ first, last }: ProbedFile): number {
  const text = String.fromCharCode(...first.subarray(0, PREAMBLE_BYTES));
  if (text.startsWith(PREAMBLE)) return 2;
  return last !== undefined && ANY_VERSION.test(text) && text.includes('cloop') ? 2 : 0;
}
