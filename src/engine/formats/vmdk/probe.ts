/** Whether a file is a VMDK: the beginning of a sparse extent, or of a descriptor in text. */
import type { ProbedFile } from '../format.ts';

const SURE = 100;

/** By qemu-img's measure: comments and blank lines may stand before the line with the version. */
export function probeVmdk({ first }: ProbedFile): number {
  let text = '';
  for (const byte of first.subarray(0, 4)) text += String.fromCharCode(byte);
  if (text === 'KDMV' || text === 'COWD') return SURE;
  for (let at = 0; at < first.length;) {
    const byte = first[at];
    if (byte === 0x23) {
      const end = first.indexOf(0x0a, at);
      if (end < 0) return 0;
      at = end + 1;
    } else if (byte === 0x20) {
      while (first[at] === 0x20) at++;
      if (first[at] === 0x0d) at++;
      if (first[at] !== 0x0a) return 0;
      at++;
    } else {
      let line = '';
      for (const one of first.subarray(at, at + 11)) line += String.fromCharCode(one);
      return /^version=[123]\r?\n/.test(line) ? SURE : 0;
    }
  }
  return 0;
}
