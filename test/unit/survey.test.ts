/** Surveys: against a plain count of who leads where, against the check, and of damaged images. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { surveyDisk } from '../../src/engine/diagnosis/survey.ts';
import { TreeSets } from '../../src/engine/formats/qcow2/survey-sets.ts';
import { surveyQcow2 } from '../../src/engine/formats/qcow2/survey.ts';
import type { Survey } from '../../src/engine/formats/survey.ts';
import { checkImage, isImageError, openImage, Qcow2Image } from '../../src/engine/index.ts';
import { planDeletion } from '../../src/engine/formats/qcow2/edit/snapshots.ts';
import { walkWith } from '../../src/engine/operations/picture.ts';
import { imagesOf } from '../images/arbitrary.ts';
import { buildQcow2, type BuiltImage, type ClusterSpec } from '../images/build-qcow2.ts';
import { buildVdi } from '../images/build-vdi.ts';
import { memory } from '../images/memory.ts';
import { noise } from '../images/noise.ts';
import { randomFor, wound } from '../images/wounds.ts';

const anyQcow2 = imagesOf({
  versions: [2, 3],
  clusterBits: [9, 12, 14, 16],
  refcountBits: [1, 2, 4, 8, 16, 32, 64],
});

async function open({ bytes }: BuiltImage): Promise<Qcow2Image | undefined> {
  try {
    const disk = await openImage(await memory(bytes), { mode: 'check' });
    return disk instanceof Qcow2Image ? disk : undefined;
  } catch (error) {
    if (isImageError(error)) return undefined;
    throw error;
  }
}

async function openSound(image: BuiltImage): Promise<Qcow2Image> {
  const disk = await open(image);
  if (disk === undefined) throw new Error('does not open');
  return disk;
}

function sumOf({ space }: Survey): number {
  const { fileSize, metadata, ...rest } = space;
  const parts: number[] = [...Object.values({ ...metadata }), ...Object.values(rest)];
  // Nothing is less than nothing.
  expect(Math.min(fileSize, ...parts)).toBeGreaterThanOrEqual(0);
  return parts.reduce((sum, part) => sum + part, 0);
}

function expectAllClusters({ clusters }: Survey): void {
  const { total = 0, ...kinds } = clusters ?? {};
  for (const count of Object.values(kinds)) expect(count).toBeGreaterThanOrEqual(0);
  expect(Object.values(kinds).reduce((sum, count) => sum + count, 0)).toBe(total);
}

/** Who leads to a cluster: '' for the active disk, snapshots by index, `vm` before its machine's. */
type Users = Map<number, Set<string>>;

/** Reads the tables of a sound image word by word, as the specification has them. */
function usersOf(bytes: Uint8Array, image: Qcow2Image): { content: Users; tables: Users } {
  const { header, clusterSize, snapshots } = image;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const content: Users = new Map();
  const tables: Users = new Map();
  const note = (users: Users, offset: number, length: number, who: string) => {
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let at = Math.floor(offset / clusterSize); at <= last; at++) {
      users.set(at, (users.get(at) ?? new Set()).add(who));
    }
  };
  const word = (at: number) => (at + 8 <= bytes.length ? view.getBigUint64(at) : 0n);
  const tree = (offset: number, size: number, who: string, diskSize: number) => {
    if (who !== '' && size > 0) note(tables, offset, size * 8, who);
    for (let index = 0; index < size; index++) {
      const table = Number(word(offset + index * 8) & 0x00ff_ffff_ffff_fe00n);
      if (table === 0) continue;
      note(tables, table, clusterSize, who);
      const isState = who !== '' && index * header.l2Coverage >= diskSize;
      for (let at = 0; at < clusterSize; at += header.extendedL2 ? 16 : 8) {
        const entry = word(table + at);
        const host = Number(entry & 0x00ff_ffff_ffff_fe00n);
        const holder = isState ? `vm${who}` : who;
        if ((entry >> 62n) & 1n) {
          const bits = BigInt(62 - (header.clusterBits - 8));
          const start = Number(entry & ((1n << bits) - 1n));
          const sectors = Number((entry & ((1n << 62n) - 1n)) >> bits) + 1;
          note(content, start, sectors * 512 - (start % 512), holder);
        } else if (host !== 0) {
          note(content, host, clusterSize, holder);
        }
      }
    }
  };
  tree(header.l1TableOffset, header.l1Size, '', 0);
  for (const [index, one] of snapshots.entries()) {
    tree(one.l1TableOffset, one.l1Size, String(index), one.diskSize);
  }
  return { content, tables };
}

