import type { CheckReport, ConvertPlan, ImageInfo } from '../worker/api.ts';
import type { Work } from './speeds.ts';

/**
 * What work will cost, said before it is done. The rates are rounded down from measurements of
 * current browsers on a plain two-core machine; all are bytes a second.
 */
export const READ = 700e6;
const INFLATE = 150e6;
const DEFLATE = 40e6;
export const PRIVATE_WRITE = 1000e6;
export const PLACE_WRITE = 270e6;
export const DOWNLOAD = 340e6;
/** The browser hashes a finished local file, holes included. */
export const BROWSER_CHECK = 93e6;

/** One random read of a picked file, seconds. */
const RANDOM_READ = 0.0008;
/** Time for one table entry, seconds. */
const TABLE_ENTRY = 40e-9;

/** Of any work, seconds. */
const LEAST = 0.05;

/** Seconds that a check will about take; undefined where there is nothing to check. */
export function checkSeconds(info: ImageInfo): number | undefined {
  if (info.format === 'raw' || info.format === 'luks') return undefined;
  // Their checks unpack everything.
  if (info.format === 'dmg' || info.format === 'cloop') return info.fileSize / INFLATE;
  const cluster = info.clusterSize;
  if (cluster === undefined) return LEAST;
  const layers = 1 + info.snapshots.length;
  const mapped = Math.min(info.virtualSize, info.fileSize * 4);
  const tables = Math.ceil(mapped / (cluster * (cluster / 8))) * layers;
  const entries = (tables * cluster) / 8 + info.fileSize / cluster;
  return LEAST + tables * RANDOM_READ + entries * TABLE_ENTRY;
}

/** What a conversion will do, in numbers. */
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
  /** Seconds of each part, by what they say before anything was learned in this browser. */
  parts: ConvertParts;
}

/** Seconds of the stages of a conversion, and of which kind its copying is. */
export interface ConvertParts {
  work: Work;
  copying: number;
  writing: number;
  verifying: number;
  finishing: number;
}

/** How an image is made: all of it compressed, or in private storage before it goes to its place. */
export interface MakingWay {
  packs: boolean;
  staged: boolean;
  /** Apparent length of the file, bytes; that of the disk where it is not said. */
  length?: number | undefined;
}

const PLAIN_WAY: MakingWay = { packs: false, staged: false };

/** What was found out of a disk so far: a look at its tables or a check make a forecast exact. */
export interface Known {
  plan?: ConvertPlan | undefined;
  report?: CheckReport | undefined;
}

/**
 * Looks ahead at a conversion.
 * @param factor how many times as long as expected work takes in this browser
 */
export function forecastConvert(
  info: ImageInfo,
  known: Known,
  where: 'place' | 'browser',
  verify: boolean,
  way: MakingWay = PLAIN_WAY,
  factor: (work: Work) => number = () => 1,
): ConvertForecast {
  const size = info.virtualSize;
  const length = way.length ?? size;
  const disk = dataToCopy(info, known);
  const { data, exact, unknown } = disk;
  const parts = partsOf(disk, length, where, verify, way);
  const browserCheckSeconds = parts.finishing * factor('finishing');
  const making =
    parts.copying * factor(parts.work) +
    parts.writing * factor('writing') +
    parts.verifying * factor('verifying');
  return {
    ...{ size, data, exact, unknown, parts, browserCheckSeconds },
    seconds: making + browserCheckSeconds,
    downloadSeconds: where === 'browser' ? length / DOWNLOAD : 0,
  };
}

function partsOf(
  { data, packed }: { data: number; packed: number },
  length: number,
  where: 'place' | 'browser',
  verify: boolean,
  { packs, staged }: MakingWay,
): ConvertParts {
  const reading = (data - packed) / READ + packed / INFLATE;
  const isPlace = where === 'place';
  const straight = isPlace && !staged;
  const writing = data / (straight ? PLACE_WRITE : PRIVATE_WRITE) + (packs ? data / DEFLATE : 0);
  const unpacks = packed > data / 2 ? 'unpack' : 'plain';
  return {
    work: packs ? 'pack' : straight ? 'place' : unpacks,
    copying: Math.max(reading, writing),
    writing: isPlace && staged ? Math.min(data, length) / PLACE_WRITE : 0,
    verifying: verify ? reading + data / READ : 0,
    finishing: isPlace ? length / BROWSER_CHECK : 0,
  };
}

/** How much of a disk is data, as far as known: exactly, or at most. Bytes. */
export function dataToCopy(
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
