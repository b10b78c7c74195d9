/** Rules of health over images that are damaged in one place, through the check of the engine. */
import { describe, expect, it } from 'vitest';
import {
  diagnose,
  openImage,
  type Diagnosis,
  type DiagnosisFinding,
  type Disk,
} from '../../src/engine/index.ts';
import { type BuiltImage, buildQcow2, type ImageSpec } from '../images/build-qcow2.ts';
import { expectTexts } from '../images/diagnosis-texts.ts';
import { memory } from '../images/memory.ts';
import { noise } from '../images/noise.ts';
import { randomFor, wound } from '../images/wounds.ts';

const CLUSTER = 4096;
const DIRTY = 1n;
const CORRUPT = 2n;
const LAZY = 1n;

function spec(change: Partial<ImageSpec> = {}): ImageSpec {
  const clusters: ImageSpec['clusters'] = new Map([
    [0, { kind: 'data', bytes: noise(1, CLUSTER) }],
    [1, { kind: 'data', bytes: noise(2, CLUSTER) }],
    [3, { kind: 'zero-kept' }],
    [9, { kind: 'compressed', bytes: new Uint8Array(CLUSTER).fill(7) }],
    [600, { kind: 'data', bytes: noise(3, CLUSTER) }],
  ]);
  return { clusterBits: 12, size: 1024 * CLUSTER, clusters, ...change };
}

async function read(bytes: Uint8Array): Promise<Disk | undefined> {
  try {
    return await openImage(await memory(bytes));
  } catch {
    return undefined;
  }
}

async function diagnosed(bytes: Uint8Array): Promise<Diagnosis> {
  const checked = await openImage(await memory(bytes), { mode: 'check' });
  return diagnose({ checked, readable: await read(bytes) }, { now: Date.UTC(2026, 0, 1) });
}

/** Findings of health, each with words. */
async function healthOf(bytes: Uint8Array): Promise<DiagnosisFinding[]> {
  const { findings } = await diagnosed(bytes);
  const health = findings.filter(({ area }) => area === 'health');
  for (const finding of health) expectTexts(finding);
  return health;
}

/** An image, and ways to change numbers in it. */
function patient(change: Partial<ImageSpec> = {}) {
  const image: BuiltImage = buildQcow2(spec(change));
  const view = new DataView(image.bytes.buffer);
  const l2 = image.l2Offsets.get(0) ?? 0;
  return {
    image,
    l2,
    get: (at: number) => view.getBigUint64(at),
    put: (at: number, value: bigint) => {
      view.setBigUint64(at, value);
    },
    /** Of the cluster at an offset of the file, 16 bits wide. */
    count: (host: number, value: number) => {
      view.setUint16(image.refcountBlockOffset + (host / CLUSTER) * 2, value);
    },
    /** Where a cluster of the disk is, by its place in the first L2 table. */
    host: (index: number) => Number(view.getBigUint64(l2 + index * 8) & 0x00fffffffffffe00n),
  };
}

type Patient = ReturnType<typeof patient>;
type Case = [code: string, grade: string, change: Partial<ImageSpec>, hurt: (p: Patient) => void];

const SNAPSHOT = { snapshots: [{ id: '1', name: 'before' }] };
const BITMAP = {
  bitmaps: [{ name: 'daily', granularityBits: 16, bits: new Uint8Array(8).fill(1) }],
};

/** A mark that version 2 does not have. */
const ZERO_IN_V2: Partial<ImageSpec> = { version: 2, clusters: new Map([[0, { kind: 'zero' }]]) };

const CASES: Case[] = [
  ['overwrite-risk', 'danger', {}, (p) => p.count(p.host(0), 0)],
  ['overwrite-risk', 'danger', SNAPSHOT, (p) => p.count(p.host(0), 1)],
  ['double-owner', 'danger', {}, (p) => p.put(p.l2 + 8, p.get(p.l2))],
  ['points-outside', 'danger', {}, (p) => p.put(p.l2, (1n << 63n) | (2n ** 40n))],
  ['table-damaged', 'danger', {}, (p) => p.put(p.l2, p.get(p.l2) | (1n << 57n))],
  ['table-damaged', 'danger', {}, (p) => p.put(p.image.l1Offset, (1n << 63n) | 512n)],
  ['odd-entries', 'problem', ZERO_IN_V2, () => undefined],
  ['refcounts-damaged', 'problem', {}, (p) => p.put(p.image.refcountTableOffset, 512n)],
  ['copied-flags', 'problem', {}, (p) => p.put(p.l2, p.get(p.l2) & ~(1n << 63n))],
  ['copied-flags', 'danger', SNAPSHOT, (p) => p.put(p.l2, p.get(p.l2) | (1n << 63n))],
  ['leaked', 'advice', {}, (p) => p.put(p.l2, 0n)],
  ['snapshot-damaged', 'danger', SNAPSHOT, (p) => p.put(p.image.snapshotsOffset, 512n)],
  ['snapshot-damaged', 'danger', SNAPSHOT, (p) => p.put(64, 512n)],
  [
    'snapshot-incomplete',
    'problem',
    { snapshots: [{ id: '1', name: 's', extra: 0 }] },
    () => undefined,
  ],
  ['bitmap-damaged', 'problem', BITMAP, (p) => p.put(p.image.bitmapTableOffsets[0] ?? 0, 0x1fen)],
  ['check-aborted', 'problem', BITMAP, (p) => p.put(p.image.bitmapTableOffsets[0] ?? 0, 0x1fen)],
  ['bitmaps-stale', 'advice', BITMAP, (p) => p.put(88, 0n)],
  ['not-closed', 'problem', {}, (p) => p.put(72, DIRTY)],
  ['marked-corrupt', 'problem', {}, (p) => p.put(72, CORRUPT)],
  ['snapshots-left', 'advice', { refcountBits: 1, clusters: new Map() }, () => undefined],
];

