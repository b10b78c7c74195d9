/** Commands over files on a {@link Medium}, and what their images hold. */
import { createHash } from 'node:crypto';
import type { CommandHost } from '../../src/command/host.ts';
import { runCommand } from '../../src/command/run.ts';
import { ImageError } from '../../src/engine/errors.ts';
import {
  Change,
  checkImage,
  MemoryStorage,
  openImage,
  openSnapshot,
  readDisk,
  recover,
  type JournalPlace,
  type Recovery,
  type Storage,
} from '../../src/engine/index.ts';
import type { Disk, GateAnswer, GateRequest } from '../../src/engine/formats/format.ts';
import { Qcow2Image } from '../../src/engine/formats/qcow2/image.ts';
import type { Medium } from './medium.ts';

const SUFFIX = '.journal';
/** Small, so that the way through the scratch storage is taken, too. */
const BUDGET = 96 * 1024;

/** What is left out, to see that it would be missed. */
export type Care = 'full' | 'no journal' | 'journal not flushed' | 'file not flushed';

/** The command line over a medium, with journals beside its files as under Node. */
export class World implements CommandHost {
  readonly medium: Medium;
  readonly #care: Care;
  text = '';

  constructor(medium: Medium, care: Care = 'full') {
    this.medium = medium;
    this.#care = care;
  }

  async open(name: string): Promise<Storage> {
    await this.recover(name);
    return this.medium.open(name, false);
  }

  create(name: string): Promise<Storage> {
    return Promise.resolve(this.medium.create(name));
  }

  async modify(name: string): Promise<Storage> {
    await this.recover(name);
    return this.medium.open(name, true);
  }

  async change(name: string): Promise<Change> {
    const base = await this.modify(name);
    if (this.#care === 'file not flushed') base.flush = () => Promise.resolve();
    return new Change(base, {
      journal: this.#care === 'no journal' ? undefined : this.#place(name),
      scratch: () => Promise.resolve(new MemoryStorage({ name: 'scratch' })),
      budget: BUDGET,
      freshInPlace: true,
    });
  }

  /** Opens what an image names. */
  readonly gate = async ({ name, format }: GateRequest): Promise<GateAnswer> => ({
    storage: await this.open(name),
    format: format === 'raw' ? 'raw' : 'qcow2',
  });

  recover(name: string): Promise<Recovery> {
    return recover(this.#place(name), () => Promise.resolve(this.medium.open(name, true)));
  }

  stdout(text: string): void {
    this.text += text;
  }

  stderr(text: string): void {
    this.text += text;
  }

  /** Runs a command that has to work. */
  async run(...args: string[]): Promise<void> {
    this.text = '';
    const exitCode = await runCommand(args, this);
    if (exitCode !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${exitCode} ${this.text}`);
  }

  #place(name: string): JournalPlace {
    const { medium } = this;
    const file = name + SUFFIX;
    return {
      ...{ name: file, owner: 'world' },
      find: () => Promise.resolve(medium.has(file) ? medium.open(file, true) : undefined),
      create: () => {
        if (medium.has(file)) throw new ImageError('being-changed', { name });
        const journal = medium.create(file);
        if (this.#care === 'journal not flushed') journal.flush = () => Promise.resolve();
        return Promise.resolve(journal);
      },
      remove: () => {
        medium.remove(file);
        return Promise.resolve();
      },
    };
  }
}

/** Opens an image with what is behind it. */
export async function openIn(world: World, name: string, format: 'qcow2' | 'raw'): Promise<Disk> {
  return openImage(await world.open(name), { format, gate: world.gate });
}

/** What every layer of an image holds, in a few words: the same words, the same content. */
export async function layersOf(world: World, name: string): Promise<string> {
  const disk = await openIn(world, name, name.endsWith('.raw') ? 'raw' : 'qcow2');
  const layers = [`active ${await digest(disk)}`];
  if (disk instanceof Qcow2Image) {
    for (const { id, name: title } of disk.snapshots) {
      layers.push(`${id} ${title} ${await digest(await openSnapshot(disk, { id }))}`);
    }
  }
  await disk.close();
  return layers.join('; ');
}

async function digest(disk: Disk): Promise<string> {
  const bytes = await readDisk(disk, 0, disk.size);
  const hash = createHash('sha256').update(bytes).digest('hex');
  return `${disk.size} ${hash.slice(0, 16)}`;
}

/** What is worse than a leak; undefined where nothing is. */
export async function damageOf(world: World, name: string): Promise<string | undefined> {
  if (name.endsWith('.raw')) return undefined;
  const disk = await openIn(world, name, 'qcow2');
  const report = await checkImage(disk);
  await disk.close();
  const { corruptions, checkErrors, aborted } = report;
  if (corruptions === 0 && checkErrors === 0 && aborted === undefined) return undefined;
  return JSON.stringify({ corruptions, checkErrors, aborted, findings: report.findings });
}
