import {
  BlobStorage,
  type Disk,
  ImageError,
  inspect,
  isEncrypted,
  isImageError,
  missingBytes,
  openImage,
  openSnapshot,
  Qcow2Image,
  type Storage,
  type Unwrapped,
} from '../engine/index.ts';
import { acceptanceOf } from './acceptance.ts';
import type {
  GivenFile,
  ImageId,
  OpenedImage,
  OpenOptions,
  MadeEdit,
  PendingChanges,
  SnapshotChoice,
} from './api.ts';
import { describeChain } from './chain.ts';
import { matchFiles } from './match-files.ts';
import { type Asked, GivenFiles, type Instead, type Refusal } from './given-files.ts';
import { noteFile } from './same-media.ts';
import { toWire } from './wire.ts';

export type Mode = 'read' | 'check' | 'info';
export type Cipher = NonNullable<Disk['cipher']>;

/** One open image. */
interface Entry extends Source {
  disk: Disk;
  /** What the disk was opened for: less than `read` when its tables do not allow that. */
  mode: Mode;
  /** Why it could not be opened for reading. */
  problem: unknown;
  /** What was asked for down the chain, and the answers. */
  asked: readonly Asked[];
}

/** What an image is opened from. */
interface Source {
  file: File;
  raw: boolean;
  /** The files that were given for what the image names, by their place (`keyOf`). */
  given: ReadonlyMap<string, File>;
  /** What unlocks encrypted files of the chain. The passphrases themselves are not kept. */
  ciphers: ReadonlyMap<File, Cipher>;
  /** What its file wraps, which is then what is opened. */
  wrapped?: Unwrapped | undefined;
  /** The image with changes that are not saved, in place of its file. */
  changed?: Changed | undefined;
  /** Changes that were taken back, the one that comes next first. */
  undone?: readonly MadeEdit[];
}

/** An image's file with changes that are not saved. */
export interface Changed {
  readonly storage: Storage;
  readonly summary: PendingChanges;
  /** What the changes put below it: in its place of the chain, and what unlocks it. */
  readonly given: ReadonlyMap<string, File>;
  readonly ciphers: ReadonlyMap<File, Cipher>;
}

/** The images that are open in this worker. */
export class Images {
  readonly #entries = new Map<ImageId, Entry>();
  /** Changes of an image wait for each other. */
  readonly #turns = new Map<ImageId, Promise<unknown>>();
  // Ids of a worker that died must not mean other images in the next one.
  #next = Math.floor(Math.random() * 2 ** 40);

  /** Opens an image. What it names is asked of nobody: see {@link attach}. */
  async open(file: File, options: OpenOptions): Promise<OpenedImage> {
    const raw = options.raw === true;
    const source = { file, raw, given: new Map<string, File>(), ciphers: new Map<File, Cipher>() };
    return this.#enter(this.#next++, () => openEntry(source));
  }

  /** Opens the disk that was found in a file. Closing the image removes what was unpacked. */
  async openInside(file: File, raw: boolean, wrapped: Unwrapped): Promise<OpenedImage> {
    const nothing = { given: new Map<string, File>(), ciphers: new Map<File, Cipher>() };
    return this.#enter(this.#next++, () => openEntry({ file, raw, ...nothing, wrapped }));
  }

  /** Opens it again with `file` at that place of its chain. */
  attach(id: ImageId, key: string, file: File): Promise<OpenedImage> {
    return this.#inTurn(id, () => this.#reopen(id, (given) => given.set(key, file)));
  }

  /** The same without a file there. */
  detach(id: ImageId, key: string): Promise<OpenedImage> {
    return this.#inTurn(id, () => this.#reopen(id, (given) => given.delete(key)));
  }

