import { describe, expect, it } from 'vitest';
import {
  diagnosisOf,
  type DiagnosisCode,
  type DiagnosisFacts,
  type DiagnosisFinding,
  type ImageInfo,
  type LayerFacts,
  type OrderFacts,
  type Qcow2Info,
  type Survey,
} from '../../src/engine/index.ts';
import { l2Bytes, sizeOption } from '../../src/engine/diagnosis/rules/caches.ts';
import {
  healthyFacts,
  healthyInfo,
  healthyQcow2,
  healthySurvey,
} from '../images/diagnosis-facts.ts';
import { expectTexts, textsOf } from '../images/diagnosis-texts.ts';

const KIB = 1024;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const CLUSTER = 64 * KIB;

/** What is said under a code; its words are looked at on the way. */
function found<C extends DiagnosisCode>(code: C, facts: DiagnosisFacts): DiagnosisFinding<C>[] {
  const all = diagnosisOf(facts).findings.filter((finding) => finding.code === code);
  for (const finding of all) expectTexts(finding);
  return all as DiagnosisFinding<C>[];
}

function only<C extends DiagnosisCode>(code: C, facts: DiagnosisFacts): DiagnosisFinding<C> {
  const [first, ...others] = found(code, facts);
  expect(others).toEqual([]);
  if (first === undefined) throw new Error(`${code} is not said`);
  return first;
}

function facts({
  info = {},
  qcow2 = {},
  survey = {},
}: {
  info?: Partial<ImageInfo>;
  qcow2?: Partial<Qcow2Info>;
  survey?: Partial<Survey>;
}): DiagnosisFacts {
  return healthyFacts({
    info: healthyInfo({ qcow2: healthyQcow2(qcow2), ...info }),
    survey: healthySurvey(survey),
  });
}

function withTables(virtualSize: number, l2: number, clusterSize = CLUSTER): DiagnosisFacts {
  const { space } = healthySurvey();
  const metadata = { ...space.metadata, l2 };
  return facts({ info: { virtualSize, clusterSize }, survey: { space: { ...space, metadata } } });
}

const SNAPSHOT = {
  ...{ id: '1', name: 'a', vmStateSize: 0, dateSeconds: 0, dateNanoseconds: 0 },
  ...{ vmClockNanoseconds: 0, icount: undefined, diskSize: 10 * GIB },
};
const BACKING = { name: 'base.qcow2', format: 'qcow2', found: true };

it('says nothing of a sound image', () => {
  const { findings } = diagnosisOf(healthyFacts());
  expect(findings.filter(({ area }) => area === 'performance')).toEqual([]);
});

