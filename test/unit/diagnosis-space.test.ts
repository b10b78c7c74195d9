import { describe, expect, it } from 'vitest';
import {
  diagnosisOf,
  type CodeValues,
  type DeepFacts,
  type DiagnosisCode,
  type DiagnosisFacts,
  type DiagnosisFinding,
  type SnapshotSpace,
  type SpaceAccount,
} from '../../src/engine/index.ts';
import type { FileSystemInfo } from '../../src/engine/guest/file-system.ts';
import type { Partition } from '../../src/engine/guest/partitions.ts';
import { healthyFacts, healthyInfo, healthySurvey } from '../images/diagnosis-facts.ts';
import { expectTexts, textsOf } from '../images/diagnosis-texts.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const CLUSTER = 65_536;

/** What is said under a code; its words are looked at on the way. */
function found<C extends DiagnosisCode>(code: C, facts: DiagnosisFacts): DiagnosisFinding<C>[] {
  const all = diagnosisOf(facts).findings.filter((finding) => finding.code === code);
  for (const finding of all) expectTexts(finding);
  return all as DiagnosisFinding<C>[];
}

function only<C extends keyof CodeValues>(code: C, facts: DiagnosisFacts): DiagnosisFinding<C> {
  const [first, ...others] = found(code, facts);
  expect(others).toEqual([]);
  if (first === undefined) throw new Error(`${code} is not said`);
  return first;
}

/** A file of 30 GiB, of which some parts are changed. */
function filled(
  space: Partial<SpaceAccount>,
  {
    snapshots = [],
    then = 30 * GIB,
    without = then,
    allocated = 30 * GIB,
    virtual = 40 * GIB,
  }: {
    snapshots?: SnapshotSpace[];
    then?: number;
    without?: number;
    allocated?: number | undefined;
    virtual?: number;
  } = {},
): DiagnosisFacts {
  const fileSize = 30 * GIB;
  const account = { ...healthySurvey().space, fileSize, ...space };
  const listed = snapshots.map(({ id, name, vmState, dateSeconds }) => ({
    ...{ id, name, vmStateSize: vmState, dateSeconds, dateNanoseconds: 0 },
    ...{ vmClockNanoseconds: 0, icount: undefined, diskSize: virtual },
  }));
  return healthyFacts({
    info: healthyInfo({
      virtualSize: virtual,
      fileSize,
      allocatedSize: allocated,
      snapshots: listed,
    }),
    survey: healthySurvey({
      ...{ space: account, snapshots },
      forecasts: { compact: then, compactWithoutSnapshots: without },
    }),
  });
}

const NOW = healthyFacts().now;
const DAY = 24 * 3600;

function snapshot(name: string, exclusive: number, days: number, vmState = 0): SnapshotSpace {
  const dateSeconds = NOW / 1000 - days * DAY;
  return { id: '1', name, exclusive, total: exclusive, vmState, dateSeconds };
}

describe('nothing is said of space', () => {
  it('of a sound image, and of parts of it that are too small', () => {
    expect(diagnosisOf(healthyFacts()).findings.filter(({ area }) => area === 'space')).toEqual([]);
    const small = 64 * MIB;
    const facts = filled(
      { free: small, tail: small, zeroHeld: small, shared: small, vmState: small, leaked: small },
      { snapshots: [snapshot('a', small, 100)], then: 30 * GIB - 5 * small },
    );
    expect(diagnosisOf(facts).findings.filter(({ area }) => area === 'space')).toEqual([]);
  });

  it('of tidying while tables are damaged', () => {
    const facts = filled({ free: 20 * GIB }, { then: 10 * GIB });
    const check = { ...(facts.check ?? expect.fail()), corruptions: 1 };
    expect(found('compaction-gains', facts)).toHaveLength(1);
    expect(found('compaction-gains', { ...facts, check })).toEqual([]);
    expect(found('free-inside', { ...facts, check })).toEqual([]);
  });
});

