/** Every bad input that people bring: a clear answer, at once, without a large allocation. */
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  convertToRaw,
  inspect,
  MemoryStorage,
  missingBytes,
  openImage,
  readDisk,
  type CheckReport,
} from '../../src/engine/index.ts';
import { noise } from '../images/arbitrary.ts';
import {
  buildQcow2,
  setRefcount,
  type BuiltImage,
  type ClusterSpec,
} from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';

const CLUSTER = 65536;

/** Eight data clusters and one compressed cluster. */
function healthy(): BuiltImage {
  const clusters = new Map(
    Array.from({ length: 8 }, (_, index) => [
      index,
      { kind: 'data' as const, bytes: noise(index + 1, CLUSTER) },
    ]),
  );
  const all = new Map<number, ClusterSpec>([
    ...clusters,
    [20, { kind: 'compressed', bytes: noise(9, CLUSTER, 3) }],
  ]);
  return buildQcow2({ size: 64 * 1024 * 1024, clusters: all });
}

function view(image: BuiltImage): DataView {
  return new DataView(image.bytes.buffer);
}

function l2(image: BuiltImage): number {
  return image.l2Offsets.get(0)!;
}

async function check(bytes: Uint8Array): Promise<CheckReport> {
  return checkImage(await openImage(await memory(bytes), { mode: 'check' }), { explain: true });
}

function strict(bytes: Uint8Array, name = 'disk.qcow2') {
  return memory(bytes, name).then((storage) => openImage(storage, { strict: true }));
}

describe('files that are no image', () => {
  const page = '<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>'.repeat(3);
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n';
  it.each([
    ['an empty file', '', 'empty'],
    ['three bytes', '\u0001\u0002\u0003', 'too-short'],
    ['a web page', page, 'html'],
    ['a Git LFS pointer', pointer, 'lfs-pointer'],
    ['a text', 'Dear reader, this is not a disk.\n'.repeat(40), 'text'],
    ['a gzip file', `\u001f\u008b${'\u0000'.repeat(600)}`, 'gzip'],
  ])('%s is named for what it is', async (_, content, looksLike) => {
    const bytes = Uint8Array.from(content, (character) => character.charCodeAt(0));
    await expect(strict(bytes)).rejects.toMatchObject({
      code: 'not-a-disk-image',
      details: { looksLike, size: bytes.length },
    });
  });

  it('a raw disk with a boot signature is one', async () => {
    const bytes = new Uint8Array(4096);
    bytes.set([0x55, 0xaa], 510);
    expect((await strict(bytes, 'disk.img')).format).toBe('raw');
  });
});

describe('a cut-off download', () => {
  it('says how much is missing, at opening and in the check', async () => {
    const image = healthy();
    const cut = image.bytes.slice(0, image.bytes.length - 3 * CLUSTER);
    // The refcounts lie at the end here and are gone with it; L1 and L2 are at the beginning.
    const disk = await openImage(await memory(cut), { mode: 'check' });
    expect(await missingBytes(disk)).toBeGreaterThanOrEqual(CLUSTER);
    const report = await checkImage(disk);
    const finding = report.findings.find(({ kind }) => kind === 'truncated');
    expect(finding?.values).toMatchObject({ size: cut.length });
    expect(Number(finding?.values['missing'])).toBeGreaterThanOrEqual(CLUSTER);
  });

  it('is not suspected of a whole file, even one that ends within a cluster', async () => {
    const clusters = new Map([[0, { kind: 'compressed' as const, bytes: noise(1, CLUSTER, 5) }]]);
    for (const cutTail of [false, true]) {
      const { bytes } = buildQcow2({ size: 1 << 20, clusters, cutTail });
      expect(await missingBytes(await openImage(await memory(bytes)))).toBe(0);
    }
  });
});

describe('a single wild pointer', () => {
  it.each([
    ['in the L2 table', (image: BuiltImage) => l2(image)],
    ['in the L1 table', (image: BuiltImage) => image.l1Offset],
    ['in the refcount table', (image: BuiltImage) => image.refcountTableOffset + 8],
  ])('%s is damage, not a sign that a terabyte is missing', async (_, place) => {
    const image = healthy();
    view(image).setBigUint64(place(image), 1n << 40n);
    expect(await missingBytes(await openImage(await memory(image.bytes)))).toBe(0);
    const report = await check(image.bytes);
    expect(report.corruptions).toBeGreaterThan(0);
    expect(report.findingCounts.truncated).toBeUndefined();
  });
});

