/** Mending the header, so that the image can be opened at all. Specification: «Header». */
import { isImageError } from '../../../errors.ts';
import type { Overlay } from '../../../storage/overlay.ts';
import { openQcow2 } from '../image.ts';
import type { RepairLog } from './plan.ts';

/**
 * Mends what keeps the image from being opened for a check.
 * @returns whether it can be opened now
 */
export async function mendHeader(storage: Overlay, log: RepairLog): Promise<boolean> {
  try {
    await openQcow2(storage, 'check');
    return true;
  } catch (error) {
    if (!isImageError(error, 'invalid-header')) throw error;
    log.refuse('header-unknown', { values: { ...error.details } });
    return false;
  }
}

/** The incompatible features are a big-endian number of 64 bits; dirty and corrupt are the lowest. */
const FLAGS_AT = 79;
const DIRTY = 1;
const CORRUPT = 2;

/** Clears the marks of an image of which nothing is left to be repaired. */
export async function clearFlags(storage: Overlay, log: RepairLog): Promise<void> {
  const { header } = await openQcow2(storage, 'check');
  if (header.version < 3) return;
  const host = { offset: 72, length: 8 };
  const old = Number(header.incompatibleFeatures & 0xffn);
  let flags = old;
  if (header.dirty && log.add({ kind: 'clear-dirty', class: 'safe', host })) flags &= ~DIRTY;
  if (header.corrupt && log.add({ kind: 'clear-corrupt', class: 'safe', host })) flags &= ~CORRUPT;
  if (flags !== old) await storage.write(FLAGS_AT, new Uint8Array([flags]));
}
