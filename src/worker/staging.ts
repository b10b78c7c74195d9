/**
 * The files of a result while they are made. All of them lie in private storage, because whoever makes
 * an image reads back what it has written, which no file in a chosen place allows before it is
 * finished. From there they are published, or copied to where the person wants them.
 */
import {
  ImageError,
  type NewFiles,
  readPadded,
  type Storage,
  throwIfCancelled,
} from '../engine/index.ts';
import type { LeftBehind, Target } from './api.ts';
import type { JobContext } from './job.ts';
import { privateName } from './private-files.ts';
import { openResult, type Result } from './results.ts';
import { RecordingStorage, type WriteMap } from './written.ts';

/** Bytes that are copied at once. */
const PIECE = 4 * 2 ** 20;

interface Staged {
  readonly result: Result;
  readonly storage: RecordingStorage;
}

/** What staged files are for. */
export interface StagingWish {
  target: Target;
  /** The files that are read: none of them may be written to. */
  sources: File[];
  /** Bytes that all files together will take, as far as known. */
  expected: number;
  /** Bytes that one file will have at most. */
  most: number;
}

export class StagedFiles implements NewFiles {
  readonly #wish: StagingWish;
  readonly #context: JobContext;
  readonly #first: Staged;
  readonly #others: Staged[] = [];
  /** Where they were copied to; empty as long as they are in private storage only. */
  #placed: Result[] = [];

  private constructor(wish: StagingWish, context: JobContext, first: Staged) {
    this.#wish = wish;
    this.#context = context;
    this.#first = first;
  }

  /** @throws ImageError same-file, private-window, disk-full and those of opening */
  static async open(wish: StagingWish, context: JobContext): Promise<StagedFiles> {
    const { target } = wish;
    const name = target.kind === 'handle' ? target.handle.name : target.name;
    await refuseOther(target, name);
    return new StagedFiles(wish, context, await stage(name, wish, context));
  }

  get main(): Storage {
    return this.#first.storage;
  }

  /** The name of the first file, as it will have it. */
  get name(): string {
    return this.#first.result.name;
  }

  /** The content that can be read by now, by its name, the first file first. */
  async readers(): Promise<Map<string, Storage>> {
    const results = this.#placed.length > 0 ? this.#placed : this.#all.map(({ result }) => result);
    const readers = new Map<string, Storage>();
    for (const result of results) readers.set(result.name, await result.reader());
    return readers;
  }

  /** Where a file was written to, as far as that is known. */
  writtenTo(name: string): WriteMap | undefined {
    const file = this.#all.find(({ result }) => result.name === name);
    return file !== undefined && file.storage.size <= this.#wish.most
      ? file.storage.written
      : undefined;
  }

  get files(): { name: string; size: number }[] {
    return this.#all.map(({ result, storage }) => ({ name: result.name, size: storage.size }));
  }

  async beside(name: string): Promise<Storage> {
    const { target } = this.#wish;
    if (target.kind === 'handle') {
      throw new ImageError('internal', { reason: 'several files in the place of one' });
    }
    await refuseOther(target, name);
    const staged = await stage(name, { ...this.#wish, expected: 0 }, this.#context);
    this.#others.push(staged);
    return staged.storage;
  }

  /** Copies them to the place that was chosen, where that is not private storage. */
  async place(): Promise<void> {
    const { target, sources } = this.#wish;
    const { signal } = this.#context;
    for (const { storage } of this.#all) await storage.flush();
    if (target.kind === 'private') return;
    const total = this.files.reduce((sum, { size }) => sum + size, 0);
    let before = 0;
    for (const { result: from, storage } of this.#all) {
      const handle =
        target.kind === 'handle'
          ? target.handle
          : await target.handle.getFileHandle(from.name, { create: true });
      const source = { files: sources, size: storage.size };
      const to = await openResult({ kind: 'handle', handle }, source, this.#context);
      this.#placed.push(to);
      const start = before;
      await copy(storage, to.storage, this.writtenTo(from.name), signal, (done) => {
        this.#context.progress({ stage: 'writing', done: start + done, total });
      });
      before += storage.size;
      throwIfCancelled(signal);
      await to.written();
    }
  }

  /** The last step of files that are right. */
  async publish(): Promise<void> {
    if (this.#wish.target.kind === 'private') {
      for (const { result } of this.#all) await result.publish();
      return;
    }
    for (const { result } of this.#all) await result.discard();
    for (const result of this.#placed) await result.publish();
  }

  /** Undoes as much as can be undone. Never throws. */
  async discard(): Promise<LeftBehind> {
    const left: LeftBehind[] = [];
    for (const result of this.#placed) left.push(await result.discard());
    for (const { result } of this.#all) {
      const staged = await result.discard();
      if (this.#wish.target.kind === 'private') left.push(staged);
    }
    const grave = ['partial', 'unverified', 'untouched'] as const;
    for (const state of grave) {
      const found = left.find((one) => one.state === state);
      if (found !== undefined) return found;
    }
    return { name: this.name, state: 'removed' };
  }

  get #all(): Staged[] {
    return [this.#first, ...this.#others];
  }
}

async function stage(name: string, wish: StagingWish, context: JobContext): Promise<Staged> {
  const { sources: files, expected, most } = wish;
  const target = { kind: 'private' as const, name: privateName(name) };
  const result = await openResult(target, { files, size: expected }, context);
  return { result, storage: new RecordingStorage(result.storage, most) };
}

/** In a folder, nobody was asked whether a file may be overwritten. @throws ImageError open-failed */
async function refuseOther(target: Target, name: string): Promise<void> {
  if (target.kind !== 'folder') return;
  let size: number;
  try {
    size = (await (await target.handle.getFileHandle(name)).getFile()).size;
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundError') return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ImageError('open-failed', { name, reason }, { cause: error });
  }
  if (size > 0) throw new ImageError('open-failed', { name, reason: 'File exists' });
}

/** Copies the parts that were written; the others are holes in both. */
async function copy(
  from: Storage,
  to: Storage,
  written: WriteMap | undefined,
  signal: AbortSignal,
  tell: (done: number) => void,
): Promise<void> {
  const { size } = from;
  for (let at = 0; at < size;) {
    throwIfCancelled(signal);
    const part = written?.part ?? PIECE;
    const length = Math.min(written === undefined ? PIECE : part, size - at);
    if (written === undefined || written.has(Math.floor(at / part))) {
      await to.write(at, await readPadded(from, at, length));
    }
    at += length;
    tell(at);
  }
  if (to.size < size) await to.resize(size);
}
