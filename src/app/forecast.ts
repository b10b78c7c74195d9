import type { CheckReport, ConvertPlan, ImageInfo } from '../worker/api.ts';

/**
 * What work will cost, said before it is done. The rates are rounded down from measurements of
 * current browsers on a plain two-core machine; all are bytes a second.
 */
export const READ = 700e6;
const INFLATE = 150e6;
export const PRIVATE_WRITE = 1000e6;
export const PLACE_WRITE = 270e6;
export const DOWNLOAD = 340e6;
/** The browser hashes a finished local file, holes included. */
export const BROWSER_CHECK = 93e6;

/** One random read of a picked file, seconds. */
const RANDOM_READ = 0.0008;
/** Time for one table entry, seconds. */
const TABLE_ENTRY = 40e-9;

/** Seconds that a check will about take; undefined where there is nothing to check. */
export function checkSeconds(info: ImageInfo): number | undefined {
  const cluster = info.clusterSize;
  if (cluster === undefined || info.qcow2 === undefined) return undefined;
  const layers = 1 + info.snapshots.length;
  const mapped = Math.min(info.virtualSize, info.fileSize * 4);
  const tables = Math.ceil(mapped / (cluster * (cluster / 8))) * layers;
  const entries = (tables * cluster) / 8 + info.fileSize / cluster;
  return 0.05 + tables * RANDOM_READ + entries * TABLE_ENTRY;
}

/** What a conversion to raw will do, in numbers. */
export interface ConvertForecast {
  /** Apparent size of the result, bytes. */
  size: number;
  /** Bytes of data to copy, and whether that is exact or an upper bound. */
  data: number;
  exact: boolean;
  /** Bytes that nobody knows, as far as looked at: the conversion would stop there. */
  unknown: number;
  /** Seconds until the result is there, of which the browser's own check of it. */
  seconds: number;
  browserCheckSeconds: number;
  /** Seconds for the download that follows, 0 where none does. */
  downloadSeconds: number;
}

/** What was found out of a disk so far: a look at its tables or a check make a forecast exact. */
export interface Known {
  plan?: ConvertPlan | undefined;
  report?: CheckReport | undefined;
}

/** Looks ahead at a conversion. */
export function forecastConvert(
  info: ImageInfo,
  known: Known,
  where: 'place' | 'browser',
  verify: boolean,
): ConvertForecast {
  const size = info.virtualSize;
  const { data, packed, exact, unknown } = dataToCopy(info, known);
  const plain = data - packed;
  const reading = plain / READ + packed / INFLATE;
  const writing = data / (where === 'place' ? PLACE_WRITE : PRIVATE_WRITE);
  const browserCheckSeconds = where === 'place' ? size / BROWSER_CHECK : 0;
  const verifying = verify ? reading + data / READ : 0;
  return {
    size,
    data,
    exact,
    unknown,
    seconds: Math.max(reading, writing) + verifying + browserCheckSeconds,
    browserCheckSeconds,
    downloadSeconds: where === 'browser' ? size / DOWNLOAD : 0,
  };
}

function dataToCopy(
  info: ImageInfo,
  { plan, report }: Known,
): { data: number; packed: number; exact: boolean; unknown: number } {
  if (plan !== undefined) {
    const { compressed: packed, unknown } = plan;
    return { data: plan.data + packed, packed, exact: true, unknown };
  }
  const cluster = info.clusterSize;
  const unknown = 0;
  if (cluster === undefined) return { data: info.virtualSize, packed: 0, exact: true, unknown };
  if (report !== undefined && report.aborted === undefined && info.backing === undefined) {
    const data = Math.min(report.allocatedClusters * cluster, info.virtualSize);
    const packed = Math.min(report.compressedClusters * cluster, data);
    return { data, packed, exact: true, unknown };
  }
  return { data: info.virtualSize, packed: 0, exact: false, unknown };
}
