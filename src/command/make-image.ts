/**
 * Making an image in any format, or for a destination: what `convert` does, for those who have no
 * command line. The options are those of `-o`.
 */
import {
  convertInto,
  convertToQcow2,
  convertToRaw,
  ImageError,
  packingIn,
  sizeFor,
  vmfsDescriptor,
  writeOva,
  writeRawTarGz,
  ZeroDisk,
  type CodecPool,
  type Destination,
  type HasherFactory,
  type PackingStyle,
} from '../engine/index.ts';
import type { Disk, NewFiles } from '../engine/formats/format.ts';
import type { ReadOrder } from '../engine/operations/file-order.ts';
import type { Progress } from '../engine/operations/operation.ts';
import type { CommandHost } from './host.ts';
import type { Context } from './context.ts';
import { targetFormat } from './creation/index.ts';
import { CREATION_TYPES, CreationValues, FILE_TYPES } from './creation-values.ts';
import { OptionFault } from './option-text.ts';
import { qcow2Options } from './qcow2-options.ts';
import { Secrets } from './secrets.ts';

/** What an image is to be. */
export interface ImageWish {
  readonly format: string;
  /** Creation options, as `-o` takes them. */
  readonly options: Readonly<Record<string, string>>;
  /** Whether clusters are packed; some formats always do. */
  readonly compress: boolean;
  /** Bytes of the disk, where it is to be longer than the sources: zeros are behind them. */
  readonly size?: number | undefined;
}

export interface MakeOptions {
  /** Of the result: files beside it are called after it. */
  readonly name: string;
  readonly pool?: CodecPool | undefined;
  /** What clusters packed by zlib are to be like; those of qemu-img where it is not given. */
  readonly packing?: PackingStyle | undefined;
  readonly hasher?: HasherFactory | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: Progress) => void) | undefined;
  /** In which order a qcow2 image is written: `guest` by default, which is qemu-img's layout. */
  readonly order?: ReadOrder | undefined;
}

/** What was made. Bytes. */
export interface MadeImage {
  /** Of the disk. */
  readonly size: number;
  /** Guest bytes that were read and copied. */
  readonly copied: number;
}

/**
 * Writes disks, one behind the other, into a new image.
 * @param files `main` is empty; it can be read back
 * @throws ImageError unsupported-feature for a format or an option that there is not; too-large,
 * cancelled and those of reading and writing. What was written is unfinished then.
 */
export async function makeImage(
  disks: readonly Disk[],
  files: NewFiles,
  wish: ImageWish,
  options: MakeOptions,
): Promise<MadeImage> {
  const total = disks.reduce((sum, disk) => sum + disk.size, 0);
  const missing = (wish.size ?? 0) - total;
  const sources = missing > 0 ? [...disks, new ZeroDisk(missing)] : disks;
  const size = Math.max(total, wish.size ?? 0);
  try {
    if (wish.format === 'raw') return await makeRaw(sources, files, size, options);
    if (wish.format === 'qcow2') return await makeQcow2(sources, files, wish, options);
    return await makeForeign(sources, files, { wish, size }, options);
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    const { message } = error;
    throw new ImageError('unsupported-feature', { feature: message, message }, { cause: error });
  }
}

async function makeRaw(
  disks: readonly Disk[],
  { main }: NewFiles,
  size: number,
  { pool, signal, progress }: MakeOptions,
): Promise<MadeImage> {
  let targetOffset = 0;
  let copied = 0;
  for (const disk of disks) {
    const start = targetOffset;
    const report = await convertToRaw(disk, main, {
      ...{ pool, signal, targetOffset },
      progress: (step) => progress?.({ ...step, done: start + step.done, total: size }),
    });
    copied += report.copied;
    targetOffset += disk.size;
  }
  if (main.size < size) await main.resize(size);
  return { size, copied };
}

async function makeQcow2(
  disks: readonly Disk[],
  { main }: NewFiles,
  { options, compress }: ImageWish,
  { pool, packing, signal, progress, order }: MakeOptions,
): Promise<MadeImage> {
  const image = await qcow2Options(withoutHost(signal), valuesOf(options, CREATION_TYPES.qcow2));
  const how = { compress, packing, pool, signal, progress, order };
  return convertToQcow2(disks, main, { image, ...how });
}

