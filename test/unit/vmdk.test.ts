/** VMDKs of several files: with one missing, read-only parts, another parent, damage, and COWD. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  editDisk,
  isImageError,
  mapChain,
  MemoryStorage,
  openImage,
  readDisk,
  type Disk,
  type Gate,
} from '../../src/engine/index.ts';
import { buildCowd, buildHosted, buildStream, vmdkDescriptor } from '../images/build-vmdk.ts';
import { freshNoise } from '../images/noise.ts';

const SECTOR = 512;
const GRAIN = 8 * SECTOR;
const grain = (seed: number, sectors = 8) => Uint8Array.from(freshNoise(seed, sectors * SECTOR));
const SMALL = { sectors: 3000, grain: 8, entriesPerTable: 64 };
const PLAIN = { ...SMALL, descriptor: vmdkDescriptor('monolithicSparse', []) };

type Files = Readonly<Record<string, MemoryStorage>>;

function storages(files: Readonly<Record<string, Uint8Array>>): Files {
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [name, new MemoryStorage({ content, name })]),
  );
}

const text = (...descriptor: Parameters<typeof vmdkDescriptor>) =>
  Buffer.from(vmdkDescriptor(...descriptor));

/** Gives the files that there are, and notes which ones it was asked for. */
function open(files: Files, name: string, asked: string[] = []): Promise<Disk> {
  const gate: Gate = (request) => {
    asked.push(`${request.kind} ${request.name}`);
    return Promise.resolve(files[request.name]);
  };
  return openImage(files[name]!, { gate });
}

async function kindsOf(disk: Disk): Promise<string[]> {
  const kinds: string[] = [];
  for await (const batch of mapChain(disk)) {
    for (const { kind, offset, length, unknown, reason } of batch) {
      const more = unknown === true ? ` unknown ${reason}` : '';
      kinds.push(`${offset / SECTOR}+${length / SECTOR} ${kind}${more}`);
    }
  }
  return kinds;
}

async function expectRead(disk: Disk, sector: number, expected: Uint8Array): Promise<void> {
  const bytes = await readDisk(disk, sector * SECTOR, expected.length);
  expect(Buffer.from(bytes).equals(expected), `sector ${sector}`).toBe(true);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (isImageError(error)) return error.code;
    throw error;
  }
  return '';
}

describe('a file of an extent that is not given', () => {
  const lines = [
    'RW 64 FLAT "one.bin" 2',
    'RW 3000 SPARSE "two.vmdk"',
    'RW 128 FLAT "three.bin" 0',
    'RW 64 FLAT "one.bin" 66',
  ];
  const all = {
    'disk.vmdk': text('twoGbMaxExtentSparse', lines),
    'one.bin': grain(1, 130),
    'two.vmdk': buildHosted({ ...SMALL, grains: new Map([[1, grain(2)]]) }),
    'three.bin': grain(3, 128),
  };
  const without = (...names: string[]) =>
    storages(Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name))));

  it('leaves a gap of unknown content, flat or sparse', async () => {
    const asked: string[] = [];
    const disk = await open(without('two.vmdk', 'three.bin'), 'disk.vmdk', asked);
    // Each file once, although one is named twice.
    expect(asked).toEqual(['extent one.bin', 'extent two.vmdk', 'extent three.bin']);
    expect(disk.size).toBe(3256 * SECTOR);
    expect(await kindsOf(disk)).toEqual([
      '0+64 data',
      '64+3000 data unknown extent-missing',
      '3064+128 data unknown extent-missing',
      '3192+64 data',
    ]);
  });

  it('is refused where it is read, and nowhere else', async () => {
    const disk = await open(without('two.vmdk'), 'disk.vmdk');
    const one = all['one.bin'];
    await expectRead(disk, 0, one.subarray(2 * SECTOR, 66 * SECTOR));
    await expectRead(disk, 3064, all['three.bin']);
    await expectRead(disk, 3192, one.subarray(66 * SECTOR));
    for (const [sector, count] of [
      [64, 1],
      [1000, 8],
      [3063, 1],
      [60, 10],
      [3060, 10],
    ] as const) {
      await expect(readDisk(disk, sector * SECTOR, count * SECTOR)).rejects.toMatchObject({
        code: 'unreadable-cluster',
        details: { reason: 'extent-missing' },
      });
    }
  });

  it('is found by the check, and keeps the disk from being written to', async () => {
    const disk = await open(without('three.bin'), 'disk.vmdk');
    const report = await checkImage(disk);
    expect(report.findings).toMatchObject([
      {
        ...{ kind: 'io-error', severity: 'error' },
        guest: { offset: 3064 * SECTOR, length: 128 * SECTOR },
        values: { name: 'three.bin' },
      },
    ]);
    expect(report.checkErrors).toBe(1);
    expect(await codeOf(editDisk(disk))).toBe('unreadable-cluster');
  });

  it('is the same without a gate', async () => {
    const disk = await openImage(storages(all)['disk.vmdk']!);
    expect(await codeOf(readDisk(disk, 0, SECTOR))).toBe('unreadable-cluster');
  });
});

