import type { DecompressResult } from './inflate.ts';
import { StreamFault } from './stream-decoder.ts';

/** What came of unpacking a cluster by code that throws {@link StreamFault}. */
export function resultOf(unpack: () => DecompressResult): DecompressResult {
  try {
    return unpack();
  } catch (error) {
    if (!(error instanceof StreamFault)) throw error;
    return error.problem === 'short' ? 'short' : 'corrupt';
  }
}
