/** Telling formats apart, and opening a chain of images of any of them. */
import { SECTOR } from '../binary/units.ts';
import { ImageError } from '../errors.ts';
import { readFront } from '../storage/partial.ts';
import { readPadded, type Storage } from '../storage/storage.ts';
import { driverNames, driverOf, PROBE_FIRST, PROBE_LAST, probeDrivers } from './drivers.ts';
import type {
  Disk,
  FormatName,
  Gate,
  GateAnswer,
  LayeredDisk,
  OpenMode,
  ProbedFile,
  SizeRule,
  Unlock,
} from './format.ts';
import { identify, looksLikeDisk } from './identify.ts';
import { isLayered } from './layered.ts';
import { METADATA_BUDGET, SHARES } from './qcow2/budget.ts';
import { isQcow1, isQcow2 } from './qcow2/header.ts';
import { openQcow2, Qcow2Image } from './qcow2/image.ts';
import { unlockQcow2 } from './qcow2/unlock.ts';
import { RawDisk } from './raw.ts';

/** Formats that can be opened, in the order of the alphabet as in qemu-img's help. */
export const FORMAT_NAMES: readonly FormatName[] = [...driverNames(), 'qcow2', 'raw'].sort(
  (a, b) => (a < b ? -1 : 1),
) as FormatName[];

export interface OpenOptions {
  /** Take it for this format; by default the content decides, with raw as the last resort. */
  format?: FormatName | undefined;
  /**
   * Asked for every file that the image names; without a gate, none of them is opened. Images below
   * are asked for only in mode `read`.
   */
  gate?: Gate | undefined;
  /**
   * Asked of an image that names no backing file, whether it is to have one all the same; the gate
   * is then asked for a file without a name.
   */
  addsBacking?: (() => boolean) | undefined;
  /** Asked for the passphrase of an encrypted image; without it, such an image stays locked. */
  unlock?: Unlock | undefined;
  /** What it is opened for; `read` by default. */
  mode?: OpenMode | undefined;
  /** Refuse what is raw only for want of anything better: text, a web page, an empty file. */
  strict?: boolean | undefined;
  /**
   * Formats that are known by the end of the file alone (a fixed VHD, a DMG) are recognised, too,
   * which qemu-img does not do.
   */
  looksAtEnd?: boolean | undefined;
  /** Open also what qemu-img refuses, where the content is beyond doubt. */
  lenient?: boolean | undefined;
  /** Of a VHD, which has two sizes; by default its creator decides. Not of images below. */
  sizeRule?: SizeRule | undefined;
}

/** What a disk begins with is looked at so far, when it is to be told from other things. */
const PROBE_BYTES = 68 * 1024;

/** Deep chains are followed as far as this; nobody has longer ones, loops do. */
const MAX_DEPTH = 200;

/**
 * Opens an image and, through the gate, its backing images.
 * @throws ImageError invalid-header, unknown-features, not-a-disk-image, backing-loop and those of
 * reading; wrong-passphrase where `unlock` gives up after one; too-large. A refused or missing file or
 * passphrase is no error: the disk says `backingMissing` or `contentMissing`.
 */
export async function openImage(storage: Storage, options: OpenOptions = {}): Promise<Disk> {
  return openChain(storage, options, { seen: new Set(), depth: 0, tableBytes: 0 });
}

/** What lies above an image in its chain. */
interface Above {
  readonly seen: Set<string>;
  readonly depth: number;
  /** What the L1 tables of these images take in memory. */
  readonly tableBytes: number;
}