  /** Gives each missing place the file that has its name, as long as there are such places. */
  attachAll(id: ImageId, files: readonly GivenFile[]): Promise<OpenedImage> {
    return this.#inTurn(id, async () => {
      let opened = await this.#reopen(id, () => undefined);
      for (;;) {
        const matches = matchFiles(opened.chain, files);
        if (matches.size === 0) return opened;
        opened = await this.#reopen(id, (given) => {
          for (const [key, file] of matches) given.set(key, file);
        });
      }
    });
  }

  /**
   * Unlocks a file of the chain, which its disk then is.
   * @throws ImageError wrong-passphrase and what is wrong with its encryption header
   */
  async unlock(
    id: ImageId,
    key: string,
    passphrase: Uint8Array<ArrayBuffer>,
  ): Promise<OpenedImage> {
    try {
      return await this.#inTurn(id, async () => {
        const entry = this.#entry(id);
        const file = fileAt(entry, key);
        const storage = file === entry.file ? contentOf(entry) : new BlobStorage(file);
        const cipher = await cipherOf(storage, passphrase);
        const ciphers = new Map(entry.ciphers).set(file, cipher);
        return this.#enter(id, () => openEntry({ ...entry, ciphers }));
      });
    } finally {
      passphrase.fill(0);
    }
  }

  /** Shows it with changes that are not saved, or again without any. */
  change(
    id: ImageId,
    changed: Changed | undefined,
    undone: readonly MadeEdit[],
  ): Promise<OpenedImage> {
    return this.#inTurn(id, () => {
      const entry = this.#entry(id);
      return this.#enter(id, () => openEntry({ ...entry, changed, undone }));
    });
  }

  /** Whether something is kept of changes: some that are not saved, or were taken back. */
  keepsChanges(id: ImageId): boolean {
    return this.hasChanges(id) || (this.#entries.get(id)?.undone ?? []).length > 0;
  }

  /** Whether it has changes that are not saved. */
  hasChanges(id: ImageId): boolean {
    return this.#entries.get(id)?.changed !== undefined;
  }

  /** Its file, which is the image without changes that are not saved. */
  file(id: ImageId): File {
    return this.#entry(id).file;
  }

  /** Opens it and its chain with another content of its file. */
  async openWith(id: ImageId, storage: Storage, mode: Mode): Promise<Disk> {
    return (await openAs(this.#entry(id), mode, { content: storage })).disk;
  }

  /** The same for writing into that content: only what qemu-img, too, would write into. */
  async openForChange(id: ImageId, storage: Storage, mode: Mode = 'read'): Promise<Disk> {
    return (await openAs(this.#entry(id), mode, { content: storage, lenient: false })).disk;
  }

  /** Its chain with another content of one of the files that were given, to be written into. */
  async openAbove(id: ImageId, instead: Instead): Promise<Pick<Entry, 'disk' | 'asked'>> {
    return openAs({ ...this.#entry(id), changed: undefined }, 'read', { instead, lenient: false });
  }

  /** Its disk and what was asked for down its chain, with the files that were given. */
  chain(id: ImageId): Pick<Entry, 'file' | 'disk' | 'asked' | 'ciphers' | 'wrapped'> {
    return this.#entry(id);
  }

  /** The bytes of the image without changes that are not saved. */
  content(id: ImageId): Storage {
    return contentOf(this.#entry(id));
  }

  /** The bytes of the image as it is shown, with changes that are not saved. */
  shown(id: ImageId): Storage {
    const entry = this.#entry(id);
    return entry.changed?.storage ?? contentOf(entry);
  }

  /** The open image whose own file has that name, the newest first. */
  imageNamed(name: string): ImageId | undefined {
    return [...this.#entries].findLast(([, { file }]) => file.name === name)?.[0];
  }

  /** All files that are open here, to be given to images that miss them. */
  allFiles(): GivenFile[] {
    const files = [...this.#entries.keys()].flatMap((id) => this.files(id));
    return [...new Set(files)].map((file) => ({ file, path: file.name }));
  }

  /** The virtual machine that it was exported with; undefined: it was not. */
  appliance(id: ImageId): Unwrapped['appliance'] {
    return this.#entry(id).wrapped?.appliance;
  }

  /** What it was found in, '' for nothing, and whether it is made of several files. */
  wrapping(id: ImageId): { container: string; severalFiles: boolean } {
    const entry = this.#entry(id);
    const severalFiles = entry.asked.some(({ request }) => request.kind === 'extent');
    return { container: containerOf(entry), severalFiles };
  }

  /** Forgets it and what unlocked it. Jobs that are under way with it go on, unless it was wrapped. */
  async close(id: ImageId): Promise<void> {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    await entry?.wrapped?.close();
  }

  /** The image for reading its guest content. @throws what forbids that */
  async disk(id: ImageId, snapshot?: SnapshotChoice): Promise<Disk> {
    const entry = this.#entry(id);
    const { disk } = entry.mode === 'read' ? entry : await openAs(entry, 'read');
    return snapshot === undefined ? disk : openSnapshot(disk, snapshot);
  }

  /** The image as far as it could be opened: of a damaged one, perhaps its header alone. */
  opened(id: ImageId): Disk {
    return this.#entry(id).disk;
  }

  /** The image opened anew as a check wants it: with tables that no reader would take. */
  async diskToCheck(id: ImageId): Promise<Disk> {
    return (await openAs(this.#entry(id), 'check')).disk;
  }

  /** The files that the image consists of. */
  files(id: ImageId): File[] {
    const { file, asked } = this.#entry(id);
    const others = asked.filter(({ storage }) => storage !== undefined);
    return [file, ...others.flatMap((one) => one.file ?? [])];
  }

  /** The open file of that name, the newest first; given backing images count too. */
  fileNamed(name: string): File | undefined {
    const files = [...this.#entries.keys()].flatMap((id) => this.files(id));
    return files.findLast((file) => file.name === name);
  }

  #reopen(id: ImageId, change: (given: Map<string, File>) => unknown): Promise<OpenedImage> {
    const entry = this.#entry(id);
    const given = new Map(entry.given);
    change(given);
    // What is said of a place now counts before what a change has put there.
    const changed = entry.changed && { ...entry.changed, given: new Map(entry.changed.given) };
    if (changed !== undefined) change(changed.given);
    return this.#enter(id, () => openEntry({ ...entry, given, changed }));
  }

  async #enter(id: ImageId, open: () => Promise<Entry>): Promise<OpenedImage> {
    const started = performance.now();
    const isNew = !this.#entries.has(id);
    const entry = await open();
    const info = await inspect(entry.disk);
    // Only a hint: tables that cannot be read for it are the business of the check.
    const missing = await missingBytes(entry.disk).catch(() => 0);
    const problem = entry.problem === undefined ? undefined : toWire(entry.problem);
    const chain = await describeChain({ ...entry, problem });
    // Closed in the meantime: what unlocked it must not come back.
    if (!isNew) this.#entry(id);
    this.#entries.set(id, entry);
    const elapsed = performance.now() - started;
    const { disk, changed } = entry;
    const severalFiles = chain.some(({ kind }) => kind === 'extent');
    return {
      ...{ id, info, elapsed, missingBytes: missing, chain, pending: changed?.summary },
      undone: [...(entry.undone ?? [])],
      findings: disk.findings ?? [],
      check: checkOf(disk),
      destinations: acceptanceOf(info, { container: containerOf(entry), severalFiles }),
      ...describeWrap(entry),
    };
  }

  #entry(id: ImageId): Entry {
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new ImageError('internal', { reason: `no image ${id}` });
    return entry;
  }

  async #inTurn<Result>(id: ImageId, change: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.then(change, change);
    this.#turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    }
  }
}

/**
 * Opens for reading where that is possible; else for a check, else for its header alone: a damaged
 * image is still worth looking at. What reading says is what counts when nothing works.
 */
async function openEntry(source: Source): Promise<Entry> {
  try {
    return await openAs(source, 'read');
  } catch (error) {
    if (!isImageError(error, 'invalid-header') && !isImageError(error, 'unsupported-feature')) {
      throw error;
    }
    for (const mode of ['check', 'info'] as const) {
      const entry = await openAs(source, mode).catch(() => undefined);
      if (entry !== undefined) return { ...entry, problem: error };
    }
    throw error;
  }
}

interface Opening {
  /** In place of its file, or of the changes that are not saved. */
  content?: Storage;
  instead?: Instead;
  lenient?: boolean;
}

/** Opens it and its chain; files of the chain that cannot be opened are left out, with a reason. */
async function openAs(
  source: Source,
  mode: Mode,
  { content, instead, lenient = true }: Opening = {},
): Promise<Entry> {
  const { file, raw, wrapped, changed, undone = [] } = source;
  const { given, ciphers } = source;
  const places = changed === undefined ? given : new Map([...given, ...changed.given]);
  const refused = new Map<string, Refusal>();
  for (;;) {
    const files = new GivenFiles(file, places, refused, instead);
    try {
      const disk = await openImage(content ?? changed?.storage ?? contentOf(source), {
        mode,
        gate: files.gate,
        ...{ strict: !raw, looksAtEnd: !raw, lenient },
        ...(raw ? { format: 'raw' } : {}),
      });
      const known = { file, raw, given, ciphers, wrapped, changed, undone };
      const entry = { ...known, disk, mode, problem: undefined };
      unlockChain(disk, { ...entry, asked: files.asked });
      return { ...entry, asked: files.asked };
    } catch (error) {
      const culprit = files.culprit(error);
      if (culprit === undefined || !isImageError(error) || error.code === 'internal') throw error;
      const state = error.code === 'backing-loop' ? 'loop' : 'wrong';
      refused.set(culprit, { state, problem: toWire(error) });
    }
  }
}

function checkOf(disk: Disk): OpenedImage['check'] {
  if (disk instanceof Qcow2Image) return 'as-qemu-img';
  if (disk.check === undefined) return 'none';
  return disk.checkIsOurs === true ? 'ours' : 'as-qemu-img';
}

/** The bytes of an image: those of its file, or of what the file wraps. */
function contentOf({ file, wrapped }: Source): Storage {
  return wrapped?.storage ?? noteFile(new BlobStorage(file), file);
}

const SUFFIXES = { gzip: 'gz', xz: 'xz', zstd: 'zst', bzip2: 'bz2', zip: 'zip', tar: 'tar' };

/** What it was found in as destinations name it: `gz`, `tar.gz`, `ova`; '' for nothing. */
function containerOf({ wrapped }: Source): string {
  const kinds = wrapped?.inside.map(({ container }) => container) ?? [];
  if (kinds.at(-1) === 'tar' && wrapped?.appliance !== undefined) return 'ova';
  return kinds.reduceRight((name, kind) => `${name}${name && '.'}${SUFFIXES[kind]}`, '');
}

/** Where it was taken out of, in plain data. */
function describeWrap({ wrapped }: Source): Pick<OpenedImage, 'inside' | 'appliance'> {
  const appliance = wrapped?.appliance;
  return {
    inside: [...(wrapped?.inside ?? [])],
    appliance: appliance && { ovf: appliance.ovf, listed: appliance.manifest?.length },
  };
}

/** Gives every disk of the chain what unlocks its file, as far as that is known. */
function unlockChain(top: Disk, { file, asked, ciphers, changed }: Entry): void {
  for (let disk: Disk | undefined = top; disk !== undefined; disk = disk.backing) {
    const { storage } = disk;
    if (!isEncrypted(disk)) continue;
    const link = disk === top ? file : asked.find((one) => one.storage === storage)?.file;
    disk.cipher = link && (ciphers.get(link) ?? changed?.ciphers.get(link));
  }
}

function fileAt({ file, asked }: Entry, key: string): File {
  const found = key === '' ? file : asked.find((one) => one.key === key)?.file;
  if (found === undefined) throw new ImageError('internal', { reason: 'no file to be unlocked' });
  return found;
}

/** What the passphrase opens in a file. @throws ImageError wrong-passphrase */
async function cipherOf(storage: Storage, passphrase: Uint8Array<ArrayBuffer>): Promise<Cipher> {
  const disk = await openImage(storage, {
    unlock: ({ attempt }) => Promise.resolve(attempt === 0 ? passphrase : undefined),
  });
  if (disk.cipher === undefined) throw new ImageError('wrong-passphrase', { name: storage.name });
  return disk.cipher;
}