describe('the cache of L2 tables', () => {
  it('needs what docs/qcow2-cache.txt says, in whole tables', () => {
    expect(l2Bytes(8 * GIB, CLUSTER, 8)).toBe(MIB);
    expect(l2Bytes(TIB, CLUSTER, 8)).toBe(128 * MIB);
    expect(l2Bytes(TIB, CLUSTER, 16)).toBe(256 * MIB);
    // 1280 MiB have 160 KiB of entries, in three tables of 64 KiB.
    expect(l2Bytes(1280 * MIB, CLUSTER, 8)).toBe(192 * KIB);
    expect([sizeOption(192 * KIB), sizeOption(64 * MIB), sizeOption(64 * MIB + 1)]).toEqual([
      ...['192K', '64M', '65M'],
    ]);
  });

  it('is advised with lines to paste where the tables are there', () => {
    // 500 GiB / 64 KiB × 8 B = 62.5 MiB; libvirt's size has 4 clusters more for refcounts.
    const short = only('l2-cache-short', withTables(500 * GIB, 62.5 * MIB));
    expect(short.grade).toBe('advice');
    expect(short.values).toEqual({
      ...{ clusterSize: CLUSTER, virtualSize: 500 * GIB, needed: 65_536_000, stored: 62.5 * MIB },
      ...{ covered: 256 * GIB, coveredElsewhere: 64 * GIB },
    });
    expect(short.remedies).toEqual([
      {
        kind: 'paste',
        lines: [
          '-drive file=FILE,format=qcow2,l2-cache-size=63M',
          '-blockdev driver=qcow2,node-name=disk0,file.driver=file,file.filename=FILE,l2-cache-size=65536000',
          "<driver name='qemu' type='qcow2'>",
          '  <metadata_cache>',
          "    <max_size unit='bytes'>65798144</max_size>",
          '  </metadata_cache>',
          '</driver>',
        ],
      },
    ]);
    expect(textsOf(short).en.title).toContain('covers 256 GiB of this 500 GiB disk');
  });

  it.each([
    // A thin disk of 1 TiB has room for tables that are not there.
    [TIB, CLUSTER, 'note'],
    [TIB, 32 * MIB, 'note'],
    [TIB, 32 * MIB + CLUSTER, 'advice'],
    [256 * GIB + CLUSTER, 33 * MIB, 'advice'],
    // Covered on Linux; elsewhere from 64 GiB of tables that are there.
    [256 * GIB, 32 * MIB, 'note'],
    [256 * GIB, 8 * MIB, undefined],
    [64 * GIB, 8 * MIB, undefined],
  ])('a disk of %d with tables of %d: %s', (virtualSize, l2, grade) => {
    expect(found('l2-cache-short', withTables(virtualSize, l2))[0]?.grade).toBe(grade);
  });

  it('is not advised for tables that were laid out in advance', () => {
    const ahead = withTables(TIB, 128 * MIB);
    const survey = healthySurvey({ ...ahead.survey, preallocation: 'metadata' });
    const taking = (allocatedSize: number) => {
      return { ...ahead, info: { ...ahead.info, allocatedSize }, survey };
    };
    expect(only('l2-cache-short', taking(128 * MIB)).grade).toBe('note');
    expect(only('l2-cache-short', taking(300 * GIB)).grade).toBe('advice');
  });

  it('is named for each image of a chain', () => {
    const [top] = healthyFacts().chain;
    const layer = { ...(top ?? expect.fail()), virtualSize: TIB };
    const chain: LayerFacts[] = [
      layer,
      { ...layer, serves: 500 * GIB },
      { ...layer, format: 'raw' },
    ];
    const short = only('chain-caches-short', healthyFacts({ chain }));
    expect(short).toMatchObject({ grade: 'advice', values: { short: 1, needed: 256 * MIB } });
    expect(short.remedies[0]).toEqual({
      kind: 'paste',
      lines: ['-drive file=FILE,format=qcow2,l2-cache-size=128M,backing.l2-cache-size=128M'],
    });
    const small = chain.map((each) => ({ ...each, virtualSize: 256 * GIB }));
    expect(found('chain-caches-short', healthyFacts({ chain: small }))).toEqual([]);
    const idle = chain.map((each) => ({ ...each, serves: GIB }));
    expect(only('chain-caches-short', healthyFacts({ chain: idle })).grade).toBe('note');
  });
});

describe('clusters and tables', () => {
  it('small clusters on a large disk', () => {
    const small = only(
      'small-clusters',
      facts({ info: { virtualSize: 64 * GIB, clusterSize: 4096 } }),
    );
    // The facts have 32 768 clusters: 128 MiB of content.
    expect(small.grade).toBe('note');
    expect(small.values).toMatchObject({ tables: 128 * MIB, tablesBetter: 8 * MIB });
    expect(small.remedies).toEqual([
      { kind: 'convert', format: 'qcow2', options: { cluster_size: '65536' }, compress: false },
    ]);
    const filled = facts({ info: { virtualSize: 64 * GIB, clusterSize: 32 * KIB } });
    expect(only('small-clusters', filled).grade).toBe('advice');
    const fits = facts({ info: { virtualSize: 16 * GIB - 1, clusterSize: 4096 } });
    expect(found('small-clusters', fits)).toEqual([]);
    expect(found('small-clusters', facts({ info: { virtualSize: TIB } }))).toEqual([]);
  });

  it('large clusters that are copied whole', () => {
    const info = { clusterSize: MIB, backing: BACKING };
    const copied = only('whole-clusters-copied', facts({ info }));
    expect(copied).toMatchObject({
      grade: 'advice',
      values: { clusterSize: MIB, subclusterSize: 32 * KIB, backing: 'base.qcow2' },
      remedies: [{ options: { extended_l2: 'on', backing_file: 'base.qcow2' } }],
    });
    const usual = facts({ info: { backing: BACKING } });
    expect(found('whole-clusters-copied', usual)).toEqual([]);
    expect(found('whole-clusters-copied', facts({ info: { clusterSize: MIB } }))).toEqual([]);
    const extended = facts({ info, qcow2: { extendedL2: true } });
    const withExtended = { ...extended, info: { ...extended.info, ...info } };
    expect(found('whole-clusters-copied', withExtended)).toEqual([]);
  });

  it('extended entries without use', () => {
    const qcow2 = { extendedL2: true };
    const costs = only('extended-l2-costs', facts({ info: { virtualSize: 128 * GIB }, qcow2 }));
    expect(costs.values).toEqual({ tables: 32 * MIB, tablesStandard: 16 * MIB });
    const below = facts({ info: { virtualSize: 128 * GIB, backing: BACKING }, qcow2 });
    expect(found('extended-l2-costs', below)).toEqual([]);
    expect(found('extended-l2-costs', facts({ info: { virtualSize: 64 * GIB }, qcow2 }))).toEqual(
      [],
    );
  });

  it('refcounts: their cache with snapshots, their width, written lazily', () => {
    const info = { fileSize: 8 * GIB + 1, snapshots: [SNAPSHOT] };
    const short = only('refcount-cache-short', facts({ info }));
    // A block of 64 KiB counts 32 768 clusters, 2 GiB: four are cached, five are needed.
    expect(short.values).toMatchObject({ covered: 8 * GIB, needed: 5 * CLUSTER });
    expect(short.remedies).toEqual([
      { kind: 'paste', lines: ['-drive file=FILE,format=qcow2,refcount-cache-size=320K'] },
    ]);
    const covered = facts({ info: { ...info, fileSize: 8 * GIB } });
    expect(found('refcount-cache-short', covered)).toEqual([]);
    expect(found('refcount-cache-short', facts({ info: { fileSize: 9 * GIB } }))).toEqual([]);

    const wide = facts({ info: { fileSize: 200 * GIB }, qcow2: { refcountBits: 64 } });
    expect(only('wide-refcounts', { ...wide, info: { ...wide.info } })).toMatchObject({
      values: { bits: 64, bytes: 25 * MIB, bytesWith16: 6.25 * MIB },
      remedies: [{ kind: 'amend', options: { refcount_bits: '16' } }],
    });
    expect(found('wide-refcounts', facts({ qcow2: { refcountBits: 64 } }))).toEqual([]);

    expect(only('lazy-refcounts', facts({ qcow2: { lazyRefcounts: true } }))).toMatchObject({
      ...{ grade: 'note', values: { tables: 4 * CLUSTER } },
      remedies: [{ kind: 'amend', options: { lazy_refcounts: 'off' } }],
    });
  });

  it('laid out in advance', () => {
    const ahead = facts({ survey: { preallocation: 'metadata' } });
    expect(only('preallocated', ahead).values.virtualSize).toBe(10 * GIB);
  });
});

