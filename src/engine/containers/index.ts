/** Opening files that others are wrapped in. */
import { readFront } from '../storage/partial.ts';
import type { Storage } from '../storage/storage.ts';
import { bzip2Decoder } from './bzip2.ts';
import {
  baseName,
  containerFault,
  DecodeFault,
  DISK_PROBE,
  type Container,
  type ContainerEntry,
  type ContainerKind,
  type OpenContainerOptions,
  type Scratch,
  type Whose,
} from './container.ts';
import { DecodedStorage, decodeThrough, type Part } from './decoded-storage.ts';
import type { Decoder } from './decoder.ts';
import { containerOf } from './container-of.ts';
import { GzipDecoder, gzipName } from './gzip.ts';
import { Likeness } from './likeness.ts';
import { openTarFile, readTar, type TarFile } from './tar.ts';
import { xzDecoder, xzParts } from './xz.ts';
import { openZipFile, peekZipFile, readZipFiles, type ListedZipFile } from './zip.ts';
import { ZstdDecoder, zstdParts } from './zstd.ts';

/**
 * Opens a file that others are wrapped in: lists them, and looks at the first bytes of each.
 * @throws ImageError container-invalid, not-a-disk-image and those of reading
 */
export async function openContainer(
  storage: Storage,
  options: OpenContainerOptions = {},
): Promise<Container | undefined> {
  const kind = await containerOf(storage);
  if (kind === undefined) return undefined;
  const whose = { name: storage.name, container: kind };
  try {
    if (kind === 'tar') return await openTar(storage, whose, options);
    if (kind === 'zip') return await openZip(storage, whose, options);
    return await openPacked(storage, { ...whose, container: kind }, options);
  } catch (fault) {
    throw told(whose, fault);
  }
}

function told(whose: Whose, error: unknown): unknown {
  return error instanceof DecodeFault ? containerFault(whose, error.problem, error) : error;
}

async function openTar(
  storage: Storage,
  whose: Whose,
  options: OpenContainerOptions,
): Promise<Container> {
  const files = await readTar(storage, options.watch);
  const likeness = new Likeness(options);
  const known = new Map<ContainerEntry, TarFile>();
  for (const file of files) {
    const { name, size, refusal } = file;
    const isLikelyDisk = await likeness.of(name, size, async () => {
      return (await readFront(openTarFile(storage, file), DISK_PROBE)).bytes;
    });
    known.set({ name, size, kind: 'file', isLikelyDisk, refusal }, file);
  }
  return {
    kind: whose.container,
    entries: [...known.keys()],
    open: (entry) => {
      const file = known.get(entry);
      if (file === undefined || file.refusal !== undefined) {
        const problem = file?.refusal ?? 'damaged';
        return Promise.reject(containerFault({ ...whose, entry: entry.name }, problem));
      }
      return Promise.resolve(openTarFile(storage, file));
    },
  };
}

async function openZip(
  storage: Storage,
  whose: Whose,
  options: OpenContainerOptions,
): Promise<Container> {
  const files = await readZipFiles(storage);
  const likeness = new Likeness(options);
  const known = new Map<ContainerEntry, ListedZipFile>();
  for (const file of files) {
    const { name, size, refusal } = file;
    const isLikelyDisk = await likeness.of(name, size, () => peekZipFile(storage, file));
    known.set({ name, size, kind: 'file', isLikelyDisk, refusal }, file);
  }
  return {
    kind: whose.container,
    entries: [...known.keys()],
    open: async (entry, scratch) => {
      const file = known.get(entry);
      const mine = { ...whose, entry: entry.name };
      if (file === undefined || file.refusal !== undefined) {
        throw containerFault(mine, file?.refusal ?? 'damaged');
      }
      try {
        return await openZipFile(storage, file, mine, scratch);
      } catch (fault) {
        throw told(mine, fault);
      }
    },
  };
}

/** Kinds that have one file in them, and no directory. */
type PackedKind = Exclude<ContainerKind, 'tar' | 'zip'>;

/** How a kind is unpacked, and in which parts where the file tells them. */
const PACKED: Record<
  PackedKind,
  {
    decoder: (storage: Storage) => Decoder;
    parts?: (storage: Storage, options: OpenContainerOptions) => Promise<Part[] | undefined>;
  }
> = {
  gzip: { decoder: (storage) => new GzipDecoder(storage) },
  bzip2: { decoder: bzip2Decoder },
  xz: { decoder: xzDecoder, parts: xzParts },
  zstd: {
    decoder: (storage) => new ZstdDecoder(storage),
    parts: (storage, { watch }) => zstdParts(storage, watch),
  },
};

async function openPacked(
  storage: Storage,
  whose: Whose & { container: PackedKind },
  options: OpenContainerOptions,
): Promise<Container> {
  const { decoder, parts: partsOf } = PACKED[whose.container];
  const noted = whose.container === 'gzip' ? await gzipName(storage) : '';
  const name = innerName(storage.name, baseName(noted));
  const parts = await partsOf?.(storage, options);
  const last = parts?.at(-1);
  const size = parts === undefined ? undefined : last === undefined ? 0 : last.offset + last.length;
  const likeness = new Likeness(options);
  const isLikelyDisk = await likeness.of(name, size, () => peek(decoder(storage), DISK_PROBE));
  const entry: ContainerEntry = { name, size, kind: 'file', isLikelyDisk, refusal: undefined };
  const source = { whose, name, packed: storage.size };
  return {
    kind: whose.container,
    entries: [entry],
    open: (_entry, scratch: Scratch) =>
      parts === undefined
        ? decodeThrough(source, decoder(storage), scratch)
        : DecodedStorage.open(source, parts, scratch),
  };
}

/** The first bytes that come out; fewer where there are no more. */
export async function peek(decoder: Decoder, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const first = new Uint8Array(length);
  let at = 0;
  try {
    while (at < length) {
      const bytes = await decoder.next();
      if (bytes === undefined) break;
      const piece = bytes.subarray(0, length - at);
      first.set(piece, at);
      at += piece.length;
    }
  } finally {
    decoder.close();
  }
  return first.subarray(0, at);
}

const SUFFIX = /\.(gz|gzip|xz|zst|zstd|bz2|bzip2)$/i;
const TAR_SUFFIX = /\.t(gz|xz|zst|bz2|bz)$/i;

/** What the content of a packed file is called. */
function innerName(name: string, noted: string): string {
  if (TAR_SUFFIX.test(name)) return name.replace(TAR_SUFFIX, '.tar');
  const plain = name.replace(SUFFIX, '');
  if (plain !== name && plain !== '') return plain;
  return noted === '' ? name : noted;
}
