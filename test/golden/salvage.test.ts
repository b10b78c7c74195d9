import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { runCommand } from '../../src/command/run.ts';
import { ImageError, type Storage } from '../../src/engine/index.ts';
import { noise } from './make-images.ts';
import { available, hashOf, make, ours, qemuImg, type Outcome } from './programs.ts';
import { Qcow2Editor } from './qcow2-editor.ts';

let folder = '';
const before = process.cwd();
const SECTOR = 512;

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'salvage-'));
  process.chdir(folder);
  const create = (name: string, options: string, ...more: string[]) =>
    make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, ...more, name, '512k']);
  const write = (name: string, ...commands: string[]) =>
    make('qemu-io', [...commands.flatMap((command) => ['-c', command]), name]);
  const content = [
    ...['write -P 1 0 64k', 'write -z 64k 8k', 'write -P 5 100k 4k', 'write -P 6 300k 1k'],
    ...['write -c -P 2 128k 4k', 'write -c -P 3 132k 4k', 'write -c -P 4 136k 4k'],
  ];
  await create('small.qcow2', 'cluster_size=4k');
  await write('small.qcow2', ...content);
  await create('tiny.qcow2', 'cluster_size=512');
  await write('tiny.qcow2', 'write -P 1 0 200k');
  await create('old.qcow2', 'cluster_size=4k,compat=0.10');
  await write('old.qcow2', 'write -P 1 0 64k', 'write -c -P 2 128k 4k');
  await create('extended.qcow2', 'cluster_size=16k,extended_l2=on');
  await write('extended.qcow2', 'write -P 1 0 100k', 'write -P 2 200k 2k');
  await create('zstd.qcow2', 'cluster_size=64k,compression_type=zstd');
  await write('zstd.qcow2', 'write -c -P 1 0 64k', 'write -c -P 2 64k 64k', 'write -P 3 128k 64k');
  // Packed to half its size: many sectors, none of which belongs to two clusters but the last.
  writeFileSync(
    'half',
    noise(65_536, 7).map((byte) => byte & 15),
  );
  await create('packed.qcow2', 'cluster_size=64k');
  await write('packed.qcow2', ...[0, 64, 128].map((at) => `write -c -s half ${at}k 64k`));
  await create('over.qcow2', 'cluster_size=4k', '-b', 'small.qcow2', '-F', 'qcow2');
  await write('over.qcow2', 'write -P 9 8k 8k', 'write -c -P 8 256k 4k');
  await create('snapshot.qcow2', 'cluster_size=4k');
  await write('snapshot.qcow2', ...content);
  await make('qemu-img', ['snapshot', '-c', 's1', 'snapshot.qcow2']);
  await write('snapshot.qcow2', 'write -P 7 0 128k');
  writeFileSync(
    'r.raw',
    noise(200_000, 1).map((byte) => byte | 1),
  );
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

type Edit = (image: Qcow2Editor) => void;

/** Makes clusters of the base that are not where they should be, or not what. */
function damage(base: string, name: string, edit: Edit): string {
  const editor = new Qcow2Editor(base);
  edit(editor);
  editor.save(name);
  return name;
}

function misplaced(...indexes: number[]): Edit {
  return (image) => {
    for (const index of indexes) image.change(image.l2(index), (entry) => entry | 0x200n);
  };
}

/** Makes compressed clusters what nothing unpacks to. */
function junk(...indexes: number[]): Edit {
  return (image) => {
    for (const index of indexes) {
      const at = Number(image.entry(image.l2(index)) & 0xffffffffffn);
      image.bytes.fill(0xff, at, at + 8);
    }
  };
}

const both =
  (...edits: Edit[]): Edit =>
  (image) => {
    for (const edit of edits) edit(image);
  };

const lostTable: Edit = (image) => {
  image.change(image.l1(), (entry) => entry | 0x200n);
};