describe('the order of content', () => {
  const order = (change: Partial<OrderFacts>): Partial<Survey> => {
    return { order: { ...(healthySurvey().order ?? expect.fail()), ...change } };
  };

  it('in many pieces is advised to be compacted, with the time that they take', () => {
    // 2 GiB in pieces of two clusters: 16 384 jumps of 8 ms on a hard disk, 0.1 ms on an SSD.
    const survey = order({ fragmented: 16_383, extents: 16_384, backward: 4096 });
    const many = only('fragmented', facts({ survey }));
    expect(many.grade).toBe('advice');
    expect(many.values).toMatchObject({ jumps: 16_383, jumpsPerGib: 8192, meanRun: 128 * KIB });
    expect(many.values.share).toBeCloseTo(0.5, 4);
    expect(many.values.backward).toBeCloseTo(0.25, 4);
    expect(many.values.hardDiskSeconds).toBeCloseTo(131.06, 2);
    expect(many.values.ssdSeconds).toBeCloseTo(1.64, 2);
    expect(many.remedies).toEqual([{ kind: 'compact', snapshots: true }]);
    expect(textsOf(many).en.why).toContain('about 2 minutes on top of reading');
  });

  it('as an installation leaves it is a note, and better ones are not spoken of', () => {
    const installed = order({ fragmented: 6000, extents: 6001, backward: 300 });
    expect(only('fragmented', facts({ survey: installed })).grade).toBe('note');
    const runs = order({ fragmented: 2046, extents: 2047, backward: 10 });
    expect(found('fragmented', facts({ survey: runs }))).toEqual([]);
    const skipped = order({ fragmented: 16_383, extents: 16_384, backward: 0, travel: GIB });
    expect(only('fragmented', facts({ survey: skipped })).grade).toBe('note');
    const small = order({ fragmented: 4000, extents: 4001, bytes: 255 * MIB });
    expect(found('fragmented', facts({ survey: small }))).toEqual([]);
  });

  it('does not take packed clusters and gaps of the disk for jumps', () => {
    const clusters = { ...(healthySurvey().clusters ?? expect.fail()), compressed: 30_000 };
    const packed = { clusters, ...order({ fragmented: 30_010, extents: 20_000, backward: 0 }) };
    expect(found('fragmented', facts({ survey: packed }))).toEqual([]);
  });

  it('free space in small pieces', () => {
    const piece = { upTo: CLUSTER, pieces: 4000, bytes: 250 * MIB };
    const gaps = [piece, { upTo: -1, pieces: 1, bytes: 200 * MIB }];
    expect(only('small-gaps', facts({ survey: order({ gaps }) })).values).toEqual({
      ...{ pieces: 4000, bytes: 250 * MIB, upTo: MIB, free: 450 * MIB },
    });
    const large = [piece, { upTo: -1, pieces: 1, bytes: 251 * MIB }];
    expect(found('small-gaps', facts({ survey: order({ gaps: large }) }))).toEqual([]);
    const few = [{ ...piece, pieces: 999 }];
    expect(found('small-gaps', facts({ survey: order({ gaps: few }) }))).toEqual([]);
  });
});

