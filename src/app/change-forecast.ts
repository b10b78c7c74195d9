import type { PendingChanges } from '../worker/api.ts';
import { BROWSER_CHECK, DOWNLOAD, PLACE_WRITE, PRIVATE_WRITE, READ } from './forecast.ts';

/** The browser copies a local file before it lets it be changed. Bytes a second. */
const BROWSER_COPY = 130e6;
/** A record of a patch, beside the bytes in it. */
const RECORD = 32;
const PATCH_ENDS = 544;

/** What each way of saving costs, seconds and bytes. */
export interface SaveForecast {
  place: number;
  browser: number;
  download: number;
  file: number;
  /** Of a patch, of an undo file: as much as what is different. */
  patchBytes: number;
}

/** Looks ahead. Files without holes are taken for granted: they may be faster than is said. */
export function forecastSave(pending: PendingChanges, verify: boolean): SaveForecast {
  const { before, after, bytes, runs } = pending;
  const verifying = verify ? (2 * after.size) / READ : 0;
  return {
    place: after.size / PLACE_WRITE + verifying + after.size / BROWSER_CHECK,
    browser: after.size / Math.min(READ, PRIVATE_WRITE) + verifying,
    download: after.size / DOWNLOAD,
    file: before.size / BROWSER_COPY + after.size / BROWSER_CHECK,
    patchBytes: bytes + Math.ceil(bytes / 512) * 4 + runs * RECORD + PATCH_ENDS,
  };
}