describe('header fields at their limits', () => {
  type Patch = (view: DataView) => void;
  it.each<[string, Patch, string]>([
    ['version 4', (v) => v.setUint32(4, 4), 'version'],
    ['clusters of 256 bytes', (v) => v.setUint32(20, 8), 'cluster-size'],
    ['clusters of 2^255 bytes', (v) => v.setUint32(20, 255), 'cluster-size'],
    ['a size of 2^63', (v) => v.setBigUint64(24, 1n << 63n), 'size-too-big'],
    ['a size of 1 PiB with a small L1', (v) => v.setBigUint64(24, 1n << 50n), 'l1-too-small'],
    ['an L1 above 32 MiB', (v) => v.setUint32(36, 4194305), 'l1-too-large'],
    ['a misaligned L1', (v) => v.setBigUint64(40, 512n), 'l1-offset'],
    ['a misaligned refcount table', (v) => v.setBigUint64(48, 8n), 'refcount-table-offset'],
    ['a refcount table above 8 MiB', (v) => v.setUint32(56, 129), 'refcount-table-too-large'],
    ['no refcount table', (v) => v.setUint32(56, 0), 'refcount-table-missing'],
    ['65537 snapshots', (v) => v.setUint32(60, 65537), 'snapshot-table-too-large'],
    ['refcounts of 128 bits', (v) => v.setUint32(96, 7), 'refcount-order'],
    ['a header of 103 bytes', (v) => v.setUint32(100, 103), 'header-too-short'],
    ['a header longer than a cluster', (v) => v.setUint32(100, CLUSTER + 8), 'header-too-long'],
    ['encryption method 3', (v) => v.setUint32(32, 3), 'crypt-method'],
    ['compression type 1 without its bit', (v) => v.setUint8(104, 1), 'compression-bit-unset'],
  ])('%s', async (_, patch, problem) => {
    const image = healthy();
    patch(view(image));
    await expect(openImage(await memory(image.bytes))).rejects.toMatchObject({
      code: 'invalid-header',
      details: { problem },
    });
  });

  it('names unknown incompatible features', async () => {
    const image = healthy();
    view(image).setBigUint64(72, 1n << 40n);
    await expect(openImage(await memory(image.bytes))).rejects.toMatchObject({
      code: 'unknown-features',
      details: { features: 'Unknown incompatible feature: 10000000000' },
    });
  });

  it('an L1 of 32 MiB that points nowhere is walked soon', async () => {
    const image = healthy();
    const entries = 4194304;
    const file = new MemoryStorage({ name: 'bomb' });
    await file.write(0, image.bytes);
    const at = 2 ** 30;
    const l1 = new Uint8Array(entries * 8);
    for (let i = 0; i < entries; i++) l1.set([0x80, 0, 0x7f, 0xff, 0, i & 255, 0, 0], i * 8);
    await file.write(at, l1);
    const header = new Uint8Array(112);
    await file.read(0, header);
    new DataView(header.buffer).setUint32(36, entries);
    new DataView(header.buffer).setBigUint64(40, BigInt(at));
    await file.write(0, header);
    expect((await inspect(await openImage(file))).virtualSize).toBe(64 * 1024 * 1024);
    const before = process.cpuUsage().user;
    const report = await checkImage(await openImage(file, { mode: 'check' }), { limit: 10 });
    expect(report.findingCounts['reference-outside']).toBe(entries);
    expect(report.findings.length).toBeLessThan(20);
    expect((process.cpuUsage().user - before) / 1e6).toBeLessThan(8);
  }, 60_000);
});