describe('what is below, packed or shared', () => {
  it('a deep chain', () => {
    const [top] = healthyFacts().chain;
    const layer = top ?? expect.fail();
    const chain = (depth: number) =>
      Array.from({ length: depth }, (_, index) => {
        return { ...layer, name: `l${index}`, serves: index === 1 ? 0 : GIB };
      });
    const deep = only('deep-chain', healthyFacts({ chain: chain(4) }));
    expect(deep).toMatchObject({ grade: 'note', values: { layers: 4 } });
    expect(deep.values.below).toBeCloseTo(2 / 3, 5);
    expect(deep.values.serves[1]).toEqual({ name: 'l1', bytes: 0 });
    expect(textsOf(deep).en.why).toContain('l0 1 GiB, l1 0 B');
    expect(only('deep-chain', healthyFacts({ chain: chain(9) })).grade).toBe('advice');
    expect(found('deep-chain', healthyFacts({ chain: chain(3) }))).toEqual([]);
  });

  it('packed content: fine for a cloud image, not for a disk that is written', () => {
    const packed = (normal: number, compressed: number, backward: number): DiagnosisFacts => {
      const { clusters, order, space } = healthySurvey();
      return facts({
        survey: {
          clusters: { ...(clusters ?? expect.fail()), normal, compressed },
          order: { ...(order ?? expect.fail()), backward },
          space: { ...space, compressed: compressed * 24 * KIB },
        },
      });
    };
    // 4 GiB packed to 1.5 GiB, and 2 GiB written by a machine.
    const written = only('compressed-content', packed(32_768, 65_536, 100));
    expect(written).toMatchObject({
      grade: 'advice',
      values: { content: 4 * GIB, packed: 1.5 * GIB, plain: 2 * GIB, growth: 2.5 * GIB },
      remedies: [{ kind: 'convert', format: 'qcow2', compress: false }],
    });
    expect(written.values.share).toBeCloseTo(2 / 3, 5);
    // What does not pack is stored in order by a conversion.
    const cloud = only('compressed-content', packed(32_768, 65_536, 0));
    expect(cloud).toMatchObject({ grade: 'note', remedies: [] });
    expect(only('compressed-content', packed(1000, 32_768, 9)).grade).toBe('note');
    expect(found('compressed-content', packed(32_768, 1000, 9))).toEqual([]);
  });

  it('what the first writes copy', () => {
    const space = { ...healthySurvey().space, shared: GIB };
    const copies = only('first-write-copies', facts({ survey: { space } }));
    expect(copies.values).toEqual({
      ...{ shared: GIB, clusters: 16_384, clusterSize: CLUSTER, factor: 16 },
    });
    const tiny = facts({ info: { clusterSize: 4096 }, survey: { space } });
    expect(found('first-write-copies', tiny)).toEqual([]);
  });
});

describe('where partitions begin', () => {
  const at = (start: number, length = 9 * GIB, type = '83'): DiagnosisFacts => {
    const partitions = [{ number: 1, start, length, type, name: '' }];
    const table = { scheme: 'mbr' as const, partitions, gpt: undefined };
    return healthyFacts({ guest: { table, inside: [undefined], whole: undefined } });
  };

  it('is held against 4 KiB', () => {
    const off = only('partition-misaligned', at(63 * 512));
    expect(off).toMatchObject({
      grade: 'advice',
      values: { partitions: 1, first: 1, start: 32_256, sector: 4096 },
      places: [{ guest: { offset: 32_256, length: 9 * GIB } }],
    });
    expect(found('partition-off-clusters', at(63 * 512))).toEqual([]);
    for (const fine of [at(MIB), at(17_408, MIB), at(1023, 9 * GIB, '05')]) {
      expect(found('partition-misaligned', fine)).toEqual([]);
    }
  });

  it('is held against clusters', () => {
    expect(only('partition-off-clusters', at(20_480)).grade).toBe('note');
    expect(found('partition-off-clusters', at(MIB))).toEqual([]);
    const large = at(MIB);
    const info = { ...large.info, clusterSize: 2 * MIB };
    expect(found('partition-off-clusters', { ...large, info })).toEqual([]);
  });
});