async function openChain(
  storage: Storage,
  options: OpenOptions,
  { seen, depth, tableBytes: tablesAbove }: Above,
): Promise<Disk> {
  const disk = await openOne(storage, options);
  if (!isLayered(disk) || (options.mode ?? 'read') !== 'read') return disk;
  const { gate, unlock, addsBacking, looksAtEnd, lenient } = options;
  if (disk instanceof Qcow2Image) {
    await unlockQcow2(disk, unlock);
    if (gate !== undefined) await attachDataFile(disk, gate);
  }
  if (gate === undefined) return disk;
  if (disk.backingName === '' && addsBacking?.() !== true) return disk;
  const tableBytes = tablesAbove + disk.tableBytes;
  // The next one may take as much as the format allows.
  if (tableBytes + SHARES.l1 >= METADATA_BUDGET) {
    const details = { what: 'L1 tables of the chain', value: String(tableBytes) };
    throw new ImageError('too-large', { ...details, limit: METADATA_BUDGET });
  }
  const answer = await gate(requestBelow(disk));
  if (answer === 'none') disk.withoutBacking = true;
  if (answer === undefined || answer === 'none') return disk;
  const backing = storageOf(answer);
  if (seen.has(backing.name) || backing.name === storage.name || depth >= MAX_DEPTH) {
    await backing.close();
    throw new ImageError('backing-loop', { name: backing.name });
  }
  const format = disk.backingFormat;
  const named = FORMAT_NAMES.find((candidate) => candidate === format);
  const known = 'storage' in answer ? answer.format : named;
  if (!('storage' in answer) && format !== '' && named === undefined) {
    await backing.close();
    throw new ImageError('unsupported-feature', { feature: `backing format ${format}` });
  }
  seen.add(storage.name);
  const above = { seen, depth: depth + 1, tableBytes };
  const below = { gate, unlock, addsBacking, looksAtEnd, lenient, format: known };
  const layered: LayeredDisk = disk;
  layered.backing = await openChain(backing, below, above);
  layered.acceptBacking?.(layered.backing);
  return disk;
}

function requestBelow(disk: LayeredDisk) {
  const { backingName: name, backingFormat: format, backingNames: otherNames, storage } = disk;
  const more = otherNames === undefined ? {} : { otherNames };
  return { kind: 'backing' as const, name, format, from: storage.name, ...more };
}

/** «External data file»: the guest's bytes as they are, at their own offsets. */
async function attachDataFile(disk: Qcow2Image, gate: Gate): Promise<void> {
  const { hasDataFile, dataFileName: name } = disk.header;
  if (!hasDataFile) return;
  const from = disk.storage.name;
  const answer = await gate({ kind: 'data-file', name, format: 'raw', from });
  disk.dataFile = answer === undefined || answer === 'none' ? undefined : storageOf(answer);
}

function storageOf(answer: Storage | GateAnswer): Storage {
  return 'storage' in answer ? answer.storage : answer;
}

async function openOne(storage: Storage, options: OpenOptions): Promise<Disk> {
  const { format, mode = 'read', gate, unlock, lenient = false, sizeRule } = options;
  if (format === 'raw') return new RawDisk(storage);
  const { bytes: first, error } = await readFront(storage, PROBE_BYTES);
  if (first.length === 0 && error !== undefined) throw error;
  if (format === 'qcow2' || (format === undefined && isQcow2(first) && !isQcow1(first))) {
    if (isQcow2(first)) return openQcow2(storage, mode);
    throw notThis(storage, first, 'qcow2');
  }
  const found = format ?? (await probe(storage, first, options));
  const driver = found === undefined ? undefined : await driverOf(found);
  if (driver !== undefined) return driver.open(storage, { mode, gate, unlock, lenient, sizeRule });
  if (options.strict === true && !looksLikeDisk(first, storage.size)) {
    throw notThis(storage, first, '');
  }
  return new RawDisk(storage);
}

/** The format by a file's content (for DMG: its name), undefined for qcow2 and raw. */
async function probe(
  storage: Storage,
  first: Uint8Array,
  { looksAtEnd }: OpenOptions,
): Promise<FormatName | undefined> {
  const { name, size } = storage;
  const file: ProbedFile = { first: first.subarray(0, PROBE_FIRST), last: undefined, size, name };
  const found = probeDrivers(file);
  if (found !== undefined || looksAtEnd !== true || size < SECTOR) return found;
  const length = Math.min(PROBE_LAST, size);
  const last = await readPadded(storage, size - length, length);
  return probeDrivers({ ...file, last });
}

function notThis({ name, size }: Storage, first: Uint8Array, format: string): ImageError {
  const looksLike = identify(first, size);
  return new ImageError('not-a-disk-image', { format, name, size, looksLike });
}
