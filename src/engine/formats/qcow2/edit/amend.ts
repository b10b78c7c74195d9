/**
 * Other properties for an image that is there: version, refcount width, lazy refcounts, data file,
 * size. Specification: «Header». What is to be done first and last is QEMU's order, so that the same
 * demands are met and refused.
 */
import { ImageError, type AmendRefusal } from '../../../errors.ts';
import type { Qcow2Image } from '../image.ts';
import { BitmapDirectory } from './bitmaps.ts';
import { editQcow2 } from './open.ts';
import { changeRefcountWidth, type Steps } from './refcount-width.ts';
import { reopenQcow2, resizeQcow2, type Qcow2ResizeOptions } from './resize.ts';
import { readEntries, writeEntries } from './snapshot-table.ts';
import { expandZeroClusters } from './zero-expand.ts';

/** What is to be different; undefined stays as it is. */
export interface Qcow2Amendment {
  version?: 2 | 3 | undefined;
  /** Of the disk, bytes. */
  size?: number | undefined;
  lazyRefcounts?: boolean | undefined;
  refcountBits?: number | undefined;
  /** Only for an image that has a data file; '' takes the name away. */
  dataFileName?: string | undefined;
  /** Can only be taken back. */
  dataFileRaw?: boolean | undefined;
  /** What the backing file is said to be: it cannot become another one. */
  backing?: { readonly name: string | undefined; readonly format: string | undefined } | undefined;
  /** Changes the key slots of an encrypted image, in its storage. */
  changeKeys?: ((image: Qcow2Image) => Promise<unknown>) | undefined;
}

export interface Qcow2AmendOptions extends Pick<
  Qcow2ResizeOptions,
  'backingSize' | 'readBelow' | 'signal'
> {
  /** How far it is: each of several parts counts by how much there was to do in it. */
  steps?: Steps | undefined;
}

const INCOMPATIBLE = { dirty: 1n, compression: 8n } as const;
const LAZY = 1n;
const AUTOCLEAR_RAW = 2n;
/** What the old field for the size of a machine state can hold. */
const MAX_VM_STATE = 0xffffffff;

/**
 * Changes an image. It works on `image.storage` and `image.dataFile`, which are to be overlays; the
 * image itself does not see what changes.
 * @throws ImageError amend-refused, refcount-width, resize-refused, header-full, too-large, those of
 * editQcow2 and of damaged tables: what is in the overlay is worth nothing then
 */
export async function amendQcow2(
  image: Qcow2Image,
  wanted: Qcow2Amendment,
  options: Qcow2AmendOptions = {},
): Promise<void> {
  checkAmendment(image, wanted);
  const old = image.header;
  const version = wanted.version ?? old.version;
  const bits = wanted.refcountBits ?? old.refcountBits;
  const parts = [version !== old.version, bits !== old.refcountBits, wanted.changeKeys];
  const progress = new Progress(
    parts.filter((part) => part !== undefined && part !== false).length,
    options.steps,
  );
  let current = image;
  if (version > old.version) current = await upgrade(current, progress.part());
  if (wanted.changeKeys !== undefined) await wanted.changeKeys(current);
  if (bits !== old.refcountBits) {
    if (version < 3 && bits !== 16) refuse('narrow-in-v2');
    const writer = await editQcow2(current);
    await changeRefcountWidth(writer, bits, progress.part(), options.signal);
    current = await reopenQcow2(current);
  }
  await changeHeader(current, wanted, version);
  current = await reopenQcow2(current);
  if (wanted.size !== undefined && wanted.size !== 0) {
    await resizeQcow2(current, wanted.size, options);
    current = await reopenQcow2(current);
  }
  if (version < old.version) await downgrade(current, progress.part(), options.signal);
}

/**
 * What can be seen at once.
 * @throws ImageError amend-refused
 */
export function checkAmendment({ header }: Qcow2Image, wanted: Qcow2Amendment): void {
  if (wanted.dataFileName !== undefined && !header.hasDataFile) refuse('no-data-file');
  if (wanted.dataFileRaw === true && !header.dataFileRaw) refuse('data-file-raw');
}

