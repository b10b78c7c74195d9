/** Mending the header, so that the image can be opened at all. Specification: «Header». */
import type { Field } from '../../../binary/struct.ts';
import { alignUp, powerOfTwo, TWO_32 } from '../../../binary/units.ts';
import { isImageError, type ErrorDetails } from '../../../errors.ts';
import type { Overlay } from '../../../storage/overlay.ts';
import { readPadded } from '../../../storage/storage.ts';
import { KNOWN_HEADER_LENGTH } from '../edit/header-writer.ts';
import { lenientExtensions } from '../extensions.ts';
import { openQcow2 } from '../image.ts';
import { EXTENSION, EXTENSION_TYPE, HEADER_V2, HEADER_V3, LIMITS } from '../layout.ts';
import { decodeBlock } from '../refcounts.ts';
import { readTable } from '../tables.ts';
import type { RepairClass, RepairLog } from './plan.ts';

/** What became of the header. */
export interface MendedHeader {
  /** Whether it can be opened now. */
  opened: boolean;
  /** Something was given up that clusters may belong to. */
  doubt: boolean;
}

/** A field may be mended only for the next one to be found wrong. */
const MOST_FAULTS = 12;

type Fault = ErrorDetails['invalid-header'];

/**
 * Mends what keeps the image from being opened for a check. Refcounts are computed anew, so a
 * table that cannot be is no loss; what a field must have been is inferred only where little else
 * is possible.
 */
export async function mendHeader(storage: Overlay, log: RepairLog): Promise<MendedHeader> {
  let doubt = false;
  for (let attempt = 0; ; attempt++) {
    try {
      await openQcow2(storage, 'check');
      return { opened: true, doubt };
    } catch (error) {
      if (!isImageError(error, 'invalid-header')) throw error;
      const { details } = error;
      const mended = attempt < MOST_FAULTS && (await mendFault(storage, log, details));
      if (!mended) {
        log.refuse('header-unknown', { values: { ...details } });
        return { opened: false, doubt };
      }
      doubt = true;
    }
  }
}

async function mendFault(storage: Overlay, log: RepairLog, fault: Fault): Promise<boolean> {
  const header = await readPadded(storage, 0, HEADER_READ);
  const fields = HEADER_V2.read(header);
  switch (fault.problem) {
    case 'refcount-table-offset':
    case 'refcount-table-too-large':
      if (!note(log, 'safe', 'refcountTableOffset', fields.refcountTableOffset, 0)) return false;
      await patch(storage, HEADER_V2.fields.refcountTableOffset, 0);
      await patch(storage, HEADER_V2.fields.refcountTableClusters, 0);
      return true;
    case 'header-too-short':
    case 'header-too-long': {
      const { headerLength } = HEADER_V3.read(header);
      if (!note(log, 'guess', 'headerLength', headerLength, KNOWN_HEADER_LENGTH)) return false;
      await patch(storage, HEADER_V3.fields.headerLength, KNOWN_HEADER_LENGTH);
      return true;
    }
    case 'l1-too-large':
    case 'l1-too-small':
      return mendL1Size(storage, log, header);
    case 'data-file-raw': {
      const host = { offset: 88, length: 8 };
      if (!log.add({ kind: 'clear-autoclear', class: 'safe', host })) return false;
      const { autoclearFeatures } = HEADER_V3.read(header);
      await patch(storage, HEADER_V3.fields.autoclearFeatures, autoclearFeatures & ~2n);
      return true;
    }
    case 'bitmaps-extension':
      return dropExtension(storage, log, EXTENSION_TYPE.bitmaps);
    case 'crypto-extension':
      // With LUKS encryption it is the only way to the keys.
      if (fields.cryptMethod === 2) return false;
      return dropExtension(storage, log, EXTENSION_TYPE.crypto);
    case 'backing-format-too-long':
      return dropExtension(storage, log, EXTENSION_TYPE.backingFormat);
    case 'extension-too-large':
      return dropExtension(storage, log, undefined);
    default:
      return false;
  }
}

/** Bytes that all fields of the header are in. */
const HEADER_READ = 512;

function note(
  log: RepairLog,
  level: RepairClass,
  field: string,
  from: number,
  to: number,
): boolean {
  const host = { offset: 0, length: KNOWN_HEADER_LENGTH };
  return log.add({ kind: 'header-field', class: level, host, values: { field, from, to } });
}

async function patch<Value>(storage: Overlay, field: Field<Value>, value: Value): Promise<void> {
  const bytes = new Uint8Array(field.size);
  field.write(new DataView(bytes.buffer), 0, value);
  await storage.write(field.offset, bytes);
}

