/** Pictures: their levels against a plain count, and what they say of random images against a check. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CELL_KINDS,
  type CellKind,
  checkImage,
  FilePicture,
  guestPicture,
  guestPlace,
  guestRuns,
  isImageError,
  openImage,
  Qcow2Image,
  type Disk,
  type Finding,
  type PictureData,
  type PictureRun,
} from '../../src/engine/index.ts';
import { PictureBuilder, walkWith } from '../../src/engine/operations/picture.ts';
import { MappedFile } from '../../src/engine/operations/picture-mapped.ts';
import { imagesOf } from '../images/arbitrary.ts';
import { buildQcow2, type BuiltImage } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';
import { randomFor, wound } from '../images/wounds.ts';

const LEAK = 0x40;
const DAMAGE = 0x80;
const KIND = 0x3f;

const kindOf = (cell: number) => CELL_KINDS[cell & KIND] ?? 'none';
const sumOf = (picture: PictureData) => picture.sums.reduce((a, b) => a + b, 0);

/** The runs of a picture whose cells are clusters, by its first level. */
function runsOfCells({ levels, clusterSize, size }: PictureData) {
  const runs: { offset: number; length: number; kind: string }[] = [];
  for (const [at, cell] of (levels[0] ?? []).entries()) {
    const offset = at * clusterSize;
    const length = Math.min(clusterSize, size - offset);
    const last = runs.at(-1);
    if (last?.kind === kindOf(cell)) last.length += length;
    else runs.push({ offset, length, kind: kindOf(cell) });
  }
  return runs;
}

const plain = ({ offset, length, kind }: PictureRun) => ({ offset, length, kind });

async function inPages(ask: (offset: number) => Promise<PictureRun[]>): Promise<PictureRun[]> {
  const runs: PictureRun[] = [];
  for (;;) {
    const last = runs.at(-1);
    const page = await ask(last === undefined ? 0 : last.offset + last.length);
    if (page.length === 0) return runs;
    runs.push(...page);
  }
}

describe('levels', () => {
  const anyRuns = fc.array(fc.tuple(fc.nat(18), fc.integer({ min: 1, max: 1500 }), fc.nat(3)), {
    minLength: 1,
    maxLength: 30,
    size: 'max',
  });

  it('show what most bytes are, at any size of cells, and add up', async () => {
    await fc.assert(
      fc.asyncProperty(anyRuns, fc.constantFrom(1, 16, 512), async (runs, cluster) => {
        const bytes = runs.flatMap(([kind, length, flags]) =>
          Array.from({ length }, () => kind | (flags << 6)),
        );
        const builder = new PictureBuilder(bytes.length, cluster);
        for (const [kind, length, flags] of runs) builder.add(kind | (flags << 6), length);
        const picture = await builder.finish(walkWith({}));
        // A level above counts the cells of the first, so that is what is counted here too.
        const cells = spread(picture, bytes.length);
        for (const [index, level] of picture.levels.entries()) {
          const step = picture.unit * 4 ** index;
          const from = index === 0 ? bytes : cells;
          const expected = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) =>
            majority(from.slice(at * step, (at + 1) * step)),
          );
          expect([...level]).toEqual(expected);
        }
        expect(picture.levels.at(-1)?.length).toBeLessThanOrEqual(4096);
        CELL_KINDS.forEach((_, kind) => {
          expect(picture.sums[kind]).toBe(bytes.filter((cell) => (cell & KIND) === kind).length);
        });
        const changes = bytes.filter(
          (c, at) => at === 0 || (c & KIND) !== ((bytes[at - 1] ?? 0) & KIND),
        );
        expect(picture.runs).toBe(changes.length);
      }),
      { numRuns: 30 },
    );
  });

  it('grow their unit for what is very large, and stay exact', async () => {
    const size = 2 ** 40 * 3 + 512;
    const builder = new PictureBuilder(size, 512);
    builder.add(8, 2 ** 40 + 512);
    builder.add(14, 2 ** 41 - 1024);
    builder.add(17 | DAMAGE, 512);
    builder.add(14, 512);
    const { unit, levels, sums, runs } = await builder.finish(walkWith({}));
    expect(unit).toBe(2 ** 18);
    expect(levels[0]?.length).toBe(Math.ceil(size / unit));
    expect(levels.at(-1)?.length).toBeLessThanOrEqual(4096);
    expect([sums[8], sums[14], sums[17], runs]).toEqual([2 ** 40 + 512, 2 ** 41 - 512, 512, 4]);
    // The damage is too small for any cell, and is seen in all levels.
    for (const level of levels)
      expect([...level.subarray(-2)].some((cell) => cell >= DAMAGE)).toBe(true);
  });

  it('are there for nothing at all', async () => {
    const picture = await new PictureBuilder(0, 65536).finish(walkWith({}));
    expect(picture.levels.map((level) => level.length)).toEqual([0]);
    expect([sumOf(picture), picture.runs]).toEqual([0, 0]);
  });
});

