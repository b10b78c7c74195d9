/** Answers for the files that the person gave, and notes what was asked for. */
import { probeForeignFormat } from '../command/foreign-formats.ts';
import {
  BlobStorage,
  FORMAT_NAMES,
  type Gate,
  type GateRequest,
  ImageError,
  isImageError,
  PassingStorage,
  type Storage,
} from '../engine/index.ts';
import type { WireError } from './api.ts';
import { contentFormat } from './content-format.ts';
import { beyondAFile } from './reference.ts';
import { isSameFile } from './same-file.ts';
import { noteFile } from './same-media.ts';
import { toWire } from './wire.ts';

/** Why a file that was given is not used. */
export interface Refusal {
  state: 'loop' | 'wrong';
  problem: WireError;
}

/** One request for a file that an image names, and the answer. */
export interface Asked {
  readonly key: string;
  readonly request: GateRequest;
  /** What the person gave, used or not. */
  readonly file: File | undefined;
  readonly refusal: Refusal | undefined;
  /** As which the file was opened; undefined when it was not. */
  readonly storage: Storage | undefined;
}

/** A place in the chain: who asks, and for which name. */
export function keyOf({ kind, from, name }: Pick<GateRequest, 'kind' | 'from' | 'name'>): string {
  return `${kind}\0${from}\0${name}`;
}

/** What is opened in place of the file that was given for a place of the chain. */
export interface Instead {
  readonly key: string;
  readonly storage: Storage;
}

/** A storage under the name that it has in a chain. */
class NamedStorage extends PassingStorage {
  readonly #name: string;

  constructor(storage: Storage, name: string) {
    super(storage);
    this.#name = name;
  }

  override get name(): string {
    return this.#name;
  }
}

export class GivenFiles {
  readonly #given: ReadonlyMap<string, File>;
  readonly #refused: ReadonlyMap<string, Refusal>;
  readonly #instead: Instead | undefined;
  /** Files of the chain so far and what they are called in it; the image itself first. */
  readonly #chain: { file: File; name: string; isDisk: boolean }[];
  readonly #asked: Asked[] = [];

  /**
   * @param file the image
   * @param given by {@link keyOf}
   * @param refused what turned out to be of no use when it was opened
   * @param instead what is opened in place of one of the files
   */
  constructor(
    file: File,
    given: ReadonlyMap<string, File>,
    refused: ReadonlyMap<string, Refusal> = new Map(),
    instead?: Instead,
  ) {
    this.#instead = instead;
    this.#given = given;
    this.#refused = refused;
    this.#chain = [{ file, name: file.name, isDisk: true }];
  }

  /** All requests in the order in which they came: down the chain. */
  get asked(): readonly Asked[] {
    return this.#asked;
  }

  /**
   * The place whose file is at fault for an error: the one that was opened last, mostly. Only a
   * parent that is another one than it should be is noticed when those below it are open already.
   */
  culprit(error: unknown): string | undefined {
    const parent = isImageError(error, 'parent-mismatch') ? error.details.parent : undefined;
    return this.#asked.findLast(({ storage, request }) => {
      if (storage === undefined || request.kind === 'data-file') return false;
      return parent === undefined || (request.kind === 'backing' && storage.name === parent);
    })?.key;
  }

  readonly gate: Gate = async (request) => {
    const key = keyOf(request);
    const file = this.#given.get(key);
    const refusal =
      file === undefined
        ? undefined
        : (this.#refused.get(key) ?? (await this.#refusalOf(request, file)));
    const storage = file === undefined || refusal !== undefined ? undefined : this.#open(key, file);
    this.#asked.push({ key, request, file, refusal, storage });
    if (file === undefined || storage === undefined) return undefined;
    this.#chain.push({ file, name: storage.name, isDisk: request.kind === 'backing' });
    return storage;
  };

  #open(key: string, file: File): Storage {
    const name = this.#nameFor(file);
    const { storage } = this.#instead?.key === key ? this.#instead : {};
    if (storage !== undefined) return new NamedStorage(storage, name);
    return noteFile(new BlobStorage(file, name), file);
  }

  /** Why the file cannot be used, as far as its content need not be understood for it. */
  async #refusalOf(request: GateRequest, file: File): Promise<Refusal | undefined> {
    try {
      if (request.kind === 'backing') await this.#checkBacking(request, file);
      return undefined;
    } catch (error) {
      const problem = toWire(error);
      return { state: problem.code === 'backing-loop' ? 'loop' : 'wrong', problem };
    }
  }

  async #checkBacking({ name, format }: GateRequest, file: File): Promise<void> {
    for (const link of this.#chain) {
      const isLoop = link.isDisk && (await isSameFile(link.file, file));
      if (isLoop) throw new ImageError('backing-loop', { name: file.name });
    }
    // Without a recorded format QEMU looks, and would find formats that the engine takes for raw.
    const unknown =
      format === '' ? ((await probeForeignFormat(new BlobStorage(file))) ?? '') : format;
    if (!isKnown(unknown)) {
      throw new ImageError('unsupported-feature', { feature: `backing format ${unknown}` });
    }
    const readAs = format === '' ? (await contentFormat(file)).format : format;
    const feature = beyondAFile(name, readAs);
    if (feature !== undefined) throw new ImageError('unsupported-feature', { feature });
  }

  /**
   * A chain that comes back to a name is a loop to the engine. Files of two folders may share a
   * name though, and folders are not known here: another file then gets another name.
   */
  #nameFor(file: File): string {
    const taken = new Set(this.#chain.map(({ name }) => name));
    let name = file.name;
    for (let count = 2; taken.has(name); count++) name = `${file.name} (${count})`;
    return name;
  }
}

function isKnown(format: string): boolean {
  return format === '' || FORMAT_NAMES.some((known) => known === format);
}
