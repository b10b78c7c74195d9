/** From a file in which others are wrapped to the disk in it, through as many wrappers as there are. */
import { openContainer } from '../containers/index.ts';
import {
  baseName,
  containerFault,
  type Container,
  type ContainerEntry,
  type ContainerKind,
  type Scratch,
} from '../containers/container.ts';
import { detectContainer } from '../containers/detect.ts';
import {
  LARGEST_MANIFEST,
  parseManifest,
  verifyManifest,
  type ManifestLine,
  type ManifestVerdict,
} from '../containers/manifest.ts';
import { LARGEST_OVF, parseOvf, type OvfFacts } from '../containers/ovf.ts';
import type { HasherFactory } from '../codecs/hash.ts';
import { PROBE_FIRST, probeDrivers } from '../formats/drivers.ts';
import { looksLikeDisk } from '../formats/identify.ts';
import { isQcow2 } from '../formats/qcow2/header.ts';
import { readPadded, type Storage } from '../storage/storage.ts';

/** Wrappers inside each other that are opened. */
const DEEPEST = 3;

/** One wrapper on the way to a disk. */
export interface Wrapper {
  readonly container: ContainerKind;
  /** What it is called. */
  readonly name: string;
  /** The file in it that leads on. */
  readonly entry: string;
}

/** A virtual machine that was exported: what its description says, and its list of digests. */
export interface Appliance {
  readonly ovf: OvfFacts;
  /** Undefined where it has none. */
  readonly manifest: readonly ManifestLine[] | undefined;
  /** Compares its files with the list. @throws ImageError cancelled and those of reading */
  verify(scratch: Scratch, hasher?: HasherFactory): Promise<ManifestVerdict[]>;
}

/** A disk that was wrapped. */
export interface Unwrapped {
  readonly kind: 'disk';
  readonly storage: Storage;
  /** The way to it, the file that was given first. */
  readonly inside: readonly Wrapper[];
  readonly appliance: Appliance | undefined;
  /** Removes what was unpacked. The file itself stays open. */
  close(): Promise<void>;
}

/** There are several files that it may be. */
export interface Choice {
  readonly kind: 'choice';
  readonly container: ContainerKind;
  readonly name: string;
  readonly entries: readonly ContainerEntry[];
  choose(entry: ContainerEntry): Promise<Unwrapped | Choice>;
  close(): Promise<void>;
}

export interface UnwrapOptions {
  readonly scratch: Scratch;
  /** Only what is without doubt a disk: else undefined, also where there are several. */
  readonly careful?: boolean;
}

/**
 * Opens the disk in a file; undefined where the file wraps nothing.
 * @throws ImageError container-invalid, cancelled, those of reading and writing
 */
export async function unwrap(
  storage: Storage,
  options: UnwrapOptions,
): Promise<Unwrapped | Choice | undefined> {
  const way = new Way(options);
  try {
    const found = await way.from(storage);
    if (found === undefined) await way.close();
    return found;
  } catch (error) {
    await way.close();
    throw error;
  }
}

/** Whether the first bytes of a file are those of a disk image of any kind. */
function looksLikeImage(first: Uint8Array<ArrayBuffer>, size: number, name: string): boolean {
  const file = { first: first.subarray(0, PROBE_FIRST), last: undefined, size, name };
  return isQcow2(first) || probeDrivers(file) !== undefined || looksLikeDisk(first, size);
}

/** The wrappers that were opened, one in the other. */
class Way {
  readonly #options: UnwrapOptions;
  #inside: readonly Wrapper[] = [];
  #appliance: Appliance | undefined;
  /** What was opened on the way, innermost last. */
  readonly #open: Storage[] = [];

  constructor(options: UnwrapOptions) {
    this.#options = options;
  }

