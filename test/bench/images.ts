import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { contents, writeData } from './data.ts';
import { writeScattered } from './scattered.ts';

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;

/** How large the images are; the quick bench has small ones of the same kinds. */
export interface Sizes {
  /** Disk with every table and no data. */
  metadata: number;
  /** Disk with snapshots whose clusters lie in random order. */
  snapshots: number;
  /** Disks that are copied as they are. */
  plain: number;
  /** Disks that are packed, unpacked, decrypted and searched. */
  packed: number;
  /** The largest disk, and how much of it has tables. */
  huge: number;
  dense: number;
}

export const WHOLE: Sizes = {
  ...{ metadata: TIB, snapshots: 100 * GIB, plain: 4 * GIB, packed: GIB },
  ...{ huge: 16 * TIB, dense: 2 * TIB },
};
export const QUICK: Sizes = {
  ...{ metadata: 16 * GIB, snapshots: GIB, plain: 64 * MIB, packed: 32 * MIB },
  ...{ huge: TIB, dense: 64 * GIB },
};

/** A size in words: 4 GiB. */
export function inWords(bytes: number): string {
  const units = [
    [TIB, 'TiB'],
    [GIB, 'GiB'],
    [MIB, 'MiB'],
  ] as const;
  const [unit, name] = units.find(([size]) => bytes >= size) ?? [1, 'B'];
  return `${bytes / unit} ${name}`;
}

/** For the bench only: what is encrypted with it is the same text on every machine. */
export const PASSPHRASE = 'bench';
export const SECRET = ['--object', `secret,id=bench,data=${PASSPHRASE}`];
const SNAPSHOTS = 20;
/** Clusters: a machine that writes all over its disk still writes much of it nearby. */
const FRAGMENTED = 4096;

/** The images of the bench: each is made when it is first asked for, and kept in a folder. */
export class BenchImages {
  readonly sizes: Sizes;
  readonly #folder: string;
  readonly #disk: string | undefined;

  /** @param disk a raw disk to be packed instead of one that is made up */
  constructor(folder: string, sizes: Sizes, disk?: string) {
    this.#folder = folder;
    this.#disk = disk;
    this.sizes = disk === undefined ? sizes : { ...sizes, packed: statSync(disk).size };
    mkdirSync(folder, { recursive: true });
  }

  /** 64 MiB disk, nothing in it. */
  get small(): string {
    return this.#made('small.qcow2', (file) => qemuImg('create', '-f', 'qcow2', file, '64M'));
  }

  /** Every table and no data. */
  get metadata(): string {
    return this.withTables('metadata.qcow2', this.sizes.metadata);
  }

  /** A disk of some TiB of which the first ones have tables. */
  get huge(): string {
    const { huge, dense } = this.sizes;
    return this.#made('huge.qcow2', (file) => {
      create(file, dense, 'preallocation=metadata');
      qemuImg('resize', '-f', 'qcow2', file, String(huge));
    });
  }

  /** A disk of this size (bytes) with every table and no data. */
  withTables(name: string, size: number): string {
    return this.#made(name, (file) => create(file, size, 'preallocation=metadata'));
  }

  /** Clusters in random order nearby, and snapshots between which a part of it was written anew. */
  get snapshots(): string {
    const { snapshots: size } = this.sizes;
    return this.#made('snapshots.qcow2', (file) => {
      writeScattered(file, size, { among: FRAGMENTED });
      for (let index = 0; index < SNAPSHOTS; index++) {
        qemuImg('snapshot', '-c', `day ${index + 1}`, file);
        const writes = Array.from({ length: 8 }, (_, part) => {
          const place = Math.floor((size * (part + index / SNAPSHOTS)) / 8 / MIB) * MIB;
          return ['-c', `write -q -P ${part + 1} ${place} 256k`];
        });
        run('qemu-io', '-f', 'qcow2', ...writes.flat(), file);
      }
    });
  }

  /** A disk full of data, as it is. */
  get raw(): string {
    return this.#made('plain.raw', (file) => writeData(file, this.sizes.plain));
  }

  get plain(): string {
    return this.#converted('plain.qcow2', this.raw);
  }

  /** The same disk; its clusters lie in random order. */
  get scattered(): string {
    return this.#made('scattered.qcow2', (file) =>
      writeScattered(file, this.sizes.plain, { fill: contents() }),
    );
  }

  /** A smaller disk full of data. */
  get rawSmaller(): string {
    return this.#made('packed.raw', (file) => {
      if (this.#disk === undefined) writeData(file, this.sizes.packed);
      else copyFileSync(this.#disk, file);
    });
  }

  get zlib(): string {
    return this.#converted('zlib.qcow2', this.rawSmaller, '-c');
  }

  get zstd(): string {
    return this.#converted('zstd.qcow2', this.rawSmaller, '-c', '-o', 'compression_type=zstd');
  }

  get luks(): string {
    const options = 'encrypt.format=luks,encrypt.key-secret=bench,encrypt.iter-time=10';
    return this.#converted('luks.qcow2', this.rawSmaller, ...SECRET, '-o', options);
  }

  /** A disk of one size (bytes) with data at its beginning only. */
  grown(name: string, size: number, data: number): string {
    return this.#made(name, (file) => {
      const raw = `${file}.raw`;
      writeData(raw, data);
      truncateSync(raw, size);
      qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, file);
      run('rm', raw);
    });
  }

  #converted(name: string, raw: string, ...options: string[]): string {
    return this.#made(name, (file) => {
      // Where processor time is counted in ticks, timing the key derivation fails now and then.
      for (let attempt = 0; ; attempt++) {
        try {
          qemuImg('convert', '-f', 'raw', '-O', 'qcow2', ...options, raw, file);
          return;
        } catch (error) {
          if (attempt === 20 || !String(error).includes('accurate CPU usage')) throw error;
        }
      }
    });
  }

  /** Under another name first, so that an interrupted run leaves nothing half made. */
  #made(name: string, make: (unfinished: string) => void): string {
    const file = join(this.#folder, name);
    if (existsSync(file)) return file;
    console.log(`  making ${name} …`);
    make(`${file}.part`);
    renameSync(`${file}.part`, file);
    return file;
  }
}

function create(file: string, size: number, options: string): void {
  qemuImg('create', '-f', 'qcow2', '-o', options, file, `${size / KIB}k`);
}

function qemuImg(...args: string[]): void {
  run('qemu-img', ...args);
}

/** @throws Error with what the program said */
function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