const DAMAGE: readonly [string, string, Edit][] = [
  ['nothing', 'small.qcow2', () => undefined],
  ['a packed cluster', 'small.qcow2', junk(33)],
  ['all packed clusters', 'small.qcow2', junk(32, 33, 34)],
  ['a packed cluster of zstd', 'zstd.qcow2', junk(1)],
  ['a misplaced cluster', 'small.qcow2', misplaced(3)],
  ['misplaced neighbours', 'small.qcow2', misplaced(0, 1, 2, 9)],
  ['both', 'small.qcow2', both(misplaced(3), junk(33))],
  ['the only table', 'small.qcow2', lostTable],
  [
    'a zero cluster in version 2',
    'old.qcow2',
    (image) => {
      image.change(image.l2(2), (entry) => entry | 1n);
    },
  ],
  [
    'a contradiction among subclusters',
    'extended.qcow2',
    (image) => {
      image.setEntry(image.l2(2, 16) + 8, 0x1_0000_0001n);
    },
  ],
  [
    'allocated subclusters without a cluster',
    'extended.qcow2',
    (image) => {
      image.setEntry(image.l2(20, 16) + 8, 0x3n);
    },
  ],
];

/** The warnings of reads that are under way at once come in any order. */
function sorted({ stdout, stderr, exitCode }: Outcome): Outcome {
  return { stdout, stderr: stderr.split('\n').sort().join('\n'), exitCode };
}

type Run = (args: readonly string[]) => Promise<Outcome>;

/** Converts with both and compares what they say and write. */
async function salvage(options: readonly string[], ...sources: string[]): Promise<Outcome> {
  for (const name of ['real.raw', 'own.raw']) {
    rmSync(name, { force: true });
    // What was there must not shine through where zeros belong.
    if (options.includes('-n')) writeFileSync(name, noise(2 ** 21, 3));
  }
  const line = ['convert', '--salvage', ...options];
  const real = await qemuImg([...line, ...sources, 'real.raw']);
  const own = await ours([...line, ...sources, 'own.raw']);
  expect(sorted(own), line.join(' ')).toEqual(sorted(real));
  if (real.exitCode === 0) expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
  return own;
}

describe.skipIf(!available)('salvage', () => {
  it.each(DAMAGE)('%s is damaged (%s)', async (name, base, edit) => {
    damage(base, 'damaged.qcow2', edit);
    const { stderr } = await salvage([], 'damaged.qcow2');
    expect(stderr === '').toBe(name === 'nothing');
    await salvage(['-q'], 'damaged.qcow2');
    await salvage(['-n'], 'damaged.qcow2');
    await salvage(['-S', '0', '-m', '1'], 'damaged.qcow2');
  });

  it('says it in the order of the real program where that has one', async () => {
    damage('small.qcow2', 'damaged.qcow2', both(misplaced(3), junk(33)));
    const line = ['convert', '--salvage', 'damaged.qcow2'];
    const own = await ours([...line, 'own.raw']);
    const one = damage('small.qcow2', 'one.qcow2', misplaced(3));
    const other = damage('small.qcow2', 'other.qcow2', junk(33));
    const [first, second] = [
      await qemuImg(['convert', '--salvage', '-m', '1', one, 'real.raw']),
      await qemuImg(['convert', '--salvage', '-m', '1', other, 'real.raw']),
    ];
    expect(own.stderr).toBe(first.stderr + second.stderr);
  });

  it('several sources: each counts for itself', async () => {
    damage('small.qcow2', 'one.qcow2', both(misplaced(3), junk(33)));
    damage('old.qcow2', 'other.qcow2', junk(32));
    await salvage([], 'small.qcow2', 'one.qcow2', 'r.raw', 'other.qcow2', 'one.qcow2');
  });

  it('without it, the place is said where the real program says it', async () => {
    damage('small.qcow2', 'one.qcow2', misplaced(3));
    damage('small.qcow2', 'other.qcow2', junk(33));
    for (const sources of [['one.qcow2'], ['other.qcow2'], ['small.qcow2', 'one.qcow2']]) {
      const line = ['convert', ...sources];
      expect(await ours([...line, 'own.raw'])).toEqual(await qemuImg([...line, 'real.raw']));
    }
    const line = ['convert', 'r.raw', 'other.qcow2'];
    expect(await ours([...line, 'own.raw'])).toEqual(await qemuImg([...line, 'real.raw']));
  });

  it('damage in a chain: overlay and base', async () => {
    const sound = new Qcow2Editor('small.qcow2');
    try {
      damage('small.qcow2', 'small.qcow2', both(misplaced(1, 12), junk(33)));
      await salvage([], 'over.qcow2');
      damage('over.qcow2', 'over-damaged.qcow2', both(misplaced(3), junk(64)));
      await salvage([], 'over-damaged.qcow2');
    } finally {
      sound.save('small.qcow2');
    }
  });

  it('what a snapshot keeps', async () => {
    damage('snapshot.qcow2', 'damaged.qcow2', both(misplaced(3), junk(33)));
    await salvage(['-l', 's1'], 'damaged.qcow2');
    await salvage([], 'damaged.qcow2');
  });

  it('a target that cannot be written is another matter', async () => {
    damage('small.qcow2', 'damaged.qcow2', junk(33));
    const line = ['convert', '--salvage', 'damaged.qcow2', 'nowhere/o.raw'];
    expect(await ours(line)).toEqual(await qemuImg(line));
  });
});