describe('access', () => {
  const files = () =>
    storages({
      'disk.vmdk': text('twoGbMaxExtentFlat', [
        'RDONLY 64 FLAT "a.bin" 0',
        'RW 100 ZERO',
        'RW 64 FLAT "b.bin" 0',
        'NOACCESS 10 FLAT "c.bin" 0',
      ]),
      'a.bin': grain(4, 64),
      'b.bin': grain(5, 64),
      'c.bin': grain(6, 10),
    });

  it('RDONLY is read, ZERO is zeros, and NOACCESS is never asked for', async () => {
    const asked: string[] = [];
    const disk = await open(files(), 'disk.vmdk', asked);
    expect(asked).toEqual(['extent a.bin', 'extent b.bin']);
    expect(await kindsOf(disk)).toEqual([
      '0+64 data',
      '64+100 zero',
      '164+64 data',
      '228+10 data unknown extent-missing',
    ]);
    await expectRead(disk, 0, grain(4, 64));
    await expectRead(disk, 64, new Uint8Array(100 * SECTOR));
    await expectRead(disk, 164, grain(5, 64));
    expect(await codeOf(readDisk(disk, 228 * SECTOR, SECTOR))).toBe('unreadable-cluster');
  });

  it.each([
    ['RDONLY 64 FLAT "a.bin" 0', 'unsupported-feature'],
    ['RW 64 ZERO', 'unsupported-feature'],
    ['NOACCESS 64 FLAT "a.bin" 0', 'unreadable-cluster'],
    ['RW 64 FLAT "a.bin" 0', ''],
  ])('%s: writing', async (line, code) => {
    const some = { ...files(), ...storages({ 'x.vmdk': text('twoGbMaxExtentFlat', [line]) }) };
    expect(await codeOf(open(some, 'x.vmdk').then(editDisk))).toBe(code);
    expect(Buffer.from(await contentOf(some['a.bin']!)).equals(grain(4, 64))).toBe(true);
  });
});

async function contentOf(storage: MemoryStorage): Promise<Uint8Array> {
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  return bytes;
}

describe('a parent', () => {
  const child = text('monolithicSparse', [], { parentCid: '0badcafe', parent: 'parent.vmdk' });
  const parent = (cid: string) =>
    buildHosted({
      ...SMALL,
      descriptor: vmdkDescriptor('monolithicSparse', [], { cid }),
      grains: new Map([
        [0, grain(7)],
        [2, grain(8)],
      ]),
    });
  const files = (cid: string) =>
    storages({
      'child.vmdk': buildHosted({
        ...{ ...SMALL, version: 2, descriptor: child.toString() },
        grains: new Map<number, Uint8Array | 'zero'>([
          [1, grain(9)],
          [2, 'zero'],
        ]),
      }),
      'parent.vmdk': parent(cid),
    });

  it('shows where the child has nothing', async () => {
    const asked: string[] = [];
    const disk = await open(files('0badcafe'), 'child.vmdk', asked);
    expect(asked).toEqual(['backing parent.vmdk']);
    await expectRead(disk, 0, grain(7));
    await expectRead(disk, 8, grain(9));
    await expectRead(disk, 16, new Uint8Array(GRAIN));
  });

  it('is refused when its content was changed, and when it is no VMDK', async () => {
    await expect(open(files('0badcaff'), 'child.vmdk')).rejects.toMatchObject({
      code: 'parent-mismatch',
      details: { name: 'child.vmdk', parent: 'parent.vmdk', expected: 'badcafe', found: 'badcaff' },
    });
    const some = files('0badcafe');
    const raw: Gate = () => Promise.resolve({ storage: new MemoryStorage(), format: 'raw' });
    await expect(openImage(some['child.vmdk']!, { gate: raw })).rejects.toMatchObject({
      code: 'parent-mismatch',
      details: { found: 'raw' },
    });
  });

  it('does not pass for zeros when it is missing', async () => {
    const { 'child.vmdk': only } = files('0badcafe');
    const disk = await open({ 'child.vmdk': only! }, 'child.vmdk');
    expect(disk.backingMissing).toBe(true);
    expect(await codeOf(readDisk(disk, 0, SECTOR))).toBe('unreadable-cluster');
    await expectRead(disk, 8, grain(9));
  });

  it('is not taken for this one any more once it was written to', async () => {
    const some = files('0badcafe');
    const writer = await editDisk(await open(some, 'parent.vmdk'));
    await writer.write(0, new Uint8Array(SECTOR));
    await writer.flush();
    expect(await codeOf(open(some, 'child.vmdk'))).toBe('parent-mismatch');
  });
});