describe('snapshots', () => {
  it('are told one by one, the largest first, with what deleting frees', () => {
    const snapshots = [snapshot('old', 2 * GIB, 30), snapshot('before-upgrade', 12.1 * GIB, 30)];
    const [first, second, ...more] = found('snapshot-holds', filled({}, { snapshots }));
    expect(more).toEqual([]);
    expect(first?.values).toMatchObject({ name: 'before-upgrade', exclusive: 12.1 * GIB });
    expect(first?.grade).toBe('advice');
    expect(first?.remedies).toEqual([{ kind: 'delete-snapshot', name: 'before-upgrade' }]);
    expect(second).toMatchObject({ grade: 'note', values: { name: 'old' } });
    const title = '12.1 GiB of this 30 GiB file belong only to snapshot before-upgrade';
    expect(textsOf(first ?? expect.fail()).en.title).toBe(title);
  });

  it('that are young or without a date are judged for what is known of them', () => {
    const young = [snapshot('new', 12 * GIB, 6)];
    expect(only('snapshot-holds', filled({}, { snapshots: young })).grade).toBe('note');
    const undated = [{ ...snapshot('x', 12 * GIB, 0), dateSeconds: 0 }];
    expect(only('snapshot-holds', filled({}, { snapshots: undated }))).toMatchObject({
      ...{ grade: 'advice', values: { taken: 0 } },
    });
    const many = Array.from({ length: 9 }, (_, index) => snapshot(`s${index}`, 2 * GIB, 9));
    expect(found('snapshot-holds', filled({}, { snapshots: many }))).toHaveLength(5);
  });

  it('that share with each other are told of as a whole', () => {
    const snapshots = [snapshot('a', GIB, 30), snapshot('b', GIB, 30)];
    const facts = filled({ snapshotOnly: 11 * GIB, vmState: GIB }, { snapshots });
    const values = { snapshots: 2, bytes: 12 * GIB, alone: 2 * GIB };
    expect(only('snapshots-hold', facts)).toMatchObject({ grade: 'note', values });
    const apart = filled({ snapshotOnly: 2 * GIB }, { snapshots });
    expect(found('snapshots-hold', apart)).toEqual([]);
  });

  it('share with the disk, keep memory, and cost room after compaction', () => {
    const snapshots = [snapshot('a', 4 * GIB, 30, 3 * GIB)];
    const facts = filled(
      { shared: 8 * GIB, vmState: 3 * GIB },
      { snapshots, then: 28 * GIB, without: 24 * GIB },
    );
    expect(only('shared-with-snapshots', facts).values).toEqual({ bytes: 8 * GIB, snapshots: 1 });
    expect(only('vm-state-kept', facts)).toMatchObject({
      ...{ values: { bytes: 3 * GIB, snapshots: 1 } },
      remedies: [{ kind: 'delete-snapshot', name: 'a' }],
    });
    expect(only('smaller-without-snapshots', facts)).toMatchObject({
      values: { then: 28 * GIB, without: 24 * GIB, gain: 4 * GIB, snapshots: 1 },
      remedies: [{ kind: 'compact', snapshots: false }],
    });
    expect(found('smaller-without-snapshots', filled({}, { without: 24 * GIB }))).toEqual([]);
  });
});