/** The bytes as the first level has them. */
function spread({ levels, unit }: PictureData, length: number): number[] {
  const cells = levels[0] ?? new Uint8Array();
  return Array.from({ length }, (_, at) => cells[Math.floor(at / unit)] ?? 0);
}

function majority(bytes: readonly number[]): number {
  const counts = new Map<number, number>();
  let flags = 0;
  for (const cell of bytes) {
    counts.set(cell & KIND, (counts.get(cell & KIND) ?? 0) + 1);
    flags |= cell & ~KIND;
  }
  const most = Math.max(...counts.values());
  const kinds = [...counts].filter(([, count]) => count === most).map(([kind]) => kind);
  return Math.min(...kinds) | flags;
}

const anyQcow2 = imagesOf({
  versions: [2, 3],
  clusterBits: [9, 12, 14, 16],
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
});

async function open({ bytes }: BuiltImage): Promise<Qcow2Image | undefined> {
  try {
    const disk = await openImage(await memory(bytes), { mode: 'check' });
    return disk instanceof Qcow2Image && disk.snapshotError === undefined ? disk : undefined;
  } catch (error) {
    if (isImageError(error)) return undefined;
    throw error;
  }
}

const COUNTED = new Set<Finding['kind']>([
  'refcount-low',
  'refcount-zero',
  'refcount-overflow',
  'refcount-unreadable',
]);

/** The clusters of the file of which findings of some kinds are. */
function clustersOf(
  findings: readonly Finding[],
  kinds: ReadonlySet<Finding['kind']>,
  cs: number,
  size: number,
) {
  const clusters = findings
    .filter(({ kind, host }) => kinds.has(kind) && host !== undefined && host.offset < size)
    .map(({ host }) => Math.floor((host?.offset ?? 0) / cs));
  return [...new Set(clusters)].sort((a, b) => a - b);
}

function flagged(cells: Uint8Array, flag: number): number[] {
  return [...cells.keys()].filter((at) => ((cells[at] ?? 0) & flag) !== 0);
}

