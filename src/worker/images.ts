import {
  BlobStorage,
  type Disk,
  type Gate,
  ImageError,
  inspect,
  isImageError,
  missingBytes,
  openImage,
} from '../engine/index.ts';
import type { ImageId, OpenedImage, OpenOptions } from './api.ts';

type Mode = 'read' | 'check' | 'info';

/** One open image. */
interface Entry {
  file: File;
  raw: boolean;
  disk: Disk;
  /** What the disk was opened for: less than `read` when its tables do not allow that. */
  mode: Mode;
  /** The files that were given for backing images, by who asked and the name that was asked for. */
  given: Map<string, File>;
  /** The first backing image that nobody gave; undefined when none is missing. */
  missing: string | undefined;
}

function sameFile(a: File, b: File): boolean {
  return a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
}

/** The images that are open in this worker. */
export class Images {
  readonly #entries = new Map<ImageId, Entry>();
  // Ids of a worker that died must not mean other images in the next one.
  #next = Math.floor(Math.random() * 2 ** 40);

  /** Opens an image. What it names is asked of nobody: see {@link attachBacking}. */
  async open(file: File, options: OpenOptions): Promise<OpenedImage> {
    return this.#enter(this.#next++, () => openEntry(file, options.raw === true, new Map()));
  }

  /** Opens it again with `file` for the backing image that is missing (else, for the first). */
  async attachBacking(id: ImageId, file: File): Promise<OpenedImage> {
    const old = this.#entry(id);
    const given = new Map(old.given);
    const wanted = old.missing ?? given.keys().next().value;
    if (wanted !== undefined) given.set(wanted, file);
    return this.#enter(id, () => openEntry(old.file, old.raw, given));
  }

  /** Forgets it. Jobs that are under way with it go on. */
  close(id: ImageId): void {
    this.#entries.delete(id);
  }

  /** The image for reading its guest content. @throws what forbids that */
  async disk(id: ImageId): Promise<Disk> {
    const entry = this.#entry(id);
    if (entry.mode === 'read') return entry.disk;
    return (await openAs(entry, 'read')).disk;
  }

  /** The image opened anew as a check wants it: with tables that no reader would take. */
  async diskToCheck(id: ImageId): Promise<Disk> {
    return (await openAs(this.#entry(id), 'check')).disk;
  }

  /** The files that the image consists of. */
  files(id: ImageId): File[] {
    const { file, given } = this.#entry(id);
    return [file, ...given.values()];
  }

  /** The open file of that name, the newest first; given backing images count too. */
  fileNamed(name: string): File | undefined {
    const files = [...this.#entries.keys()].flatMap((id) => this.files(id));
    return files.findLast((file) => file.name === name);
  }

  async #enter(id: ImageId, open: () => Promise<Entry>): Promise<OpenedImage> {
    const started = performance.now();
    const entry = await open();
    const info = await inspect(entry.disk);
    // Only a hint: tables that cannot be read for it are the business of the check.
    const missing = await missingBytes(entry.disk).catch(() => 0);
    this.#entries.set(id, entry);
    return { id, info, elapsed: performance.now() - started, missingBytes: missing };
  }

  #entry(id: ImageId): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new ImageError('internal', { reason: `no image ${id}` });
    return entry;
  }
}

type Source = Pick<Entry, 'file' | 'raw' | 'given'>;

/**
 * Opens for reading where that is possible; else for a check, else for its header alone: a damaged
 * image is still worth looking at. What reading says is what counts when nothing works.
 */
async function openEntry(file: File, raw: boolean, given: Map<string, File>): Promise<Entry> {
  const source = { file, raw, given };
  try {
    return await openAs(source, 'read');
  } catch (error) {
    if (!isImageError(error, 'invalid-header') && !isImageError(error, 'unsupported-feature')) {
      throw error;
    }
    for (const mode of ['check', 'info'] as const) {
      const entry = await openAs(source, mode).catch(() => undefined);
      if (entry !== undefined) return entry;
    }
    throw error;
  }
}

async function openAs(source: Source, mode: Mode): Promise<Entry> {
  const { file, raw, given } = source;
  const gate = new GivenFiles(file, given);
  const disk = await openImage(new BlobStorage(file), {
    mode,
    gate: gate.gate,
    strict: !raw,
    ...(raw ? { format: 'raw' } : {}),
  });
  return { ...source, disk, mode, missing: gate.missing };
}

/** Answers for the files that the person gave, and notes what else was asked for. */
class GivenFiles {
  missing: string | undefined;
  readonly #given: Map<string, File>;
  readonly #chain: File[];

  constructor(file: File, given: Map<string, File>) {
    this.#given = given;
    this.#chain = [file];
  }

  readonly gate: Gate = (request) => {
    const key = `${request.from}\0${request.name}`;
    const file = this.#given.get(key);
    if (file === undefined) {
      this.missing ??= key;
      return Promise.resolve(undefined);
    }
    const storage = new BlobStorage(file, this.#nameFor(file));
    this.#chain.push(file);
    return Promise.resolve(storage);
  };

  /**
   * A chain that comes back to a name is a loop. Files of two folders may share a name though, and
   * folders are not known here: another file then gets another name.
   */
  #nameFor(file: File): string {
    const names = this.#chain.filter((other) => other.name === file.name);
    if (names.length === 0 || names.some((other) => sameFile(other, file))) return file.name;
    return `${file.name} (${names.length + 1})`;
  }
}
