import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  convertToRaw,
  ImageError,
  mapChain,
  openImage,
  readDisk,
  type Disk,
} from '../../src/engine/index.ts';
import { Qcow2Image } from '../../src/engine/formats/qcow2/image.ts';
import { Salvage, type LossReport } from '../../src/engine/operations/salvage.ts';
import { anyImage, noise } from '../images/arbitrary.ts';
import { buildQcow2 } from '../images/build-qcow2.ts';
import { DamagedMedium } from '../images/damaged-medium.ts';
import { memory } from '../images/memory.ts';

const SECTOR = 512;

/** Opens it while the medium is still good. */
async function open(file: DamagedMedium, data: Uint8Array): Promise<Disk> {
  return openImage(file, {
    gate: ({ kind }) => Promise.resolve(kind === 'data-file' ? memory(data, 'data') : undefined),
  });
}

/** What is lost, by guest sector, worked out sector by sector from the map of the sound image. */
async function expectedLosses(disk: Disk, file: DamagedMedium): Promise<Set<number>> {
  const lost = new Set<number>();
  const lose = (offset: number, length: number) => {
    for (let at = offset; at < offset + length; at += SECTOR) lost.add(at / SECTOR);
  };
  for await (const batch of mapChain(disk)) {
    for (const { kind, offset, length, storage, hostOffset, hostLength } of batch) {
      if (storage !== file) continue;
      if (kind === 'compressed' && file.hits(hostOffset, hostLength)) lose(offset, length);
      for (let at = 0; kind === 'data' && at < length; at += SECTOR) {
        if (file.hits(hostOffset + at, SECTOR)) lose(offset + at, SECTOR);
      }
    }
  }
  if (!(disk instanceof Qcow2Image)) return lost;
  const entryBytes = disk.clusterSize / disk.header.l2Entries;
  for (let offset = 0; offset < disk.size; offset += disk.clusterSize) {
    const { l2Offset, l2Index } = disk.tablesOf(offset);
    if (l2Offset === 0 || !file.hits(l2Offset + l2Index * entryBytes, entryBytes)) continue;
    lose(offset, Math.min(disk.clusterSize, disk.size - offset));
  }
  return lost;
}

function sectorsOf({ losses }: LossReport): Set<number> {
  const sectors = new Set<number>();
  for (const { offset, length } of losses) {
    for (let at = offset; at < offset + length; at += SECTOR) sectors.add(at / SECTOR);
  }
  return sectors;
}