/** As many entries as the disk needs, if the file has them. */
async function mendL1Size(storage: Overlay, log: RepairLog, header: Uint8Array): Promise<boolean> {
  const { clusterBits, size, l1Size, l1TableOffset, version } = HEADER_V2.read(header);
  const isExtended = version === 3 && (HEADER_V3.read(header).incompatibleFeatures & 16n) !== 0n;
  const clusterSize = powerOfTwo(clusterBits);
  const needed = Math.ceil(size / ((clusterSize / (isExtended ? 16 : 8)) * clusterSize));
  // With another cluster size than the image has, every table would be taken for something else.
  if (!(await countsFit(storage, header))) return false;
  // A table that is too short for its disk may as well be a disk that says too much of itself.
  if (needed * 8 > LIMITS.l1Bytes || l1TableOffset + needed * 8 > storage.size) return false;
  if (!note(log, 'guess', 'l1Size', l1Size, needed)) return false;
  await patch(storage, HEADER_V2.fields.l1Size, needed);
  return true;
}

/**
 * Whether the refcounts, read with the cluster size of the header, count the header and reach about
 * as far as the file does: only with the right one do they.
 */
async function countsFit(storage: Overlay, header: Uint8Array): Promise<boolean> {
  const fields = HEADER_V2.read(header);
  const { refcountTableOffset: offset, refcountTableClusters: clusters } = fields;
  const clusterSize = powerOfTwo(fields.clusterBits);
  const length = clusters * clusterSize;
  if (length > LIMITS.refcountTableBytes || offset + length > storage.size) return false;
  const bits = fields.version === 3 ? powerOfTwo(HEADER_V3.read(header).refcountOrder) : 16;
  const entries = (clusterSize * 8) / bits;
  const table = await readTable(storage, offset, length / 8);
  const countsOf = async (index: number) => {
    const at = (table[index * 2] as number) * TWO_32 + (table[index * 2 + 1] as number);
    if (at === 0 || at % clusterSize !== 0 || at + clusterSize > storage.size) return undefined;
    return decodeBlock(await readPadded(storage, at, clusterSize), bits);
  };
  let last = table.length / 2 - 1;
  while (last > 0 && table[last * 2] === 0 && table[last * 2 + 1] === 0) last--;
  const first = await countsOf(0);
  const end = last === 0 ? first : await countsOf(last);
  if (first?.[0] !== 1 || end === undefined) return false;
  let index = end.length - 1;
  while (index > 0 && end[index] === 0) index--;
  const reach = (last * entries + index + 1) * clusterSize;
  return reach > storage.size / 2 && reach <= alignUp(storage.size, clusterSize) + clusterSize;
}

/**
 * Takes an extension out of the header; those behind it move up.
 * @param type undefined: whatever follows the last one that can be read
 */
async function dropExtension(
  storage: Overlay,
  log: RepairLog,
  type: number | undefined,
): Promise<boolean> {
  const head = await readPadded(storage, 0, HEADER_READ);
  const { clusterBits, version, backingFileOffset } = HEADER_V2.read(head);
  const clusterSize = powerOfTwo(clusterBits);
  const start = version === 2 ? HEADER_V2.size : HEADER_V3.read(head).headerLength;
  const end = backingFileOffset === 0 ? clusterSize : backingFileOffset;
  const bytes = await readPadded(storage, 0, clusterSize);
  const kept = lenientExtensions(bytes, start, end).filter((one) => one.type !== type);
  const kind = type === EXTENSION_TYPE.bitmaps ? 'bitmaps-extension-dropped' : 'header-field';
  const values = { field: 'extensions', from: type ?? 0, to: kept.length };
  const action = { kind, class: 'loses-data', loses: 'unreadable', values } as const;
  if (!log.add({ ...action, host: { offset: start, length: end - start } })) return false;
  bytes.fill(0, start, end);
  let at = start;
  for (const { type: own, data } of kept) {
    EXTENSION.write(bytes, { type: own, length: data.length }, at);
    bytes.set(data, at + EXTENSION.size);
    at += EXTENSION.size + alignUp(data.length, 8);
  }
  await storage.write(0, bytes.subarray(0, clusterSize));
  if (type === EXTENSION_TYPE.bitmaps && version === 3) {
    const { autoclearFeatures } = HEADER_V3.read(head);
    await patch(storage, HEADER_V3.fields.autoclearFeatures, autoclearFeatures & ~1n);
  }
  return true;
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