async function makeForeign(
  disks: readonly Disk[],
  files: NewFiles,
  { wish, size }: { wish: ImageWish; size: number },
  { name, pool, packing, signal, progress }: MakeOptions,
): Promise<MadeImage> {
  const format = await targetFormat(wish.format);
  if (format === undefined) throw new OptionFault(`making ${wish.format} images`);
  const values = valuesOf(wish.options, { ...FILE_TYPES, ...format.types });
  const context = withoutHost(signal);
  const prepared = await format.prepare(context, { values, size, name, backing: undefined });
  if (prepared.size < size) throw new OptionFault(`a disk of ${String(size)} bytes`);
  const writer = await prepared.create(files);
  const compress = wish.compress || writer.alwaysPacks === true;
  if (compress && writer.packing === undefined) {
    throw new OptionFault(`packing ${wish.format} images`);
  }
  const { clusterSize } = writer;
  const codec = packingIn(packing, writer.packing ?? 'zlib');
  const report = await convertInto(disks, writer, {
    ...{ clusterSize, codec, compress, pool, signal, progress },
    targetIsZero: writer.noiseAtFirst !== true,
  });
  await writer.flush();
  return { size: prepared.size, copied: report.copied };
}

function valuesOf(
  options: Readonly<Record<string, string>>,
  types: ConstructorParameters<typeof CreationValues>[1],
): CreationValues {
  const list = Object.entries(options).map(([name, value]) => {
    return `${name}=${value.replaceAll(',', ',,')}`;
  });
  return new CreationValues(list.join(','), types, () => undefined);
}

/** For those who only read options: there are no files and no secrets to be had. */
function withoutHost(signal: AbortSignal | undefined): Context {
  const refuse = () =>
    Promise.reject(new ImageError('unsupported-feature', { feature: 'files of options' }));
  const host: CommandHost = {
    ...{ open: refuse, create: refuse },
    stdout: () => undefined,
    stderr: () => undefined,
  };
  return { host, secrets: new Secrets(host), signal };
}

/** What was made for a destination, with the names of all files in the order of their making. */
export interface MadeFor extends MadeImage {
  readonly files: string[];
}

/**
 * Writes a disk so that a destination takes it: in its format, with a size that it has, and in the
 * archive that it wants.
 * @throws ImageError as {@link makeImage}
 */
export async function makeFor(
  disk: Disk,
  files: NewFiles,
  destination: Destination,
  options: MakeOptions,
): Promise<MadeFor> {
  const { recipe } = destination;
  const size = sizeFor(destination, disk.size);
  const names = [options.name];
  const noted: NewFiles = {
    main: files.main,
    beside: async (name) => {
      const storage = await files.beside(name);
      names.push(name);
      return storage;
    },
  };
  const wish = { ...recipe, size };
  switch (recipe.container) {
    case 'none':
      return { ...(await makeImage([disk], noted, wish, options)), files: names };
    case 'tar.gz': {
      const copied = await writeRawTarGz(disk, files.main, size, { ...options, time: now() });
      return { size, copied, files: names };
    }
    case 'ova':
      return { ...(await makeOva(disk, files, wish, options)), files: names };
    case 'vmfs-pair':
      return { ...(await makePair(disk, noted, wish, options)), files: names };
  }
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

async function makeOva(
  disk: Disk,
  files: NewFiles,
  wish: ImageWish,
  options: MakeOptions,
): Promise<MadeImage> {
  const name = plainName(options.name);
  let made: MadeImage = { size: disk.size, copied: 0 };
  await writeOva(
    files.main,
    name,
    async (main) => {
      const own: NewFiles = { main, beside: (other) => files.beside(other) };
      made = await makeImage([disk], own, wish, { ...options, name: `${name}-disk1.vmdk` });
      return { capacity: made.size, populated: made.copied };
    },
    { ...options, time: now() },
  );
  return made;
}

/** A raw file and the text that describes it. */
async function makePair(
  disk: Disk,
  files: NewFiles,
  wish: ImageWish,
  options: MakeOptions,
): Promise<MadeImage> {
  const flatName = `${plainName(options.name)}-flat.vmdk`;
  const flat = await files.beside(flatName);
  const own: NewFiles = { main: flat, beside: (name) => files.beside(name) };
  const made = await makeImage([disk], own, wish, options);
  const [contentId = 0] = crypto.getRandomValues(new Uint32Array(1));
  // The last id of all means that there is no parent.
  const text = vmfsDescriptor({ flatName, size: made.size, contentId: contentId >>> 1 });
  await files.main.write(0, new TextEncoder().encode(text));
  return made;
}

/** A name without directories and suffix, in characters that every archive and program takes. */
function plainName(name: string): string {
  const [last = ''] = name.split(/[/\\]/).slice(-1);
  const plain = last.replace(/\.[^.]*$/, '').replace(/[^A-Za-z0-9._-]/g, '_');
  return plain.slice(0, 64) || 'disk';
}