describe('salvage', () => {
  it('loses what the medium does not give, and nothing else', async () => {
    const options = fc.record({
      sparse: fc.constantFrom(0, 512, 4096),
      overwrite: fc.boolean(),
      bad: fc.array(fc.nat(4000), { maxLength: 40 }),
    });
    let losing = 0;
    let tables = 0;
    await fc.assert(
      fc.asyncProperty(anyImage, options, async (spec, { sparse, overwrite, bad }) => {
        const { bytes, data } = buildQcow2(spec);
        const file = new DamagedMedium({ content: bytes });
        const sound = await open(file, data);
        const model = await readDisk(sound, 0, sound.size);
        const disk = await open(file, data);
        const sectors = Math.ceil(bytes.length / SECTOR);
        file.bad = new Set(bad.map((sector) => sector % sectors));
        const lost = await expectedLosses(sound, file);
        const salvage = new Salvage();
        const target = await memory(overwrite ? noise(1, model.length) : new Uint8Array());
        await convertToRaw(disk, target, { sparse, overwrite, salvage });
        const report = salvage.report();
        expect([...sectorsOf(report)].sort()).toEqual([...lost].sort());
        expect(report.bytes).toBe(report.losses.reduce((sum, { length }) => sum + length, 0));
        for (const sector of lost) model.fill(0, sector * SECTOR, (sector + 1) * SECTOR);
        const result = new Uint8Array(target.size);
        await target.read(0, result);
        expect(Buffer.compare(result, model)).toBe(0);
        if (lost.size > 0) losing++;
        if (report.losses.some(({ cause }) => cause === 'tables')) tables++;
      }),
      { numRuns: 300 },
    );
    // Otherwise this would say nothing.
    expect(losing).toBeGreaterThan(20);
    expect(tables).toBeGreaterThan(5);
  });

  it('costs a sound image not a single read more, and a bad sector only some', async () => {
    const size = 32 * 1024 * 1024;
    const file = new DamagedMedium({ content: noise(1, size) });
    const disk = await openImage(file, { format: 'raw' });
    const copy = async (salvage?: Salvage) => {
      file.reads = 0;
      file.failures = 0;
      await convertToRaw(disk, await memory(new Uint8Array()), { salvage });
      return { reads: file.reads, failures: file.failures };
    };
    const plain = await copy();
    expect(await copy(new Salvage())).toEqual(plain);
    file.bad = new Set([12_345]);
    const salvage = new Salvage();
    const { reads, failures } = await copy(salvage);
    expect(failures).toBeLessThan(6);
    expect(reads).toBeLessThan(plain.reads + 80);
    const message = 'Input/output error';
    const place = { offset: 12_345 * SECTOR, length: SECTOR };
    expect(salvage.report()).toEqual({
      losses: [{ ...place, cause: 'content', reason: 'read-failed', message }],
      bytes: SECTOR,
      truncated: false,
    });
  });

  it('loses what is in a base that nobody has', async () => {
    const { bytes } = buildQcow2({
      size: 65536,
      clusters: new Map(),
      backing: { name: 'base', format: 'raw' },
    });
    const salvage = new Salvage();
    const disk = await openImage(await memory(bytes));
    await convertToRaw(disk, await memory(new Uint8Array()), { salvage });
    const [loss] = salvage.report().losses;
    expect(loss).toMatchObject({ offset: 0, length: 65536, reason: 'backing-missing' });
  });

  it('is no way around a passphrase or a data file that was not given', async () => {
    const cluster = { kind: 'data', bytes: noise(1, 65536) } as const;
    const { bytes } = buildQcow2({
      size: 65536,
      dataFile: true,
      clusters: new Map([[0, cluster]]),
    });
    const disk = await openImage(await memory(bytes));
    const work = convertToRaw(disk, await memory(new Uint8Array()), { salvage: new Salvage() });
    await expect(work).rejects.toMatchObject({ details: { reason: 'data-file-missing' } });
  });

  it('stops when the file is gone as a whole', async () => {
    const file = new DamagedMedium({ content: noise(1, 1024 * 1024) });
    const disk = await openImage(file, { format: 'raw' });
    file.read = () => Promise.reject(new ImageError('file-gone', { name: 'image' }));
    const salvage = new Salvage();
    const work = convertToRaw(disk, await memory(new Uint8Array()), { salvage });
    await expect(work).rejects.toMatchObject({ code: 'file-gone' });
    expect(salvage.report().bytes).toBe(0);
  });

  it('stops when it is told to, with nothing but bad sectors ahead', async () => {
    const file = new DamagedMedium({ content: noise(1, 1024 * 1024) });
    const disk = await openImage(file, { format: 'raw' });
    file.bad = new Set(Array.from({ length: 2048 }, (_, sector) => sector));
    const controller = new AbortController();
    const { signal } = controller;
    const salvage = new Salvage();
    setTimeout(() => controller.abort(), 0);
    const read = file.read.bind(file);
    // A medium that takes its time lets events in.
    file.read = async (offset, target) => {
      await new Promise((done) => setTimeout(done, 1));
      return read(offset, target);
    };
    const work = convertToRaw(disk, await memory(new Uint8Array()), { salvage, signal });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    expect(salvage.report().bytes).toBeLessThan(1024 * 1024);
  });

  it('keeps the list of losses within bounds, and counts the rest', () => {
    const salvage = new Salvage();
    for (let at = 0; at < 70_000; at++) {
      const loss = { cause: 'content', reason: 'read-failed', message: 'bad' } as const;
      salvage.add({ ...loss, offset: at * 1024, length: SECTOR });
    }
    const { losses, bytes, truncated } = salvage.report();
    expect(losses.length).toBe(65_536);
    expect(bytes).toBe(70_000 * SECTOR);
    expect(truncated).toBe(true);
  });
});
