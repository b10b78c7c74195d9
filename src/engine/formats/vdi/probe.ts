import type { ProbedFile } from '../format.ts';

/** The signature stands behind a text that says nothing. */
const SIGNATURE = [0x7f, 0x10, 0xda, 0xbe];
const SIGNATURE_AT = 64;
const HEADER_BYTES = 512;

export function probeVdi({ first }: ProbedFile): number {
  if (first.length < HEADER_BYTES) return 0;
  return SIGNATURE.every((byte, index) => first[SIGNATURE_AT + index] === byte) ? 100 : 0;
}