describe.skipIf(!available)('salvage: where much is lost', () => {
  it('the warnings end, and the sum is said', async () => {
    const options = ['-o', 'cluster_size=4k'];
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, 'large.qcow2', '10M']);
    await make('qemu-io', ['-c', 'write -P 1 0 10M', 'large.qcow2']);
    damage('large.qcow2', 'damaged.qcow2', (image) => {
      for (let index = 0; index < 4; index++) {
        image.change(image.l1(index), (entry) => entry | 0x200n);
      }
    });
    const own = await ours(['convert', '--salvage', 'damaged.qcow2', 'own.raw']);
    expect(own.exitCode).toBe(0);
    const lines = own.stderr.split('\n');
    expect(lines.length).toBeLessThan(20_000);
    expect(lines.at(-2)).toMatch(`in all, ${8 * 1024 * 1024} bytes could not be read`);
    await make('qemu-img', ['convert', '-q', '--salvage', 'damaged.qcow2', 'real.raw']);
    expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
  });
});

/** A file of which some sectors cannot be read. */
function failing(storage: Storage, bad: ReadonlySet<number>): Storage {
  return {
    name: storage.name,
    size: storage.size,
    writable: false,
    read(offset, target) {
      const end = Math.ceil((offset + Math.min(target.length, storage.size - offset)) / SECTOR);
      for (let sector = Math.floor(offset / SECTOR); sector < end; sector++) {
        if (!bad.has(sector)) continue;
        const details = { name: storage.name, offset, length: target.length };
        const error = new ImageError('read-failed', { ...details, reason: 'Input/output error' });
        return Promise.reject(error);
      }
      return storage.read(offset, target);
    },
    write: () => Promise.reject(new Error('not written')),
    resize: () => Promise.reject(new Error('not resized')),
    flush: () => Promise.resolve(),
    close: () => storage.close(),
  };
}

class DamagedHost extends NodeHost {
  readonly bad: ReadonlySet<number>;

  constructor(bad: ReadonlySet<number>, out: (text: string) => void, err: (text: string) => void) {
    super(out, err);
    this.bad = bad;
  }

  override async open(name: string): Promise<Storage> {
    return failing(await super.open(name), this.bad);
  }
}

/** Ours, on a medium with bad sectors. */
function onDamaged(bad: ReadonlySet<number>): Run {
  return async (args) => {
    const outcome: Outcome = { stdout: '', stderr: '', exitCode: 0 };
    const host = new DamagedHost(
      bad,
      (text) => (outcome.stdout += text),
      (text) => (outcome.stderr += text),
    );
    outcome.exitCode = await runCommand([...args], host);
    return outcome;
  };
}

/** The same for the real program. */
function blkdebug(driver: string, filename: string, bad: ReadonlySet<number>): string {
  const errors = [...bad].map((sector) => ({ event: 'none', sector, errno: 5 }));
  const image = { driver: 'file', filename };
  return `json:${JSON.stringify({
    driver,
    file: { driver: 'blkdebug', 'inject-error': errors, image },
  })}`;
}