function refuse(reason: AmendRefusal, features = ''): never {
  throw new ImageError('amend-refused', { reason, features });
}

/** From version 2 to 3, which demands more of the snapshot table. */
async function upgrade(image: Qcow2Image, steps: Steps): Promise<Qcow2Image> {
  steps(0, 2);
  const writer = await editQcow2(image);
  if (image.snapshots.some(({ extraDataSize }) => extraDataSize < 16)) {
    await writeEntries(writer, await readEntries(image), image.snapshotTable.size);
  }
  steps(1, 2);
  writer.header.fields.version = 3;
  await writer.flush();
  steps(2, 2);
  return reopenQcow2(image);
}

async function changeHeader(
  image: Qcow2Image,
  wanted: Qcow2Amendment,
  version: 2 | 3,
): Promise<void> {
  const { header, flush } = await headerOf(image);
  const { fields } = header;
  if (wanted.dataFileRaw === false) fields.autoclearFeatures &= ~AUTOCLEAR_RAW;
  header.dataFileName = wanted.dataFileName ?? header.dataFileName;
  const { backing } = wanted;
  if (backing !== undefined) {
    const hasName = backing.name === (header.backingName || undefined);
    if (!hasName || backing.format !== (header.backingFormat || undefined)) refuse('backing');
  }
  const isLazy = (fields.compatibleFeatures & LAZY) !== 0n;
  if (wanted.lazyRefcounts !== undefined && wanted.lazyRefcounts !== isLazy) {
    if (wanted.lazyRefcounts && version < 3) refuse('lazy');
    if (wanted.lazyRefcounts) fields.compatibleFeatures |= LAZY;
    else fields.compatibleFeatures &= ~LAZY;
  }
  await flush();
}

async function headerOf(image: Qcow2Image) {
  const writer = await editQcow2(image);
  return { header: writer.header, flush: () => writer.flush() };
}

/** From version 3 to 2. The order of the tests is QEMU's. */
async function downgrade(
  image: Qcow2Image,
  steps: Steps,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { header, snapshots, size } = image;
  if (header.refcountBits !== 16) refuse('refcount-bits');
  if (header.hasDataFile) refuse('data-file');
  const isLarge = snapshots.some((one) => one.vmStateSize > MAX_VM_STATE || one.diskSize !== size);
  if (isLarge) refuse('snapshots');
  const { incompatibleFeatures: features } = header;
  const others = features & ~INCOMPATIBLE.compression & ~INCOMPATIBLE.dirty;
  if (others !== 0n) refuse('features', `0x${others.toString(16)}`);
  const writer = await editQcow2(image);
  // Version 2 has nothing that would say whether they are still true.
  const directory = await BitmapDirectory.open(image, writer);
  for (const { name } of image.bitmaps) await directory.remove(name);
  await directory.flush();
  await writer.flush();
  const hasPacked = await expandZeroClusters(image, writer, steps, signal);
  const { fields } = writer.header;
  if (fields.compressionType !== 0 && hasPacked) refuse('zstd');
  fields.version = 2;
  fields.compressionType = 0;
  fields.incompatibleFeatures = 0n;
  fields.compatibleFeatures = 0n;
  fields.autoclearFeatures = 0n;
  writer.header.unknownFields = new Uint8Array(0);
  await writer.flush();
}

/** Several parts in a row as one: those that are still to come are taken for as long on average. */
class Progress {
  readonly #parts: number;
  readonly #steps: Steps | undefined;
  #finished = -1;
  #before = 0;
  #last = 0;

  constructor(parts: number, steps: Steps | undefined) {
    this.#parts = parts;
    this.#steps = steps;
  }

  /** The next part. */
  part(): Steps {
    this.#finished++;
    this.#before += this.#last;
    this.#last = 0;
    return (done, total) => {
      this.#last = total;
      const known = this.#before + total;
      const rest = this.#parts - this.#finished - 1;
      const projected = Math.floor((known * rest) / (this.#finished + 1));
      this.#steps?.(this.#before + done, known + projected);
    };
  }
}
