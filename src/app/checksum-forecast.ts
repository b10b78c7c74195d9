import type { CheckReport, HashName, ImageInfo } from '../worker/api.ts';

/**
 * What digests cost, rounded down from measurements in current browsers on a plain two-core
 * machine; bytes a second. Reading and unpacking go on beside and are faster.
 */
const RATES: Record<HashName, number> = { sha256: 180e6, sha512: 40e6 };
const ZEROS = 300e6;

/** Seconds for the digest of the file. */
export function fileSeconds(info: ImageInfo, algorithm: HashName): number {
  return info.fileSize / RATES[algorithm];
}

/** Seconds for the digest of the content, and how many of them go to zeros. */
export function contentSeconds(
  info: ImageInfo,
  report: CheckReport | undefined,
): { all: number; zeros: number } {
  const allocated =
    report === undefined || report.aborted !== undefined
      ? info.fileSize
      : report.allocatedClusters * (info.clusterSize ?? 0);
  const data = Math.min(allocated, info.virtualSize);
  const zeros = (info.virtualSize - data) / ZEROS;
  return { all: data / RATES.sha256 + zeros, zeros };
}