describe('compaction', () => {
  it('is advised once, with sizes; its parts are notes', () => {
    const facts = filled({ free: 10 * GIB, tail: 2 * GIB }, { then: 18 * GIB });
    expect(only('compaction-gains', facts)).toMatchObject({
      grade: 'advice',
      values: { now: 30 * GIB, then: 18 * GIB, gain: 12 * GIB, saved: 12 * GIB },
      remedies: [{ kind: 'compact', snapshots: true }],
    });
    expect(only('free-inside', facts).grade).toBe('note');
    expect(only('unused-tail', facts)).toMatchObject({ grade: 'note', values: { bytes: 2 * GIB } });
    expect(only('zeros-held', filled({ zeroHeld: 2 * GIB })).values).toEqual({ bytes: 2 * GIB });
  });

  it.each([
    [256 * MIB, 2560 * MIB, 'advice'],
    [256 * MIB - 1, 2560 * MIB, 'note'],
    [16 * MIB, 320 * MIB, 'note'],
    [16 * MIB - 1, 320 * MIB, undefined],
    [16 * MIB, 320 * MIB + 1, undefined],
    [GIB, 100 * GIB, 'note'],
    [8 * GIB, 1000 * GIB, 'advice'],
    [8 * GIB - 1, 1000 * GIB, 'note'],
  ])('gains %d of %d: %s', (gain, fileSize, grade) => {
    const info = healthyInfo({ fileSize, allocatedSize: undefined, virtualSize: 2 * fileSize });
    const compact = fileSize - gain;
    const survey = healthySurvey({ forecasts: { compact, compactWithoutSnapshots: compact } });
    const [finding] = found('compaction-gains', healthyFacts({ info, survey }));
    expect(finding?.grade).toBe(grade);
  });

  it('says what holes leave to be gained', () => {
    const facts = filled({ free: 20 * GIB }, { then: 10 * GIB, allocated: 10.5 * GIB });
    const gains = only('compaction-gains', facts);
    expect(gains).toMatchObject({ grade: 'note', values: { gain: 20 * GIB, saved: 0.5 * GIB } });
    expect(textsOf(gains).en.why).toContain('512 MiB become free there');
    const values = { fileSize: 30 * GIB, allocated: 10.5 * GIB, holes: 19.5 * GIB };
    expect(only('sparse-file', facts)).toMatchObject({ grade: 'note', values });
    expect(found('sparse-file', filled({}, { allocated: undefined }))).toEqual([]);
  });

  it('is no advice where room was taken in advance', () => {
    const facts = filled({ zeroHeld: 20 * GIB }, { then: 10 * GIB });
    const survey = healthySurvey({ ...facts.survey, preallocation: 'metadata' });
    expect(only('compaction-gains', { ...facts, survey }).grade).toBe('note');
    expect(found('zeros-held', { ...facts, survey })).toEqual([]);
  });

  it('of other formats is a conversion, and each part speaks for itself', () => {
    const facts = filled({ free: 20 * GIB });
    const info = { ...facts.info, format: 'vdi' as const, qcow2: undefined };
    const survey = healthySurvey({ ...facts.survey, forecasts: undefined });
    expect(only('free-inside', { ...facts, info, survey })).toMatchObject({
      grade: 'advice',
      remedies: [{ kind: 'convert', format: 'vdi' }],
    });
  });
});

describe('a file larger than its disk', () => {
  it('by gaps is advised to be compacted, and to keep places', () => {
    const facts = filled({ free: 9 * GIB }, { virtual: 20 * GIB });
    const larger = only('larger-than-disk', facts);
    expect(larger).toMatchObject({ grade: 'advice', values: { gaps: 9 * GIB, snapshots: 0 } });
    // 30 GiB without the disk's 20 GiB and 8 clusters of tables.
    expect(larger.values.over).toBe(10 * GIB - 8 * CLUSTER);
    expect(JSON.stringify(larger.remedies)).toContain('discard-no-unref=on');
  });

  it('by snapshots is explained', () => {
    const facts = filled({ snapshotOnly: 10 * GIB }, { virtual: 20 * GIB });
    expect(only('larger-than-disk', facts)).toMatchObject({ grade: 'note', remedies: [] });
  });

  it('by tables alone is as it should be', () => {
    const metadata = { ...healthySurvey().space.metadata, l2: 10 * GIB };
    expect(found('larger-than-disk', filled({ metadata }, { virtual: 20 * GIB }))).toEqual([]);
  });
});

describe('tables', () => {
  it('are told of from 64 MiB and 5 % on', () => {
    const l2 = 2 * GIB;
    const { metadata } = healthySurvey().space;
    const large = only('large-tables', filled({ metadata: { ...metadata, l2 } }));
    expect(large.values).toMatchObject({ bytes: 2 * GIB + 4 * CLUSTER, l2, clusterSize: CLUSTER });
    expect(large.values.share).toBeCloseTo(2 / 30, 4);
    expect(found('large-tables', filled({ metadata: { ...metadata, l2: GIB } }))).toEqual([]);
  });
});