describe('the check sees what qemu-img does not', () => {
  const sound = () =>
    buildHosted({
      ...PLAIN,
      grains: new Map([
        [0, grain(10)],
        [1, grain(11)],
        [70, grain(12)],
      ]),
    });

  async function check(change: (view: DataView) => void, bytes = sound()) {
    change(new DataView(bytes.buffer));
    return checkImage(await open(storages({ 'x.vmdk': bytes }), 'x.vmdk'));
  }

  /** Where the entry of a grain is, in the tables of the directory whose sector is at `directoryAt`. */
  function entryAt(view: DataView, directoryAt: number, index: number): number {
    const directory = Number(view.getBigUint64(directoryAt, true)) * SECTOR;
    const table = view.getUint32(directory + Math.floor(index / 64) * 4, true) * SECTOR;
    return table + (index % 64) * 4;
  }
  const [REDUNDANT, OWN] = [48, 56];

  it('nothing where nothing is wrong', async () => {
    expect((await check(() => undefined)).findings).toEqual([]);
  });

  it('two grains in one place', async () => {
    const report = await check((view) => {
      for (const directory of [REDUNDANT, OWN]) {
        const first = view.getUint32(entryAt(view, directory, 1), true);
        view.setUint32(entryAt(view, directory, 70), first, true);
      }
    });
    expect(report.findings).toMatchObject([
      {
        ...{ kind: 'block-duplicate', severity: 'notice', values: { message: '' } },
        guest: { offset: 70 * GRAIN, length: GRAIN },
      },
    ]);
    expect(report).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0 });
  });

  it('copies of a table that differ', async () => {
    const report = await check((view) => {
      view.setUint32(entryAt(view, REDUNDANT, 71), 4711, true);
    });
    expect(report.findings).toMatchObject([
      {
        ...{ kind: 'table-copy', severity: 'notice', values: { table: 1, message: '' } },
        guest: { offset: 64 * GRAIN, length: 64 * GRAIN },
      },
    ]);
    expect(report).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0 });
  });

  it('a copy of the directory that is nowhere', async () => {
    const report = await check((view) => view.setBigUint64(REDUNDANT, 2n ** 62n, true));
    expect(Object.keys(report.findingCounts)).toEqual(['table-copy']);
    expect(report.corruptions).toBe(0);
  });

  it('what copying as text has done', async () => {
    const report = await check((view) => view.setUint8(75, 0x0a));
    expect(report.findings).toMatchObject([{ kind: 'header-checksum', severity: 'notice' }]);
  });

  it('packed grains that share a place', async () => {
    const bytes = buildStream({
      ...SMALL,
      ...{
        atEnd: false,
        grains: new Map([
          [0, grain(13)],
          [5, grain(14)],
        ]),
      },
    });
    const report = await check((view) => {
      const entry = entryAt(view, OWN, 0);
      view.setUint32(entry + 20, view.getUint32(entry, true), true);
    }, bytes);
    expect(report.findingCounts).toEqual({ 'block-duplicate': 1 });
  });

  it('extents that are larger or smaller than the descriptor says', async () => {
    const files = storages({
      'x.vmdk': text('twoGbMaxExtentSparse', ['RW 2000 SPARSE "part.vmdk"']),
      'part.vmdk': sound(),
    });
    const report = await checkImage(await open(files, 'x.vmdk'));
    expect(report.findings).toMatchObject([
      { kind: 'size-contradiction', values: { descriptor: 2000, header: 3000 } },
    ]);
  });
});

describe('COWD', () => {
  const SECTORS = 9000;
  const files = () =>
    storages({
      'x.vmdk': text('vmfsSparse', [`RW ${SECTORS} VMFSSPARSE "delta.vmdk"`]),
      'delta.vmdk': buildCowd({ sectors: SECTORS, grains: new Map([[5, grain(15, 1)]]) }),
    });

  it('is written to: grains that are there, new ones, and tables that were not there', async () => {
    const some = files();
    const expected = new Uint8Array(SECTORS * SECTOR);
    expected.set(grain(15, 1), 5 * SECTOR);
    const writer = await editDisk(await open(some, 'x.vmdk'));
    for (const [sector, count] of [
      [4, 3],
      [4090, 12],
      [8999, 1],
      [8999, 1],
      [5, 1],
    ] as const) {
      const bytes = grain(sector + count, count);
      await writer.write(sector * SECTOR, bytes);
      expected.set(bytes, sector * SECTOR);
    }
    await writer.zero(4092 * SECTOR, 2 * SECTOR);
    expected.fill(0, 4092 * SECTOR, 4094 * SECTOR);
    await writer.flush();
    const again = await open(some, 'x.vmdk');
    await expectRead(again, 0, expected);
    expect((await checkImage(again)).findings).toEqual([]);
    expect((await kindsOf(again)).filter((kind) => kind.endsWith('data')).length).toBeGreaterThan(
      2,
    );
  });

  it('says where the next grain may go', async () => {
    const some = files();
    const free = async () => {
      const bytes = await contentOf(some['delta.vmdk']!);
      return new DataView(bytes.buffer).getUint32(28, true) * SECTOR;
    };
    expect(await free()).toBe(some['delta.vmdk']!.size);
    const writer = await editDisk(await open(some, 'x.vmdk'));
    await writer.write(0, grain(16, 3));
    await writer.flush();
    expect(await free()).toBe(some['delta.vmdk']!.size);
  });
});