describe('a survey of a qcow2 image', () => {
  it('counts every byte once, and knows what each snapshot holds', async () => {
    let exclusive = 0;
    let states = 0;
    await fc.assert(
      fc.asyncProperty(anyQcow2, fc.integer({ min: 0, max: 4 }), async (spec, cut) => {
        const built = buildQcow2(spec);
        const image = await openSound(built);
        // As if these snapshots were of smaller disks: what is behind is the machine's state.
        for (const one of image.snapshots) {
          Object.assign(one, { diskSize: Math.floor((one.diskSize * cut) / 4) });
        }
        const survey = await surveyQcow2(image, walkWith({}));
        const { space, snapshots } = survey;
        expect(sumOf(survey)).toBe(built.bytes.length);
        expectAllClusters(survey);
        const { leaked, damaged, unknown } = space;
        expect([leaked, damaged, unknown]).toEqual([0, 0, 0]);
        const { content, tables } = usersOf(built.bytes, image);
        for (const [index, one] of snapshots.entries()) {
          const mine = [String(index), `vm${index}`];
          const uses = (users: Set<string>) => mine.some((who) => users.has(who));
          const alone = (users: Set<string>) => [...users].every((who) => mine.includes(who));
          const all = [...content.values(), ...tables.values()];
          expect(one.total / image.clusterSize).toBe(all.filter(uses).length);
          expect(one.exclusive / image.clusterSize).toBe(all.filter(alone).length);
          const state = [...content.values()].filter((users) => users.has(`vm${index}`));
          expect(one.vmState / image.clusterSize).toBe(state.length);
          const plan = await planDeletion(image, image.snapshots[index]!);
          expect(one.exclusive).toBe(plan.freed);
          exclusive += one.exclusive;
          states += one.vmState;
        }
        const isState = (users: Set<string>) => [...users].every((who) => who.startsWith('vm'));
        const state = [...content].filter(([, users]) => isState(users));
        const short = Math.ceil(space.fileSize / image.clusterSize) * image.clusterSize;
        const cutOff = short - space.fileSize;
        const difference = state.length * image.clusterSize - space.vmState;
        expect(difference === 0 || difference === cutOff).toBe(true);
      }),
      { numRuns: 50 },
    );
    expect(exclusive).toBeGreaterThan(0);
    expect(states).toBeGreaterThan(0);
  });

  it('counts as the check does, and sees what the image was built with', async () => {
    await fc.assert(
      fc.asyncProperty(anyQcow2, async (spec) => {
        const image = await openSound(buildQcow2(spec));
        const { clusters, order } = await surveyQcow2(image, walkWith({}));
        const report = await checkImage(image, {});
        expect(order).toMatchObject({
          fragmented: report.fragmentedClusters,
          allocated: report.allocatedClusters,
        });
        // What is behind the last whole sector is no part of the disk.
        const total = Math.ceil(image.size / image.clusterSize);
        const inside = [...spec.clusters].filter(([guest]) => guest < total);
        const kinds = inside.map(([, { kind }]) => kind);
        const count = (kind: ClusterSpec['kind']) => kinds.filter((one) => one === kind).length;
        expect(clusters).toMatchObject({
          total,
          compressed: count('compressed'),
          zero: count('zero'),
        });
        if (count('subclusters') === 0) {
          expect(clusters).toMatchObject({
            normal: count('data'),
            zeroHeld: count('zero-kept'),
            unallocated: total - kinds.length,
          });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('is the same in windows, damaged or not, and never fails', async () => {
    let damaged = 0;
    let leaked = 0;
    await fc.assert(
      fc.asyncProperty(
        anyQcow2,
        fc.nat(),
        fc.constantFrom(5, 16, 40),
        fc.boolean(),
        async (spec, seed, window, isSound) => {
          const built = buildQcow2(spec);
          const image = await open(isSound ? built : wound(built, randomFor(seed)));
          if (image === undefined) return;
          const whole = await surveyDisk(image);
          if (whole === undefined) return;
          expect(sumOf(whole)).toBe(image.storage.size);
          expectAllClusters(whole);
          expect(await surveyQcow2(image, walkWith({}), window)).toEqual(whole);
          const report = await checkImage(image, {});
          if (report.aborted === undefined && image.snapshotError === undefined) {
            const { fragmentedClusters, allocatedClusters } = report;
            expect(whole.order?.allocated).toBe(allocatedClusters);
            expect(whole.order?.fragmented).toBe(fragmentedClusters);
          }
          damaged += whole.space.damaged;
          leaked += whole.space.leaked;
        },
      ),
      { numRuns: 80 },
    );
    expect(damaged).toBeGreaterThan(0);
    expect(leaked).toBeGreaterThan(0);
  });

  it('tells how far content is from being in order, and where the gaps are', async () => {
    const clusterSize = 4096;
    const data = (seed: number) => ({ kind: 'data', bytes: noise(seed, clusterSize) }) as const;
    const built = buildQcow2({
      clusterBits: 12,
      size: 32 * clusterSize,
      // Host clusters go in this order: 3, 4 and 5 follow each other, 0 and 1 lie behind them.
      clusters: new Map([3, 4, 5, 9, 0, 1].map((guest) => [guest, data(guest)])),
    });
    const image = await openSound(built);
    const { order, space, preallocation } = await surveyQcow2(image, walkWith({}));
    expect(order).toMatchObject({ extents: 3, bytes: 6 * clusterSize, backward: 1 });
    // From behind 0 and 1 back to 3, and from behind 5 on to 9, which follows in the file.
    expect(order?.travel).toBe(6 * clusterSize);
    expect(order?.gaps.map(({ upTo }) => upTo)).toEqual([65536, 1048576, 16777216, -1]);
    expect([space.active, space.free, preallocation]).toEqual([6 * clusterSize, 0, 'none']);
    // Without its entry, the cluster of 4 is leaked; without its refcount, it is a gap.
    const view = new DataView(built.bytes.buffer);
    const table = built.l2Offsets.get(0) ?? 0;
    const host = Number(view.getBigUint64(table + 4 * 8) & 0x00ff_ffff_ffff_fe00n);
    view.setBigUint64(table + 4 * 8, 0n);
    const leaky = await surveyQcow2(await openSound(built), walkWith({}));
    expect(leaky.space.leaked).toBe(clusterSize);
    view.setUint16(built.refcountBlockOffset + (host / clusterSize) * 2, 0);
    const gappy = await surveyQcow2(await openSound(built), walkWith({}));
    expect(gappy.space).toMatchObject({ leaked: 0, free: clusterSize, tail: 0 });
    expect(gappy.order?.gaps[0]).toEqual({ upTo: 65536, pieces: 1, bytes: clusterSize });
    const longer = { ...built, bytes: new Uint8Array(built.bytes.length + 3 * clusterSize + 512) };
    longer.bytes.set(built.bytes);
    const { space: long } = await surveyQcow2(await openSound(longer), walkWith({}));
    expect(long).toMatchObject({ free: clusterSize, tail: 3 * clusterSize + 512 });
  });

  it('takes a disk for preallocated when all of it has its place, in order', async () => {
    const clusters = new Map<number, ClusterSpec>();
    for (let guest = 0; guest < 200; guest++)
      clusters.set(guest, { kind: 'data', bytes: noise(guest, 512) });
    const spec = { clusterBits: 9, size: 200 * 512, clusters };
    const whole = await surveyQcow2(await openSound(buildQcow2(spec)), walkWith({}));
    expect(whole.preallocation).toBe('metadata');
    clusters.delete(17);
    const most = await surveyQcow2(await openSound(buildQcow2(spec)), walkWith({}));
    expect(most.preallocation).toBe('none');
  });

  it('can be cancelled', async () => {
    const image = await openSound(buildQcow2({ size: 65536, clusters: new Map() }));
    const cancelled = surveyDisk(image, { signal: AbortSignal.abort() });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('sets of trees', () => {
  it('are those of the plain sets, however many there are', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 3, 40, 40_000),
        fc.array(fc.array(fc.nat(79), { minLength: 1, maxLength: 6 }), { maxLength: 40 }),
        (snapshots, unions) => {
          const sets = new TreeSets(snapshots);
          const seen = new Map<string, number>();
          for (const picks of unions) {
            const plain = new Set<string>();
            let number = 0;
            for (const pick of picks) {
              const tree = (pick >> 1) % snapshots;
              const isState = pick % 2 === 1;
              plain.add(`${tree} ${isState}`);
              number = sets.union(number, isState ? sets.ofMachine(tree) : sets.ofSnapshot(tree));
            }
            const members = [...sets.members(number)].map(
              ({ tree, machine }) => `${tree} ${machine}`,
            );
            const key = [...plain].sort().join();
            expect(members.sort().join()).toBe(key);
            expect(seen.get(key) ?? number).toBe(number);
            seen.set(key, number);
          }
          expect(sets.union(sets.several, 1)).toBe(sets.several);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('stay few: what is too much is several', () => {
    const sets = new TreeSets(30_000);
    let number = 0;
    for (let tree = 0; tree < 30_000; tree++) number = sets.union(number, sets.ofSnapshot(tree));
    expect(number).toBe(sets.several);
    expect([...sets.members(sets.several)]).toEqual([]);
  });
});

describe('a survey of other formats', () => {
  it('knows what is content of a VDI, and in which order', async () => {
    const block = 1024 * 1024;
    const bytes = buildVdi({
      size: 8 * block,
      blocks: new Map([
        [0, noise(1, block)],
        [3, noise(2, block)],
        [1, noise(3, block)],
      ]),
    });
    const disk = await openImage(await memory(bytes), { mode: 'check' });
    const survey = await surveyDisk(disk);
    if (survey === undefined) throw new Error('not surveyed');
    expect(sumOf(survey)).toBe(bytes.length);
    expect(survey.space.active).toBe(3 * block);
    expect(survey.clusters).toMatchObject({ total: 8, normal: 3, zero: 5 });
    expect(survey.order).toMatchObject({ bytes: 3 * block, allocated: 3 });
  });

  it('says of a raw disk that all of it is content', async () => {
    const disk = await openImage(await memory(noise(1, 4096 + 100)), { format: 'raw' });
    const survey = await surveyDisk(disk);
    expect(survey?.space).toMatchObject({ fileSize: 4196, active: 4196, unknown: 0 });
    expect([survey?.order, survey?.clusters]).toEqual([undefined, undefined]);
  });
});
