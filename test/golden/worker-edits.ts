/** The worker's changes of open images, under Node: files in, edits made, the changed file out. */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { expect } from 'vitest';
import { isImageError } from '../../src/engine/errors.ts';
import type { Edit, EditResult, Foresight, ImageId, OpenedImage } from '../../src/worker/api.ts';
import { Changes } from '../../src/worker/changes.ts';
import { Images } from '../../src/worker/images.ts';
import type { JobContext } from '../../src/worker/job.ts';
import { make, qemuImg } from './programs.ts';

const files = new Map<string, File>();

/** The file as a browser gives it: the same again as long as nobody has written to it. */
export function fileOf(path: string): File {
  const { mtimeMs, size } = statSync(path);
  const state = `${resolve(path)} ${mtimeMs} ${size}`;
  const lastModified = Math.floor(mtimeMs);
  const file = files.get(state) ?? new File([readFileSync(path)], basename(path), { lastModified });
  files.set(state, file);
  return file;
}

export class EditBench {
  readonly images = new Images();
  readonly changes = new Changes(this.images);
  readonly context: JobContext = {
    images: this.images,
    signal: new AbortController().signal,
    progress: () => undefined,
    output: () => undefined,
    leave: () => undefined,
  };

  /** Opens an image; the files are given for whatever it names. */
  async open(path: string, ...others: readonly string[]): Promise<OpenedImage> {
    const opened = await this.images.open(fileOf(path), { raw: path.endsWith('.raw') });
    const files = others.map((other) => ({ file: fileOf(other), path: basename(other) }));
    return files.length === 0 ? opened : this.images.attachAll(opened.id, files);
  }

  edit(image: ImageId, edit: Edit): Promise<EditResult> {
    return this.changes.edit({ kind: 'edit', image, edit }, this.context);
  }

  foresee(image: ImageId, edit: Edit): Promise<Foresight> {
    return this.changes.foresee({ kind: 'foresee', image, edit }, this.context);
  }

  /** Writes the changed image, as it would be saved, to a file. */
  async save(image: ImageId, path: string): Promise<void> {
    const session = this.changes.pending(image);
    const change = await session.flatten(session.base);
    const { storage } = change;
    const bytes = new Uint8Array(storage.size);
    await storage.read(0, bytes);
    await storage.close();
    writeFileSync(path, bytes);
  }
}

/** A folder with a copy of everything in it for the real program. */
export class Case {
  readonly own: string;
  readonly real: string;

  readonly #bench: EditBench;

  /** In the folder in which the test is. */
  constructor(bench: EditBench, name: string) {
    this.#bench = bench;
    this.own = resolve(name, 'own');
    this.real = resolve(name, 'real');
    mkdirSync(this.own, { recursive: true });
    mkdirSync(this.real, { recursive: true });
  }

  /** Makes it for both. */
  async make(name: string, size: string, io: readonly string[], ...more: string[]): Promise<void> {
    const path = join(this.own, name);
    await make('qemu-img', ['create', '-q', ...more, path, size]);
    const format = more[more.indexOf('-f') + 1] ?? 'raw';
    const commands = io.flatMap((command) => ['-c', command]);
    if (io.length > 0) await make('qemu-io', ['-f', format, ...commands, path]);
    this.copy(name);
  }

  copy(name: string): void {
    copyFileSync(join(this.own, name), join(this.real, name));
  }

  path(name: string): string {
    return join(this.own, name);
  }

  async really(...args: string[]): Promise<void> {
    const { exitCode, stderr } = await qemuImg(args, this.real);
    expect(exitCode, stderr).toBe(0);
  }

  /** What was made of an image by both: its content, its check, what is said of it. */
  async expectSame(id: ImageId, name: string, format = 'qcow2'): Promise<void> {
    const saved = join(this.own, `saved-${name}`);
    await this.#bench.save(id, saved);
    const path = join(this.own, name);
    copyFileSync(path, `${path}.before`);
    copyFileSync(saved, path);
    await this.#judge(name, format);
    expect(await this.#info(this.own, name, format)).toEqual(
      await this.#info(this.real, name, format),
    );
  }

  /** The same for what holds the time of day. */
  async expectContent(id: ImageId, name: string, format = 'qcow2'): Promise<void> {
    await this.#bench.save(id, join(this.own, name));
    await this.#judge(name, format);
  }

  async #judge(name: string, format: string): Promise<void> {
    const [own, real] = [join(this.own, name), join(this.real, name)];
    const same = await qemuImg(['compare', '-f', format, '-F', format, own, real]);
    expect(same.stdout + same.stderr).toBe('Images are identical.\n');
    if (format !== 'raw' && format !== 'vpc') {
      const check = await qemuImg(['check', '-f', format, own]);
      const ok = check.exitCode === 0 || check.exitCode === 63;
      expect(ok, check.stdout + check.stderr).toBe(true);
    }
  }

  async #info(at: string, name: string, format: string): Promise<unknown> {
    const { stdout } = await qemuImg(['info', '-f', format, '--output=json', name], at);
    const rest = JSON.parse(stdout) as Record<string, unknown>;
    delete rest['actual-size'];
    return rest;
  }
}

/** What something is refused for: code and reason. @throws what is no refusal */
export async function refusal(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isImageError(error)) throw error instanceof Error ? error : new Error('nothing refused');
  if ('problem' in error.details) return `${error.code} ${error.details.problem}`;
  return 'reason' in error.details ? `${error.code} ${error.details.reason}` : error.code;
}
