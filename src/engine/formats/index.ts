/** All formats in probe order, and opening a chain of them. */
import { ImageError } from '../errors.ts';
import { readFront } from '../storage/partial.ts';
import type { Storage } from '../storage/storage.ts';
import type { Disk, FormatName, Gate, GateAnswer, Unlock } from './format.ts';
import { identify, looksLikeDisk } from './identify.ts';
import { METADATA_BUDGET, SHARES } from './qcow2/budget.ts';
import { isQcow2, type OpenMode } from './qcow2/header.ts';
import { openQcow2, Qcow2Image } from './qcow2/image.ts';
import { unlockQcow2 } from './qcow2/unlock.ts';
import { RawDisk } from './raw.ts';

/** qemu-img's order of formats in its help. */
export const FORMAT_NAMES: readonly FormatName[] = ['qcow2', 'raw'];

export interface OpenOptions {
  /** Take it for this format; by default the content decides, with raw as the last resort. */
  format?: FormatName | undefined;
  /** Asked for every file that the image names; without a gate, none of them is opened. */
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
  if (!(disk instanceof Qcow2Image) || (options.mode ?? 'read') !== 'read') return disk;
  const { gate, unlock, addsBacking } = options;
  await unlockQcow2(disk, unlock);
  if (gate === undefined) return disk;
  await attachDataFile(disk, gate);
  if (disk.header.backingName === '' && addsBacking?.() !== true) return disk;
  const tableBytes = tablesAbove + disk.l1.byteLength;
  // The next one may take as much as the format allows.
  if (tableBytes + SHARES.l1 >= METADATA_BUDGET) {
    const details = { what: 'L1 tables of the chain', value: String(tableBytes) };
    throw new ImageError('too-large', { ...details, limit: METADATA_BUDGET });
  }
  const name = disk.header.backingName;
  const format = disk.header.backingFormat;
  const answer = await gate({ kind: 'backing', name, format, from: storage.name });
  if (answer === 'none') disk.withoutBacking = true;
  if (answer === undefined || answer === 'none') return disk;
  const backing = storageOf(answer);
  if (seen.has(backing.name) || backing.name === storage.name || depth >= MAX_DEPTH) {
    await backing.close();
    throw new ImageError('backing-loop', { name: backing.name });
  }
  const named = FORMAT_NAMES.find((candidate) => candidate === format);
  const known = 'storage' in answer ? answer.format : named;
  if (!('storage' in answer) && format !== '' && named === undefined) {
    await backing.close();
    throw new ImageError('unsupported-feature', { feature: `backing format ${format}` });
  }
  seen.add(storage.name);
  const above = { seen, depth: depth + 1, tableBytes };
  disk.backing = await openChain(backing, { gate, unlock, addsBacking, format: known }, above);
  return disk;
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
  if (options.format === 'raw') return new RawDisk(storage);
  const { bytes: first, error } = await readFront(storage, PROBE_BYTES);
  if (first.length === 0 && error !== undefined) throw error;
  if (isQcow2(first)) return openQcow2(storage, options.mode ?? 'read');
  const named = options.format === 'qcow2';
  if (named || (options.strict === true && !looksLikeDisk(first, storage.size))) {
    const looksLike = identify(first, storage.size);
    const { name, size } = storage;
    throw new ImageError('not-a-disk-image', {
      format: named ? 'qcow2' : '',
      name,
      size,
      looksLike,
    });
  }
  return new RawDisk(storage);
}