  async close(): Promise<void> {
    for (const storage of this.#open.splice(0).reverse()) await storage.close();
  }

  /** Goes on with a file that may be a wrapper. */
  async from(storage: Storage): Promise<Unwrapped | Choice | undefined> {
    const nested = new Set<string>();
    const { watch } = this.#options.scratch;
    const container = await openContainer(storage, {
      watch,
      isDisk: (first, size = Number.MAX_SAFE_INTEGER, name) => {
        if (detectContainer(first, size) !== undefined) nested.add(name);
        return looksLikeImage(first, size, name);
      },
    });
    if (container === undefined) return this.#arrived(storage);
    if (this.#inside.length >= DEEPEST) {
      const whose = { name: this.#inside[0]?.name ?? storage.name, container: container.kind };
      throw containerFault(whose, 'too-deep');
    }
    this.#appliance ??= await openAppliance(container, this.#options.scratch);
    return this.#through(container, storage.name, nested);
  }

  #arrived(storage: Storage): Unwrapped {
    const inside = this.#inside;
    const appliance = this.#appliance;
    return { kind: 'disk', storage, inside, appliance, close: () => this.close() };
  }

  async #through(
    container: Container,
    name: string,
    nested: ReadonlySet<string>,
  ): Promise<Unwrapped | Choice | undefined> {
    const { kind, entries } = container;
    const candidates = this.#candidates(container, nested);
    const [only] = candidates;
    if (only !== undefined && candidates.length === 1) return this.#enter(container, name, only);
    if (this.#options.careful === true) return undefined;
    if (entries.length === 0) throw containerFault({ name, container: kind }, 'no-disk');
    return {
      ...{ kind: 'choice', container: kind, name },
      entries: candidates.length > 0 ? candidates : entries,
      choose: async (entry: ContainerEntry) => {
        const found = await this.#enter(container, name, entry);
        return found ?? this.#arrived(await container.open(entry, this.#options.scratch));
      },
      close: () => this.close(),
    };
  }

  /** The files that may be the disk: the surest kind of which there is any. */
  #candidates({ entries, kind }: Container, nested: ReadonlySet<string>): ContainerEntry[] {
    const named = new Set(this.#appliance?.ovf.disks.map(({ file }) => file));
    const ofAppliance = entries.filter(({ name }) => named.has(name) || named.has(baseName(name)));
    const likely = entries.filter(({ isLikelyDisk }) => isLikelyDisk);
    const wrapped = entries.filter(({ name }) => nested.has(baseName(name)));
    const found = [ofAppliance, likely, wrapped].find(({ length }) => length > 0);
    if (found !== undefined) return found;
    const isArchive = kind === 'tar' || kind === 'zip';
    const takesAny = this.#options.careful !== true && (!isArchive || entries.length === 1);
    return takesAny ? [...entries] : [];
  }

  async #enter(
    container: Container,
    name: string,
    entry: ContainerEntry,
  ): Promise<Unwrapped | Choice | undefined> {
    const storage = await container.open(entry, this.#options.scratch);
    this.#open.push(storage);
    this.#inside = [...this.#inside, { container: container.kind, name, entry: entry.name }];
    return this.from(storage);
  }
}

/** The appliance that an archive is; undefined: none. */
async function openAppliance(
  container: Container,
  scratch: Scratch,
): Promise<Appliance | undefined> {
  const text = await textOf(container, /\.ovf$/i, LARGEST_OVF, scratch);
  if (text === undefined) return undefined;
  const list = await textOf(container, /\.mf$/i, LARGEST_MANIFEST, scratch);
  const manifest = list === undefined ? undefined : parseManifest(list);
  return {
    ovf: parseOvf(text),
    manifest,
    verify: (own, hasher) => verifyManifest(container, manifest ?? [], own, hasher),
  };
}

async function textOf(
  container: Container,
  name: RegExp,
  limit: number,
  scratch: Scratch,
): Promise<string | undefined> {
  const entry = container.entries.find((one) => name.test(one.name) && one.refusal === undefined);
  if (entry?.size === undefined || entry.size > limit) return undefined;
  const storage = await container.open(entry, scratch);
  try {
    return new TextDecoder().decode(await readPadded(storage, 0, storage.size));
  } finally {
    await storage.close();
  }
}