describe('damaged tables', () => {
  it('an L2 pointer beyond 2^53 ends in findings, also where owners are looked up', async () => {
    const image = healthy();
    view(image).setBigUint64(image.refcountTableOffset + 8, (1n << 63n) - 512n * 128n);
    view(image).setBigUint64(image.l1Offset, (1n << 55n) | (1n << 63n));
    const report = await check(image.bytes);
    expect(report.findingCounts['reference-outside']).toBe(1);
    expect(report.findingCounts['refblock-outside']).toBe(1);
  });

  it.each([
    ['outside the file', 1n << 40n, 'reference-outside'],
    ['unaligned', 0x20200n, 'data-unaligned'],
    ['into the L1 table', 0x10000n, 'overlap'],
  ])('a data cluster %s', async (_, offset, kind) => {
    const image = healthy();
    view(image).setBigUint64(l2(image), offset | (1n << 63n));
    const report = await check(image.bytes);
    const finding = report.findings.find((one) => one.kind === kind);
    expect(finding?.guest?.offset).toBe(0);
    expect(report.corruptions).toBeGreaterThan(0);
  });

  it('two guest clusters at one host cluster: both are named', async () => {
    const image = healthy();
    view(image).setBigUint64(l2(image), view(image).getBigUint64(l2(image) + 8));
    const report = await check(image.bytes);
    const finding = report.findings.find(({ kind }) => kind === 'refcount-low');
    expect(finding?.owners?.map(({ kind, guestOffset }) => [kind, guestOffset])).toEqual([
      ['data', 0],
      ['data', CLUSTER],
    ]);
    expect(finding?.repair).toBe('guess');
    expect(report.findingCounts.overlap).toBe(1);
  });

  it('leaks are no longer harmless once a damaged entry may have pointed at them', async () => {
    const image = healthy();
    setRefcount(image.bytes.subarray(image.refcountBlockOffset), 16, 3, 2);
    const alone = await check(image.bytes);
    expect(alone.findings.map(({ kind, repair }) => [kind, repair])).toContainEqual([
      'leak',
      'safe',
    ]);
    view(image).setBigUint64(l2(image), (1n << 63n) | (1n << 40n));
    const beside = await check(image.bytes);
    const leaks = beside.findings.filter(({ kind }) => kind === 'leak');
    expect(leaks.length).toBeGreaterThan(0);
    expect(leaks.every(({ repair }) => repair === 'guess')).toBe(true);
  });

  it('a cluster in use with refcount 0 says who uses it', async () => {
    const image = healthy();
    setRefcount(image.bytes.subarray(image.refcountBlockOffset), 16, 1, 0);
    const report = await check(image.bytes);
    expect(report.findings[0]).toMatchObject({ kind: 'refcount-zero', owners: [{ kind: 'l1' }] });
  });
});

describe('compressed clusters', () => {
  function compressedEntry(image: BuiltImage): bigint {
    return view(image).getBigUint64(l2(image) + 20 * 8);
  }

  async function readIt(bytes: Uint8Array) {
    return readDisk(await openImage(await memory(bytes)), 20 * CLUSTER, CLUSTER);
  }

  it('of garbage, cut short or behind the end are errors with a place, never zeros', async () => {
    const garbage = healthy();
    const at = Number(compressedEntry(garbage) & ((1n << 54n) - 1n));
    garbage.bytes.fill(0xff, at, at + 4096);
    await expect(readIt(garbage.bytes)).rejects.toMatchObject({
      code: 'unreadable-cluster',
      details: { reason: 'compressed-corrupt', guestOffset: 20 * CLUSTER, hostOffset: at },
    });
    const short = healthy();
    const entry = compressedEntry(short) & ~(0xffn << 54n);
    view(short).setBigUint64(l2(short) + 20 * 8, entry);
    await expect(readIt(short.bytes)).rejects.toMatchObject({
      code: 'unreadable-cluster',
      details: { reason: 'compressed-short' },
    });
    const outside = healthy();
    view(outside).setBigUint64(l2(outside) + 20 * 8, (1n << 62n) | (1n << 45n));
    await expect(readIt(outside.bytes)).rejects.toMatchObject({ code: 'unreadable-cluster' });
  });

  it('the rest of such an image still converts up to the error, which is thrown', async () => {
    const image = healthy();
    view(image).setBigUint64(l2(image) + 20 * 8, (1n << 62n) | (1n << 45n));
    const disk = await openImage(await memory(image.bytes));
    const target = new MemoryStorage();
    await expect(convertToRaw(disk, target)).rejects.toMatchObject({ code: 'unreadable-cluster' });
    expect(Buffer.compare(await readDisk(disk, 0, CLUSTER), noise(1, CLUSTER))).toBe(0);
  });
});
