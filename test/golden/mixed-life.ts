/**
 * A chain of images that both programs change in turn, and a plain model of what its guests read.
 * A seed names one life; after each step the real program judges the image.
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pick, randomFor, type Random } from './histories.ts';
import { ours, qemuImg, qemuIo, type Outcome } from './programs.ts';

const KIB = 1024;
const SECTOR = 512;

/** One image of the chain. */
interface Layer {
  path: string;
  format: 'qcow2' | 'raw';
  /** What its guest reads. */
  content: Buffer;
  /** The same of its snapshots, by name. */
  snapshots: Map<string, Buffer>;
  bitmaps: Set<string>;
}

/** What may be otherwise than the model says: a range, as it was or as it would become. */
interface Doubt {
  start: number;
  end: number;
  old: Buffer;
}

export class MixedLife {
  /** What was done, for messages. */
  readonly log: string[] = [];
  /** How often a command of ours was used. */
  readonly own = new Map<string, number>();
  readonly #random: Random;
  readonly #folder: string;
  /** From the bottom up. */
  #chain: Layer[] = [];
  #files = 0;
  #names = 0;

  constructor(seed: number, folder: string) {
    this.#random = randomFor(seed);
    this.#folder = folder;
  }

  /** Makes the image and lets it live. @throws where a program or the content is not as expected */
  async run(steps: number): Promise<void> {
    await this.#begin();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      if (step % 7 === 6 || step === steps - 1) {
        for (const layer of this.#chain) await this.#verifySnapshots(layer);
      }
    }
  }

  get #top(): Layer {
    return this.#chain.at(-1) as Layer;
  }

  /** The one below the top. */
  get #base(): Layer | undefined {
    return this.#chain.at(-2);
  }

  async #begin(): Promise<void> {
    const size = this.#size();
    if (this.#random(2) === 0) {
      const format = pick(this.#random, ['raw', 'qcow2'] as const);
      this.#chain.push(await this.#newBase(format, this.#random(2) === 0 ? size : this.#size()));
    }
    await this.#create(size);
  }

  #size(): number {
    return (1 + this.#random(2048)) * SECTOR;
  }

  #newPath(): string {
    return join(this.#folder, `image${String(this.#files++)}`);
  }

  #newName(): string {
    return `n${String(this.#names++)}`;
  }

  /** A file with something in it, to be below others. */
  async #newBase(format: 'raw' | 'qcow2', size: number): Promise<Layer> {
    const path = this.#newPath();
    const content = Buffer.alloc(size);
    for (let at = 0; at < size; at += 16 * KIB) {
      const end = Math.min(size, at + this.#random(20) * KIB);
      if (this.#random(2) === 0) content.fill(this.#pattern(), at, end);
    }
    if (format === 'raw') writeFileSync(path, content);
    else {
      writeFileSync(`${path}.raw`, content);
      const options = ['-f', 'raw', '-O', 'qcow2', '-o', this.#options()];
      await this.#real(['convert', ...options, `${path}.raw`, path]);
      rmSync(`${path}.raw`);
    }
    return { path, format, content, snapshots: new Map(), bitmaps: new Set() };
  }

  #options(): string {
    const isV2 = this.#random(5) === 0;
    const extended = !isV2 && this.#random(3) === 0;
    const sizes = extended ? [16, 64] : [0.5, 1, 4, 16, 64];
    const options = [
      `compat=${isV2 ? '0.10' : '1.1'}`,
      `cluster_size=${String(pick(this.#random, sizes) * KIB)}`,
    ];
    if (isV2) return options.join(',');
    if (extended) options.push('extended_l2=on');
    options.push(`refcount_bits=${String(pick(this.#random, [4, 8, 16, 32, 64]))}`);
    if (this.#random(3) === 0) options.push('compression_type=zstd');
    if (this.#random(4) === 0) options.push('lazy_refcounts=on');
    return options.join(',');
  }

  /** A new image on top of the chain. */
  async #create(size: number): Promise<void> {
    const below = this.#chain.at(-1);
    const path = this.#newPath();
    const backing = below === undefined ? [] : ['-b', below.path, '-F', below.format];
    const args = ['-q', '-f', 'qcow2', '-o', this.#options(), ...backing, path, String(size)];
    await this.#either('create', args);
    const content = Buffer.alloc(size);
    below?.content.copy(content);
    const snapshots = new Map<string, Buffer>();
    this.#chain.push({ path, format: 'qcow2', content, snapshots, bitmaps: new Set() });
    await this.#verify(this.#top);
  }

  async #step(): Promise<void> {
    const weights: [number, () => Promise<void>][] = [
      [16, () => this.#guest()],
      [7, () => this.#snapshotCreate()],
      [5, () => this.#snapshotApply()],
      [4, () => this.#snapshotDelete()],
      [5, () => this.#resize()],
      [4, () => this.#rebase()],
      [3, () => this.#commit()],
      [3, () => this.#overlay()],
      [4, () => this.#amend()],
      [4, () => this.#bitmap()],
      [2, () => this.#repair()],
      [4, () => this.#convert()],
      [2, () => this.#convertInto()],
    ];
    const total = weights.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.#random(total);
    for (const [weight, work] of weights) {
      if (at < weight) return work();
      at -= weight;
    }
  }

  #pattern(): number {
    return 1 + this.#random(255);
  }

  /** Guest writes: always the real program. */
  async #guest(): Promise<void> {
    const top = this.#top;
    const { content } = top;
    const old = Buffer.from(content);
    const commands: string[] = [];
    const doubts: Doubt[] = [];
    for (let count = 1 + this.#random(5); count > 0; count--) {
      const start = this.#random(content.length / SECTOR) * SECTOR;
      const most = pick(this.#random, [8, 32, 128, 512]) * KIB;
      const wanted = (1 + this.#random(most / SECTOR)) * SECTOR;
      const length = Math.min(wanted, content.length - start);
      const where = `${String(start)} ${String(length)}`;
      // What may or may not happen happens alone.
      const kind = commands.length > 0 ? 1 + this.#random(7) : this.#random(9);
      if ((kind === 0 || kind === 8) && commands.length === 0) count = 1;
      if (kind === 0) {
        commands.push(`discard ${where}`);
        doubts.push({ start, end: start + length, old });
      } else if (kind <= 2) {
        commands.push(`write -z${kind === 1 ? 'u' : ''} ${where}`);
        content.fill(0, start, start + length);
      } else if (kind === 8) {
        // Whole clusters of whatever size; refused where there is something already.
        const unit = 64 * KIB;
        const base = Math.floor(start / unit) * unit;
        if (base + unit > content.length) continue;
        const pattern = this.#pattern();
        commands.push(`write -c -P ${String(pattern)} ${String(base)} ${String(unit)}`);
        doubts.push({ start: base, end: base + unit, old });
        content.fill(pattern, base, base + unit);
      } else {
        const pattern = this.#pattern();
        commands.push(`write -P ${String(pattern)} ${where}`);
        content.fill(pattern, start, start + length);
      }
    }
    this.log.push(`qemu-io ${commands.join('; ')}`);
    await qemuIo(['-f', 'qcow2', ...commands.flatMap((one) => ['-c', one]), top.path]);
    await this.#verify(top, doubts);
  }

  async #snapshotCreate(): Promise<void> {
    const top = this.#top;
    if (top.snapshots.size > 5) return;
    const name = this.#newName();
    const isDone = await this.#either('snapshot', ['-c', name, top.path]);
    if (isDone) top.snapshots.set(name, Buffer.from(top.content));
    await this.#verify(top);
  }

  async #snapshotApply(): Promise<void> {
    const top = this.#top;
    if (top.snapshots.size === 0) return;
    const [name, content] = pick(this.#random, [...top.snapshots]);
    const isDone = await this.#either('snapshot', ['-a', name, top.path]);
    if (isDone) top.content = Buffer.from(content);
    await this.#verify(top);
  }

  async #snapshotDelete(): Promise<void> {
    const top = this.#top;
    if (top.snapshots.size === 0) return;
    const name = pick(this.#random, [...top.snapshots.keys()]);
    const isDone = await this.#either('snapshot', ['-d', name, top.path]);
    if (isDone) top.snapshots.delete(name);
    await this.#verify(top);
  }

  async #resize(): Promise<void> {
    const top = this.#top;
    const size = this.#size();
    const isShorter = size < top.content.length;
    const how = isShorter ? ['--shrink'] : [];
    if (!isShorter && this.#base === undefined && this.#random(4) === 0) {
      how.push('--preallocation=metadata');
    }
    const args = ['-q', '-f', 'qcow2', ...how, top.path, String(size)];
    // With the real program, what an earlier cut left in the last cluster shows again.
    const isRagged = !isShorter && top.content.length % (64 * KIB) !== 0;
    if (await this.#either('resize', args, isRagged ? 'ours' : 'either')) {
      const content = Buffer.alloc(size);
      top.content.copy(content);
      top.content = content;
    }
    await this.#verify(top);
  }

  async #rebase(): Promise<void> {
    const top = this.#top;
    const base = this.#base;
    const kind = this.#random(4);
    let next: Layer | undefined;
    if (kind === 0 && base !== undefined) {
      // The same content under another name: only the name changes.
      const path = this.#newPath();
      copyFileSync(base.path, path);
      next = { ...base, path, snapshots: new Map(base.snapshots), bitmaps: new Set(base.bitmaps) };
      const args = ['-q', '-u', '-f', 'qcow2', '-b', path, '-F', base.format, top.path];
      if (await this.#either('rebase', args)) this.#chain[this.#chain.length - 2] = next;
      await this.#verify(top);
      return;
    }
    if (kind === 1 && base === undefined) return;
    if (kind > 1) {
      const size = this.#random(2) === 0 ? top.content.length : this.#size();
      next = await this.#newBase(pick(this.#random, ['raw', 'qcow2'] as const), size);
    }
    const name = next === undefined ? [''] : [next.path, '-F', next.format];
    // Where there was none, the real program leaves some of the new file's content in sight.
    const who = base === undefined ? 'ours' : 'either';
    if (await this.#either('rebase', ['-q', '-f', 'qcow2', '-b', ...name, top.path], who)) {
      this.#chain = next === undefined ? [top] : [next, top];
      // Snapshots are not rebased: what they leave open is read from the new file.
      await this.#learnSnapshots(top);
    }
    await this.#verify(top);
  }

  async #commit(): Promise<void> {
    const top = this.#top;
    const base = this.#base;
    // What snapshots leave open would change with the base.
    if (base === undefined || top.snapshots.size > 0) return;
    const args = ['-q', '-f', 'qcow2', ...(this.#random(3) === 0 ? ['-d'] : []), top.path];
    if (await this.#either('commit', args)) {
      const content = Buffer.alloc(Math.max(base.content.length, top.content.length));
      base.content.copy(content);
      top.content.copy(content);
      base.content = content;
    }
    await this.#verify(base);
    await this.#verifySnapshots(base);
    await this.#verify(top);
  }

  async #overlay(): Promise<void> {
    if (this.#chain.length > 3) return;
    await this.#create(this.#random(2) === 0 ? this.#top.content.length : this.#size());
  }

  async #amend(): Promise<void> {
    const top = this.#top;
    const bits = String(pick(this.#random, [2, 4, 8, 16, 32, 64]));
    const option = pick(this.#random, [
      ...['compat=0.10', 'compat=1.1', 'lazy_refcounts=on', 'lazy_refcounts=off'],
      ...[`refcount_bits=${bits}`, `compat=1.1,refcount_bits=${bits}`],
    ]);
    await this.#either('amend', ['-q', '-f', 'qcow2', '-o', option, top.path]);
    await this.#verify(top);
  }

  async #bitmap(): Promise<void> {
    const top = this.#top;
    const { bitmaps } = top;
    const kind = this.#random(6);
    const [some] = bitmaps;
    if (kind <= 1 || some === undefined) {
      if (bitmaps.size > 2) return;
      const name = this.#newName();
      const grain = this.#random(2) === 0 ? ['-g', pick(this.#random, ['512', '4k', '64k'])] : [];
      if (await this.#either('bitmap', ['--add', ...grain, top.path, name])) bitmaps.add(name);
    } else if (kind === 2) {
      if (await this.#either('bitmap', ['--remove', top.path, some])) bitmaps.delete(some);
    } else if (kind === 5 && bitmaps.size > 1) {
      const other = [...bitmaps][1] as string;
      await this.#either('bitmap', ['--merge', other, top.path, some]);
    } else {
      const action = pick(this.#random, ['--clear', '--enable', '--disable']);
      await this.#either('bitmap', [action, top.path, some]);
    }
    await this.#verify(top);
  }

  async #repair(): Promise<void> {
    const top = this.#top;
    const how = pick(this.#random, ['leaks', 'all']);
    // The real program loses all snapshots when it repairs an image that has bitmaps, too.
    const who = top.snapshots.size > 0 && top.bitmaps.size > 0 ? 'ours' : 'either';
    await this.#either('check', ['-q', '-f', 'qcow2', '-r', how, top.path], who);
    await this.#verify(top);
  }

  /** A copy takes the place of the top, or of the whole chain. */
  async #convert(): Promise<void> {
    const top = this.#top;
    const base = this.#base;
    const path = this.#newPath();
    const args = ['-f', 'qcow2', '-O', 'qcow2', '-o', this.#options()];
    if (this.#random(2) === 0) args.push('-c');
    let chain: Layer[] = [];
    let { content } = top;
    const kind = this.#random(3);
    if (kind === 0 && base !== undefined) {
      args.push('-B', base.path, '-F', base.format);
      chain = this.#chain.slice(0, -1);
    } else if (kind === 1 && top.snapshots.size > 0) {
      const [name, kept] = pick(this.#random, [...top.snapshots]);
      args.push('-l', name);
      content = kept;
    }
    if (!(await this.#either('convert', [...args, top.path, path]))) return;
    const snapshots = new Map<string, Buffer>();
    const made: Layer = { path, format: 'qcow2', content, snapshots, bitmaps: new Set() };
    this.#chain = [...chain, made];
    if (content !== top.content) {
      // A snapshot comes with the size that the disk has now; what is behind its own is anything.
      const actual = await this.#read(made);
      if (actual.length !== top.content.length) throw new Error('the size of the disk as it was');
      content.copy(actual);
      made.content = actual;
    }
    await this.#verify(made);
  }

  /** The top is written over from elsewhere. */
  async #convertInto(): Promise<void> {
    const top = this.#top;
    const length = Math.min(top.content.length, this.#size());
    const source = await this.#newBase(pick(this.#random, ['raw', 'qcow2'] as const), length);
    const args = ['-n', '-f', source.format, '-O', 'qcow2', source.path, top.path];
    if (await this.#either('convert', args)) source.content.copy(top.content);
    rmSync(source.path);
    await this.#verify(top);
  }

  /** Runs a command by one of the programs. Returns whether it was done. */
  async #either(
    command: string,
    args: readonly string[],
    who: 'either' | 'ours' = 'either',
  ): Promise<boolean> {
    const line = [command, ...args];
    if (this.#random(3) > 0 || who === 'ours') {
      const before = this.#bytes();
      const done = await ours(line);
      const isMissing = done.stderr.includes('not supported by this version');
      this.log.push(`ours ${line.join(' ')}: ${describe(done)}`);
      if (!isMissing && done.exitCode === 0) {
        this.own.set(command, (this.own.get(command) ?? 0) + 1);
        return true;
      }
      if (!this.#bytes().every((bytes, index) => bytes.equals(before[index] as Buffer))) {
        throw new Error(`ours refused, and changed something: ${done.stderr}`);
      }
      if (who === 'ours') return false;
      const isDone = await this.#byReal(line);
      if (!isMissing && isDone) throw new Error(`ours refused: ${done.stderr}`);
      return isDone;
    }
    return this.#byReal(line);
  }

  /** The files of the chain as they are. */
  #bytes(): Buffer[] {
    return this.#chain.map(({ path }) => readFileSync(path));
  }

  async #byReal(line: readonly string[]): Promise<boolean> {
    const before = this.#bytes();
    const real = await qemuImg(line);
    this.log.push(`real ${line.join(' ')}: ${describe(real)}`);
    if (real.exitCode === 0) return true;
    // Where the real program gives up halfway, it leaves leaks, and has even lost snapshots.
    for (const [index, { path }] of this.#chain.entries()) {
      writeFileSync(path, before[index] as Buffer);
    }
    return false;
  }

  async #real(args: readonly string[]): Promise<void> {
    this.log.push(`real ${args.join(' ')}`);
    const { exitCode, stderr } = await qemuImg(args);
    if (exitCode !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${stderr}`);
  }

  /** The real check is clean, and the real program reads what the model says. */
  async #verify(layer: Layer, doubts: readonly Doubt[] = []): Promise<void> {
    const { path, format } = layer;
    if (format === 'qcow2') {
      const checked = await qemuImg(['check', '-f', 'qcow2', path]);
      if (checked.exitCode !== 0) throw new Error(`check: ${checked.stdout}${checked.stderr}`);
    }
    const actual = await this.#read(layer);
    for (const { start, end, old } of doubts) settle(layer.content, actual, old, start, end);
    this.#compare(actual, layer.content, path);
  }

  async #verifySnapshots(layer: Layer): Promise<void> {
    for (const [name, content] of layer.snapshots) {
      // The real program shows a snapshot at the size that the disk has now.
      const actual = await this.#read(layer, name);
      const common = Math.min(actual.length, content.length);
      const what = `${layer.path} of ${name}`;
      this.#compare(actual.subarray(0, common), content.subarray(0, common), what);
    }
  }

  async #learnSnapshots(layer: Layer): Promise<void> {
    for (const name of layer.snapshots.keys()) {
      layer.snapshots.set(name, await this.#read(layer, name));
    }
  }

  async #read({ path, format }: Layer, snapshot?: string): Promise<Buffer> {
    if (format === 'raw') return padded(readFileSync(path));
    const target = join(this.#folder, 'content');
    const which = snapshot === undefined ? [] : ['-l', snapshot];
    const args = ['convert', '-f', format, '-O', 'raw', ...which, path, target];
    const { exitCode, stderr } = await qemuImg(args);
    if (exitCode !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${stderr}`);
    return readFileSync(target);
  }

  #compare(actual: Buffer, wanted: Buffer, what: string): void {
    if (actual.equals(wanted)) return;
    const most = Math.min(actual.length, wanted.length);
    let at = 0;
    while (at < most && actual[at] === wanted[at]) at++;
    const sizes = `${String(actual.length)} and ${String(wanted.length)} bytes`;
    const bytes = `${String(actual[at])} for ${String(wanted[at])}`;
    throw new Error(`${what} differs at ${String(at)} (${bytes}; ${sizes})`);
  }
}

function describe({ exitCode, stderr }: Outcome): string {
  return `${String(exitCode)} ${stderr.trim()}`;
}

/** A raw disk has whole sectors. */
function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % SECTOR;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(SECTOR - rest)]);
}

/** Takes over what is there, where it is the old, the expected or nothing, sector by sector. */
function settle(wanted: Buffer, actual: Buffer, old: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at += SECTOR) {
    const is = actual.subarray(at, at + SECTOR);
    const isOld = is.equals(old.subarray(at, at + SECTOR));
    if (isOld || is.every((byte) => byte === 0)) is.copy(wanted, at);
  }
}