describe('the file of a qcow2 image', () => {
  it('has no damage and no leaks where there are none, and is all of the file', async () => {
    await fc.assert(
      fc.asyncProperty(anyQcow2, async (spec) => {
        const image = buildQcow2(spec);
        const disk = await open(image);
        if (disk === undefined) throw new Error('does not open');
        const picture = await new FilePicture(disk).picture();
        expect(sumOf(picture)).toBe(image.bytes.length);
        const cells = picture.levels[0] ?? new Uint8Array();
        expect([flagged(cells, LEAK), flagged(cells, DAMAGE)]).toEqual([[], []]);
        expect(kindOf(cells[0] ?? 0)).toBe('header');
      }),
      { numRuns: 150 },
    );
  });

  it('leaks and is damaged where the check says so', async () => {
    let damaged = 0;
    let leaked = 0;
    await fc.assert(
      fc.asyncProperty(anyQcow2, fc.nat(), async (spec, seed) => {
        const image = wound(buildQcow2(spec), randomFor(seed));
        const disk = await open(image);
        if (disk === undefined) return;
        const report = await checkImage(disk, { limit: 1e6 });
        if (report.aborted !== undefined) return;
        const file = new FilePicture(disk);
        const picture = await file.picture();
        const { size, clusterSize } = picture;
        expect(sumOf(picture)).toBe(size);
        const cells = picture.levels[0] ?? new Uint8Array();
        const leaks = clustersOf(report.findings, new Set(['leak']), clusterSize, size);
        expect(flagged(cells, LEAK)).toEqual(leaks);
        const wrong = clustersOf(report.findings, COUNTED, clusterSize, size);
        const red = flagged(cells, DAMAGE);
        expect(red).toEqual(expect.arrayContaining(wrong));
        // A check does not mind two owners, as long as they are counted.
        for (const cluster of red.filter((one) => !wrong.includes(one))) {
          const { refcount } = await file.place(cluster * clusterSize);
          expect(refcount?.counted).toBeGreaterThan(1);
        }
        damaged += wrong.length;
        leaked += leaks.length;
      }),
      { numRuns: 150 },
    );
    expect(damaged).toBeGreaterThan(15);
    expect(leaked).toBeGreaterThan(15);
  });

  it('tells the same as a table, in pages of any length', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyQcow2,
        fc.nat(),
        fc.integer({ min: 1, max: 7 }),
        async (spec, seed, most) => {
          const disk = await open(wound(buildQcow2(spec), randomFor(seed)));
          if (disk === undefined) return;
          const file = new FilePicture(disk);
          const picture = await file.picture();
          const runs = await inPages((offset) => file.runs(offset, most));
          expect(runs.map(plain)).toEqual(runsOfCells(picture));
          expect(picture.runs).toBe(runs.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('leads to the guest and back', async () => {
    let trips = 0;
    await fc.assert(
      fc.asyncProperty(anyQcow2, async (spec) => {
        const image = buildQcow2(spec);
        const disk = await open(image);
        if (disk === undefined) throw new Error('does not open');
        const file = new FilePicture(disk);
        const view = new DataView(image.bytes.buffer, image.bytes.byteOffset);
        for (let guest = 0; guest < disk.size; guest += disk.clusterSize) {
          const { kind, use } = await guestPlace(disk, guest);
          if (
            use.entry !== undefined &&
            use.entry.length >= 8 &&
            use.node?.includes('l2') === true
          ) {
            const entry = view.getBigUint64(use.entry.offset);
            const isThere = kind === 'data' || kind === 'compressed' || kind === 'zero-held';
            if (isThere)
              expect(Number(entry & 0x00ffffffffffffffn) >= (use.fileOffset ?? Infinity)).toBe(
                true,
              );
          }
          if (use.fileOffset === undefined) continue;
          const place = await file.place(use.fileOffset);
          const back = place.uses.find(
            ({ guestOffset, snapshot }) => guestOffset === guest && snapshot === '',
          );
          expect(back, `${guest} ${kind}`).toEqual(use);
          trips += 1;
        }
      }),
      { numRuns: 60 },
    );
    expect(trips).toBeGreaterThan(200);
  });

  it('names everyone who uses a place, as often as it is counted', async () => {
    let shared = 0;
    await fc.assert(
      fc.asyncProperty(anyQcow2, async (spec) => {
        const disk = await open(buildQcow2(spec));
        if (disk === undefined) throw new Error('does not open');
        const file = new FilePicture(disk);
        const cells = (await file.picture()).levels[0] ?? new Uint8Array();
        for (const [cluster, cell] of cells.entries()) {
          const place = await file.place(cluster * disk.clusterSize);
          expect(place.kind).toBe(kindOf(cell));
          const { stored = 0, counted = 0 } = place.refcount ?? {};
          expect(stored).toBe(counted);
          if (['free', 'header', 'crypto', 'l1'].includes(place.kind)) continue;
          const isTable = place.uses.every(({ guestOffset }) => guestOffset === undefined);
          if (isTable && place.uses.length === 0) continue;
          expect(place.uses.length).toBe(Math.min(16, counted));
          expect(place.moreUses).toBe(counted > 16);
          if (counted > 1) shared += 1;
          const first = place.uses.findIndex(({ snapshot }) => snapshot !== '');
          expect(
            place.uses
              .slice(first < 0 ? place.uses.length : first)
              .every(({ snapshot }) => snapshot !== ''),
          ).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
    expect(shared).toBeGreaterThan(15);
  });
});

/** Bytes of each kind as the map of a disk has them. */
async function sumsOfMap(disk: Disk): Promise<Map<CellKind, number>> {
  const sums = new Map<CellKind, number>();
  for (let offset = 0; offset < disk.size;) {
    for (const { kind, length, hostOffset } of await disk.map(offset, disk.size - offset)) {
      const held = hostOffset >= 0 ? 'zero-held' : 'zero';
      const name = kind === 'invalid' ? 'damaged' : kind === 'zero' ? held : kind;
      sums.set(name, (sums.get(name) ?? 0) + length);
      offset += length;
    }
  }
  return sums;
}

describe('the disk', () => {
  it('tells the same as a table, in pages of any length', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyQcow2,
        fc.nat(),
        fc.integer({ min: 1, max: 7 }),
        async (spec, seed, most) => {
          const disk = await open(wound(buildQcow2(spec), randomFor(seed)));
          if (disk === undefined) return;
          const picture = await guestPicture(disk);
          expect(sumOf(picture)).toBe(disk.size);
          const sums = await sumsOfMap(disk);
          for (const [kind, name] of CELL_KINDS.entries()) {
            expect(picture.sums[kind], name).toBe(sums.get(name) ?? 0);
          }
          const runs = await inPages((offset) => guestRuns(disk, offset, most));
          expect(picture.runs).toBe(runs.length);
          for (const [kind, name] of CELL_KINDS.entries()) {
            const sum = runs
              .filter((run) => run.kind === name)
              .reduce((all, run) => all + run.length, 0);
            expect(picture.sums[kind]).toBe(sum);
          }
          const { extendedL2 } = disk.header;
          if (!extendedL2) expect(runs.map(plain)).toEqual(runsOfCells(picture));
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** A disk of a made-up format whose map is a list. */
async function mapped(
  size: number,
  map: readonly (readonly [guest: number, length: number, host: number])[],
) {
  const storage = await memory(new Uint8Array(size));
  const disk = {
    ...{ format: 'vdi', size: 64 * 1024, storage, clusterSize: 4096, backing: undefined },
    map: (offset: number, length: number) => {
      const end = offset + length;
      const extents = map.map(([guest, bytes, host]) => {
        const kind = host < 0 ? 'unallocated' : 'data';
        return {
          kind,
          offset: guest,
          length: bytes,
          storage,
          hostOffset: host,
          hostLength: 0,
          clusterOffset: guest,
        };
      });
      return Promise.resolve(
        extents.filter((one) => one.offset >= offset && one.offset < end).slice(0, 2),
      );
    },
  };
  return disk as unknown as Disk;
}

describe('the file of other formats', () => {
  const MAP = [
    [0, 8192, 20480],
    [8192, 4096, -1],
    [12288, 4096, 8192],
    [16384, 4096, 4096],
    [20480, 45056, -1],
  ] as const;

  it('is content where the map says so, and else its own', async () => {
    for (const most of [1, 2, 100]) {
      const file = new MappedFile(await mapped(32768, MAP), most);
      const runs = await file.runs(0, 100, walkWith({}));
      expect(runs).toEqual([
        { offset: 0, length: 512, kind: 'header', other: -1 },
        { offset: 512, length: 3584, kind: 'metadata', other: -1 },
        { offset: 4096, length: 8192, kind: 'data', other: -1 },
        { offset: 12288, length: 8192, kind: 'metadata', other: -1 },
        { offset: 20480, length: 8192, kind: 'data', other: 0 },
        { offset: 28672, length: 4096, kind: 'metadata', other: -1 },
      ]);
      expect((await file.place(25000, walkWith({}))).uses[0]?.guestOffset).toBe(4096);
      expect(await file.runs(9000, 2, walkWith({}))).toEqual([
        { offset: 9000, length: 3288, kind: 'data', other: 12288 + 808 },
        { offset: 12288, length: 8192, kind: 'metadata', other: -1 },
      ]);
    }
  });

  it('is damaged where two places of the guest share it', async () => {
    const disk = await mapped(16384, [
      [0, 8192, 4096],
      [8192, 4096, 6144],
      [12288, 53248, -1],
    ]);
    const runs = await new MappedFile(disk).runs(0, 100, walkWith({}));
    expect(runs.map(({ offset, length, kind }) => [offset, length, kind])).toEqual([
      [0, 512, 'header'],
      [512, 3584, 'metadata'],
      [4096, 2048, 'data'],
      [6144, 4096, 'damaged'],
      [10240, 2048, 'data'],
      [12288, 4096, 'metadata'],
    ]);
  });
});