describe.skipIf(!available)('salvage: a damaged medium', () => {
  async function onMedium(format: string, file: string, sectors: readonly number[]) {
    const bad = new Set(sectors);
    const line = ['convert', '--salvage'];
    rmSync('own.raw', { force: true });
    const real = await qemuImg([...line, blkdebug(format, file, bad), 'real.raw']);
    const own = await onDamaged(bad)([...line, '-f', format, file, 'own.raw']);
    expect(sorted(own), file).toEqual(sorted(real));
    if (real.exitCode === 0) expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
    return own;
  }

  it.each([[[0]], [[100]], [[5, 6, 7, 200]], [[390]], [[1, 3, 5, 7, 9]]])(
    'raw, sectors %j',
    async (sectors) => {
      const { stderr } = await onMedium('raw', 'r.raw', sectors);
      expect(stderr.match(/reading offset/g)).toHaveLength(sectors.length);
    },
  );

  it('data and packed clusters of qcow2', async () => {
    const image = new Qcow2Editor('small.qcow2');
    const sectors = [image.host(0) / SECTOR, image.host(4) / SECTOR + 3];
    const { stderr } = await onMedium('qcow2', 'small.qcow2', sectors);
    expect(stderr.match(/reading offset/g)).toHaveLength(2);
    const packed = new Qcow2Editor('packed.qcow2');
    const sector = Math.floor(Number(packed.entry(packed.l2(1)) & 0xffffffffffn) / SECTOR) + 5;
    const own = await onMedium('qcow2', 'packed.qcow2', [sector]);
    expect(own.stderr.match(/reading offset/g)).toHaveLength(128);
  });

  it('a table of one sector is lost as a whole, as there', async () => {
    const image = new Qcow2Editor('tiny.qcow2');
    const table = Number(image.entry(image.l1(1)) & 0xfffffffffe00n) / SECTOR;
    const { stderr } = await onMedium('qcow2', 'tiny.qcow2', [table]);
    expect(stderr.match(/block status/g)).toHaveLength(128);
  });

  /** The real program loses all that the table maps. */
  it('of a larger table only what could not be read', async () => {
    const image = new Qcow2Editor('small.qcow2');
    const bad = new Set([image.l2(64) / SECTOR]);
    const own = await onDamaged(bad)(['convert', '--salvage', 'small.qcow2', 'own.raw']);
    expect(own.exitCode).toBe(0);
    expect(own.stderr.match(/block status/g)).toHaveLength(64 * 8 * 2);
    const expected = join(folder, 'expected.raw');
    await make('qemu-img', ['convert', 'small.qcow2', expected]);
    const file = openSync(expected, 'r+');
    writeSync(file, new Uint8Array(256 * 1024), 0, 256 * 1024, 256 * 1024);
    closeSync(file);
    expect(await hashOf('own.raw')).toBe(await hashOf(expected));
  });
});

describe.skipIf(!available)('a rate limit', () => {
  it.each(['x', '-1', '9E', '0x100k', '0', '1M'])('-r %s', async (rate) => {
    const line = ['convert', '-r', rate, 'r.raw'];
    const real = await qemuImg([...line, 'real.raw']);
    expect(await ours([...line, 'own.raw'])).toEqual(real);
  });

  it('is kept, with the same result', async () => {
    const started = performance.now();
    await ours(['convert', '-r', '300k', 'r.raw', 'own.raw']);
    // The first piece may be written at once.
    expect(performance.now() - started).toBeGreaterThan(300);
    await make('qemu-img', ['convert', 'r.raw', 'real.raw']);
    expect(await hashOf('own.raw')).toBe(await hashOf('real.raw'));
  });

  it('does not keep a stop from being heard', async () => {
    const controller = new AbortController();
    const host = new NodeHost(
      () => undefined,
      () => undefined,
    );
    setTimeout(() => controller.abort(), 50);
    const started = performance.now();
    const args = ['convert', '-r', '1k', 'r.raw', 'own.raw'];
    expect(await runCommand(args, host, controller.signal)).toBe(130);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
