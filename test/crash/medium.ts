/**
 * A medium that remembers what was done to it, so that it can be put into every state in which a
 * crash might have left it.
 */
import { ImageError } from '../../src/engine/errors.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';

/** What was done to a file. */
export type Step =
  | { kind: 'write'; file: string; offset: number; bytes: Uint8Array }
  | { kind: 'resize'; file: string; size: number }
  | { kind: 'flush'; file: string }
  /** A name comes or goes: for good at once, as the hosts flush the folder. */
  | { kind: 'create'; file: string }
  | { kind: 'remove'; file: string };

/** Contents by name. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** What media write whole or not at all. */
const SECTOR = 512;

/** A file that grows. */
class Content {
  bytes: Uint8Array;
  size: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes.slice();
    this.size = bytes.length;
  }

  write(offset: number, source: Uint8Array): void {
    if (source.length === 0) return;
    if (offset + source.length > this.size) this.resize(offset + source.length);
    this.bytes.set(source, offset);
  }

  resize(size: number): void {
    if (size > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(size, 2 * this.bytes.length));
      bytes.set(this.bytes.subarray(0, this.size));
      this.bytes = bytes;
    }
    this.bytes.fill(0, Math.min(size, this.size), this.size);
    this.size = size;
  }

  get all(): Uint8Array {
    return this.bytes.subarray(0, this.size);
  }
}

/** Files by name, and the steps since {@link Medium.record}. */
export class Medium {
  readonly #files = new Map<string, Content>();
  steps: Step[] | undefined;

  constructor(files: Files = new Map()) {
    for (const [name, bytes] of files) this.#files.set(name, new Content(bytes));
  }

  record(): Step[] {
    this.steps = [];
    return this.steps;
  }

  has(name: string): boolean {
    return this.#files.has(name);
  }

  /** A copy of everything. */
  snapshot(): Map<string, Uint8Array> {
    return new Map([...this.#files].map(([name, { all }]) => [name, all.slice()]));
  }

  create(name: string): Storage {
    this.steps?.push({ kind: 'create', file: name });
    this.#files.set(name, new Content(new Uint8Array(0)));
    return this.open(name, true);
  }

  remove(name: string): void {
    this.steps?.push({ kind: 'remove', file: name });
    this.#files.delete(name);
  }

  open(name: string, writable: boolean): Storage {
    const content = this.#files.get(name);
    if (content === undefined) {
      throw new ImageError('open-failed', { name, reason: 'No such file or directory' });
    }
    const step = (made: Step): Promise<void> => {
      if (!writable) return Promise.reject(new ImageError('read-only', { name }));
      this.steps?.push(made);
      apply(content, made);
      return Promise.resolve();
    };
    return {
      name,
      writable,
      get size() {
        return content.size;
      },
      read(offset, target) {
        const part = content.all.subarray(offset, offset + target.length);
        target.set(part);
        return Promise.resolve(part.length);
      },
      write: (offset, bytes) => step({ kind: 'write', file: name, offset, bytes: bytes.slice() }),
      resize: (size) => step({ kind: 'resize', file: name, size }),
      flush: () => (writable ? step({ kind: 'flush', file: name }) : Promise.resolve()),
      close: () => Promise.resolve(),
    };
  }
}

function apply(content: Content, step: Step): void {
  if (step.kind === 'write') content.write(step.offset, step.bytes);
  else if (step.kind === 'resize') content.resize(step.size);
}

/** What a crash left, and where it happened. */
export interface Crash {
  /** Steps that were done. */
  readonly at: number;
  /** What became of the steps that were not flushed. */
  readonly how: string;
  readonly files: Files;
}

export interface CrashOptions {
  seed: number;
  /** States with a random choice of what was not flushed, for each place. */
  random: number;
  /** Each step that was not flushed missing alone, done alone, and torn everywhere. */
  everything: boolean;
}

/**
 * The states that a crash can leave: for every place in the list of steps, all before it done
 * (the system goes on and keeps what it was given); only what was flushed done (the power fails);
 * and a choice of the rest, in any order and torn between sectors.
 */
export function* crashes(start: Files, steps: readonly Step[], options: CrashOptions) {
  const random = generator(options.seed);
  const durable = new Map([...start].map(([name, bytes]) => [name, new Content(bytes)]));
  /** Since the last flush of each file. */
  const pending = new Map<string, Step[]>();
  for (let at = 0; at <= steps.length; at++) {
    const open = [...pending.values()].flat();
    for (const [how, choice] of choices(open, random, options)) {
      yield { at, how, files: stateOf(durable, choice) } satisfies Crash;
    }
    const step = steps[at];
    if (step === undefined) break;
    const { file } = step;
    if (step.kind === 'create') durable.set(file, new Content(new Uint8Array(0)));
    else if (step.kind === 'remove') durable.delete(file);
    else if (step.kind === 'flush') {
      const content = durable.get(file);
      for (const done of pending.get(file) ?? []) if (content !== undefined) apply(content, done);
    } else {
      pending.set(file, [...(pending.get(file) ?? []), step]);
      continue;
    }
    pending.delete(file);
  }
}

function* choices(
  open: readonly Step[],
  random: () => number,
  { random: count, everything }: CrashOptions,
): Generator<[string, Step[]]> {
  yield ['all done', [...open]];
  if (open.length === 0) return;
  yield ['only what was flushed', []];
  const last = open.at(-1);
  if (last !== undefined)
    yield ['the last one torn', [...open.slice(0, -1), ...torn(last, random)]];
  for (let turn = 0; turn < (everything ? count * 10 : count); turn++) {
    const chosen = open.filter(() => random() < 0.6).flatMap((step) => torn(step, random));
    yield [`choice ${turn}`, random() < 0.5 ? chosen : shuffled(chosen, random)];
  }
  if (!everything) return;
  for (const [index, step] of open.entries()) {
    yield [`without ${index}`, open.filter((_, other) => other !== index)];
    yield [`only ${index}`, [step]];
    for (const [piece, part] of sectors(step).entries()) yield [`only ${index}.${piece}`, [part]];
  }
}

/** A part of the step that reaches the medium: the first of its sectors, the last, or some. */
function torn(step: Step, random: () => number): Step[] {
  const parts = sectors(step);
  const cut = Math.floor(random() * (parts.length + 1));
  const which = random();
  if (which < 0.3) return [step];
  if (which < 0.6) return parts.slice(0, cut);
  if (which < 0.7) return parts.slice(cut);
  return parts.filter(() => random() < 0.5);
}

function sectors(step: Step): Step[] {
  if (step.kind !== 'write') return [step];
  const parts: Step[] = [];
  const { offset, bytes } = step;
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + SECTOR - ((offset + from) % SECTOR));
    parts.push({ ...step, offset: offset + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return parts;
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);
}

function stateOf(durable: ReadonlyMap<string, Content>, choice: readonly Step[]): Files {
  const files = new Map<string, Uint8Array>();
  for (const [name, { all }] of durable) {
    const mine = choice.filter(({ file }) => file === name);
    if (mine.length === 0) {
      files.set(name, all.slice());
      continue;
    }
    const content = new Content(all);
    for (const step of mine) apply(content, step);
    files.set(name, content.all);
  }
  return files;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}