describe('what reading the content tells', () => {
  const DEEP: DeepFacts = {
    ...{ bytesRead: 2 * GIB, packedClusters: 0, brokenPacked: 0, brokenPlaces: [] },
    ...{ snapshotPacked: 0, brokenSnapshotPacked: 0, unreadable: 0, unreadablePlaces: [] },
    ...{ zeroFilled: 0, equalToBacking: 0, sampled: 64 * MIB, sampledPacked: 60 * MIB },
    ...{ staleKnown: true, stale: 0, stalePlaces: [], secrets: [] },
  };
  const deep = (change: Partial<DeepFacts>) => healthyFacts({ deep: { ...DEEP, ...change } });

  it('zeros that are stored', () => {
    expect(only('zeros-stored', deep({ zeroFilled: 512 * MIB }))).toMatchObject({
      grade: 'advice',
      remedies: [{ kind: 'convert', format: 'qcow2' }],
    });
    const ahead = healthySurvey({ preallocation: 'metadata' });
    const facts = { ...deep({ zeroFilled: 512 * MIB }), survey: ahead };
    expect(only('zeros-stored', facts)).toMatchObject({ grade: 'note', remedies: [] });
    expect(found('zeros-stored', deep({ zeroFilled: 64 * MIB }))).toEqual([]);
  });

  it('content that the backing image has, too', () => {
    const facts = deep({ equalToBacking: 512 * MIB });
    const backing = { name: 'base.qcow2', format: 'qcow2', found: true };
    const over = { ...facts, info: healthyInfo({ backing }) };
    expect(only('equal-to-backing', over).values).toEqual({
      ...{ bytes: 512 * MIB, backing: 'base.qcow2' },
    });
    expect(found('equal-to-backing', facts)).toEqual([]);
  });

  it('what compressing gives, as an estimate', () => {
    // A quarter of 2 GiB.
    expect(only('compressible', deep({ sampledPacked: 16 * MIB }))).toMatchObject({
      grade: 'note',
      values: { plain: 2 * GIB, packed: 512 * MIB, gain: 1536 * MIB, sampled: 64 * MIB },
      remedies: [{ kind: 'convert', format: 'qcow2', compress: true }],
    });
    expect(found('compressible', deep({}))).toEqual([]);
    expect(found('compressible', deep({ sampled: 4096, sampledPacked: 8 }))).toEqual([]);
    expect(found('compressible', deep({ sampled: 0, sampledPacked: 0 }))).toEqual([]);
  });
});

describe('what the guest calls free', () => {
  const partition = (number: number, start: number, length: number, type = '83'): Partition => {
    return { number, start, length, type, name: '' };
  };
  const system = (used: number | undefined, isDirty = false): FileSystemInfo => ({
    ...{ kind: 'ext4', label: '', uuid: '', size: 9 * GIB, used, blockSize: 4096 },
    ...{ isDirty, isCut: false, isDamaged: false },
  });
  /** 6 GiB are stored. */
  const stored = (inside: FileSystemInfo[], partitions: Partition[]): DiagnosisFacts => {
    const { clusters } = healthySurvey();
    const normal = (6 * GIB) / CLUSTER;
    return healthyFacts({
      survey: healthySurvey({ clusters: { ...(clusters ?? expect.fail()), normal } }),
      guest: { table: { scheme: 'mbr', partitions, gpt: undefined }, inside, whole: undefined },
    });
  };
  const root = partition(1, MIB, 9 * GIB);

  it('and the image stores is told, with how to give it back', () => {
    const facts = stored([system(2.6 * GIB)], [root]);
    const free = only('guest-free-stored', facts);
    expect(free.grade).toBe('advice');
    expect(free.values).toMatchObject({ stored: 6 * GIB, kinds: ['ext4'] });
    expect(free.values.free).toBeCloseTo(3.4 * GIB, 0);
    expect(free.remedies).toEqual([
      {
        kind: 'paste',
        lines: ['-drive file=FILE,format=qcow2,discard=unmap,detect-zeroes=unmap', 'fstrim -av'],
      },
      { kind: 'compact', snapshots: true },
    ]);
  });

  it('is a note where it is little, and nothing where it is usual', () => {
    expect(only('guest-free-stored', stored([system(4.5 * GIB)], [root])).grade).toBe('note');
    expect(found('guest-free-stored', stored([system(5.2 * GIB)], [root]))).toEqual([]);
  });

  it('counts what nobody knows as used', () => {
    const swap = { ...system(undefined), kind: 'swap' as const };
    const second = partition(2, 9 * GIB, 4 * GIB);
    expect(found('guest-free-stored', stored([system(2 * GIB), swap], [root, second]))).toEqual([]);
    // A file system that is in use may not have written its counts.
    expect(found('guest-free-stored', stored([system(GIB, true)], [root]))).toEqual([]);
    // A container of logical partitions is not counted besides them.
    const container = partition(2, 9 * GIB, 9 * GIB, '05');
    expect(found('guest-free-stored', stored([system(GIB)], [root, container]))).toHaveLength(1);
  });
});
