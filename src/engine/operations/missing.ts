/**
 * Whether a file ends before its own tables say: a download that was cut off. Looks at a few
 * tables only, so that it can be said the moment an image opens.
 */
import type { Disk } from '../formats/format.ts';
import { missingAtEnd } from '../formats/qcow2/expected-end.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';

/** How many bytes are missing at the end of the file at least; 0 when there is no evidence. */
export async function missingBytes(disk: Disk): Promise<number> {
  return disk instanceof Qcow2Image ? missingAtEnd(disk) : 0;
}