describe('health of damaged images', () => {
  it.each(CASES)('%s (%s)', async (code, grade, change, hurt) => {
    const p = patient(change);
    hurt(p);
    const found = (await healthOf(p.image.bytes)).filter((one) => one.code === code);
    expect(found.map((one) => one.grade)).toEqual([grade]);
  });

  it('an image that ends too early', async () => {
    const { image } = patient();
    const health = await healthOf(image.bytes.slice(0, image.bytes.length - 3 * CLUSTER));
    expect(health.map(({ code }) => code)).toContain('truncated');
    expect(health.map(({ code }) => code)).not.toContain('points-outside');
    const [truncated] = health.filter(({ code }) => code === 'truncated');
    expect(truncated?.values).toMatchObject({ missing: 3 * CLUSTER, end: image.bytes.length });
  });

  it('counts that lag behind are no danger', async () => {
    const p = patient();
    p.put(72, DIRTY);
    p.put(80, LAZY);
    p.count(p.host(0), 0);
    const health = await healthOf(p.image.bytes);
    expect(health.map(({ code }) => code)).toEqual(['not-closed']);
    expect(health[0]?.values).toEqual({ isLazy: true, behind: 1 });
  });

  it('what is lost beside other damage is not called free', async () => {
    const p = patient();
    p.put(p.l2, p.get(p.l2) | (1n << 57n));
    p.put(p.image.l1Offset + 8, 0n);
    const health = await healthOf(p.image.bytes);
    expect(health.find(({ code }) => code === 'leaked')?.values).toMatchObject({ doubtful: true });
  });
});

describe('images that are damaged at random', () => {
  it.each([1, 2])('whatever is found has words (%i)', async (seed) => {
    const random = randomFor(seed);
    const image = buildQcow2(spec({ ...SNAPSHOT, ...BITMAP }));
    let codes = 0;
    for (let round = 0; round < 12; round++) {
      const { bytes } = wound(image, random);
      let checked: Disk;
      try {
        checked = await openImage(await memory(bytes), { mode: 'check' });
      } catch {
        continue;
      }
      const { findings } = await diagnose({ checked, readable: await read(bytes) }, { now: 0 });
      const own = findings.filter(({ area }) => area === 'health' || area === 'portability');
      for (const finding of own) {
        expectTexts(finding);
        expect(finding.places.length).toBeLessThanOrEqual(20);
      }
      codes += own.length;
    }
    expect(codes).toBeGreaterThan(5);
  });
});

describe('images without a fault', () => {
  const PLAIN: [string, Partial<ImageSpec>][] = [
    ['version 3', {}],
    ['empty', { clusters: new Map() }],
    ['with a snapshot', SNAPSHOT],
    ['with a bitmap', BITMAP],
    ['clusters of 512 bytes', { clusterBits: 9, clusters: new Map() }],
    ['clusters of 2 MiB', { clusterBits: 21, clusters: new Map(), size: 2 ** 33 }],
    ['cut after the last byte', { cutTail: true }],
    ['zstd', { compression: 'zstd' }],
    ['subclusters', { extendedL2: true, clusterBits: 14 }],
    ['64-bit counts', { refcountBits: 64 }],
  ];

  it.each(PLAIN)('%s: nothing of health', async (_, change) => {
    expect(await healthOf(buildQcow2(spec(change)).bytes)).toEqual([]);
  });

  it('version 2: no more than a note', async () => {
    const clusters: ImageSpec['clusters'] = new Map([
      [0, { kind: 'data', bytes: noise(1, CLUSTER) }],
    ]);
    const health = await healthOf(buildQcow2(spec({ version: 2, clusters })).bytes);
    expect(health.map(({ code, grade }) => [code, grade])).toEqual([['old-version', 'note']]);
  });
});
