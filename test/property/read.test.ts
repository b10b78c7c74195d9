import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  compareDisks,
  convertToRaw,
  mapChain,
  MemoryStorage,
  openImage,
  planConvert,
  readDisk,
} from '../../src/engine/index.ts';
import { anyImage, noise } from '../images/arbitrary.ts';
import { buildQcow2, guestContent, overlayContent } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';

const RUNS = { numRuns: 300 };

describe('any image, against a plain array', () => {
  it('reads what was put in, at any place and length', async () => {
    const place = fc.tuple(fc.nat(200_000), fc.nat(70_000));
    await fc.assert(
      fc.asyncProperty(anyImage, place, async (spec, [at, length]) => {
        const disk = await openImage(await memory(buildQcow2(spec).bytes));
        const model = guestContent(spec);
        expect(disk.size).toBe(model.length);
        expect(Buffer.compare(await readDisk(disk, 0, disk.size), model)).toBe(0);
        const part = await readDisk(disk, at, length);
        const wanted = new Uint8Array(length);
        wanted.set(model.subarray(at, at + length));
        expect(Buffer.compare(part, wanted)).toBe(0);
      }),
      RUNS,
    );
  });

  it('converts to the same bytes, sparse or not, over old content or not', async () => {
    const grain = fc.constantFrom(0, 512, 4096);
    await fc.assert(
      fc.asyncProperty(anyImage, grain, fc.boolean(), async (spec, sparse, overwrite) => {
        const disk = await openImage(await memory(buildQcow2(spec).bytes));
        const model = guestContent(spec);
        const target = await memory(overwrite ? noise(1, model.length) : new Uint8Array());
        const report = await convertToRaw(disk, target, { sparse, overwrite });
        const plan = await planConvert(disk);
        expect(report.size).toBe(model.length);
        expect(report.copied).toBe(plan.data + plan.compressed);
        expect(plan.data + plan.compressed + plan.zero).toBe(model.length);
        const result = new Uint8Array(target.size);
        await target.read(0, result);
        expect(Buffer.compare(result, model)).toBe(0);
      }),
      RUNS,
    );
  });

  it('maps without gaps, and neighbours are never mergeable', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, async (spec) => {
        const disk = await openImage(await memory(buildQcow2(spec).bytes));
        let end = 0;
        for await (const batch of mapChain(disk)) {
          for (const [index, extent] of batch.entries()) {
            expect(extent.offset).toBe(end);
            expect(extent.length).toBeGreaterThan(0);
            end += extent.length;
            const before = batch[index - 1];
            if (before?.kind !== extent.kind || extent.kind === 'compressed') continue;
            const hosts = [before.hostOffset, extent.hostOffset];
            expect(hosts).not.toEqual([-1, -1]);
            if (before.hostOffset < 0) continue;
            expect(before.hostOffset + before.length).not.toBe(extent.hostOffset);
          }
        }
        expect(end).toBe(disk.size);
      }),
      RUNS,
    );
  });

  it('finds nothing wrong with them', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, async (spec) => {
        const disk = await openImage(await memory(buildQcow2(spec).bytes), { mode: 'check' });
        const report = await checkImage(disk, { explain: true });
        expect(report.findings).toEqual([]);
        expect([report.corruptions, report.leaks, report.checkErrors]).toEqual([0, 0, 0]);
        const kept = [...spec.clusters.values()].filter(({ kind }) => kind !== 'zero');
        expect(report.allocatedClusters).toBe(kept.length);
      }),
      RUNS,
    );
  });

  it('says of two disks whether and where they differ', async () => {
    const change = fc.option(fc.nat(60_000), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(anyImage, change, fc.nat(3), async (spec, at, longer) => {
        const image = await openImage(await memory(buildQcow2(spec).bytes));
        const model = guestContent(spec);
        const other = new Uint8Array(model.length + longer * 512);
        other.set(model);
        const changed = at !== undefined && at < other.length;
        if (changed) other[at]! ^= 0xff;
        const raw = await openImage(await memory(other), { format: 'raw' });
        for (const [a, b] of [
          [image, raw],
          [raw, image],
        ] as const) {
          const { outcome, sizeMismatch } = await compareDisks(a, b);
          if (changed) expect(outcome).toEqual({ kind: 'content', offset: at - (at % 512) });
          else expect(outcome).toEqual({ kind: 'identical' });
          const reached = !changed || at >= model.length;
          expect(sizeMismatch).toBe(longer > 0 && reached);
        }
      }),
      RUNS,
    );
  });
});

describe('a chain', () => {
  it('reads through to its backing image, zeros behind the end of it', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, anyImage, async (top, base) => {
        const overlay = { ...top, backing: { name: 'base.qcow2', format: 'qcow2' } };
        const baseBytes = buildQcow2(base).bytes;
        const disk = await openImage(await memory(buildQcow2(overlay).bytes), {
          gate: () => memory(baseBytes, 'base.qcow2'),
        });
        const model = new Uint8Array(guestContent(top).length);
        model.set(guestContent(base).subarray(0, model.length));
        overlayContent(model, top);
        expect(Buffer.compare(await readDisk(disk, 0, disk.size), model)).toBe(0);
      }),
      RUNS,
    );
  });

  it('refuses to pass off unknown bytes as zeros when the backing image is missing', async () => {
    const backing = { name: 'gone.qcow2', format: 'qcow2' };
    const spec = { size: 1 << 20, clusters: new Map(), backing };
    const disk = await openImage(await memory(buildQcow2(spec).bytes));
    expect(disk.backingMissing).toBe(true);
    await expect(readDisk(disk, 0, 512)).rejects.toMatchObject({
      code: 'unreadable-cluster',
      details: { reason: 'backing-missing' },
    });
    await expect(convertToRaw(disk, new MemoryStorage({ name: 'out' }))).rejects.toMatchObject({
      code: 'unreadable-cluster',
    });
  });

  it('notices a chain that contains itself', async () => {
    const spec = (name: string) => ({
      size: 1 << 20,
      clusters: new Map(),
      backing: { name, format: 'qcow2' },
    });
    const a = buildQcow2(spec('b')).bytes;
    const b = buildQcow2(spec('a')).bytes;
    const open = openImage(await memory(a, 'a'), {
      gate: ({ name }) => memory(name === 'a' ? a : b, name),
    });
    await expect(open).rejects.toMatchObject({ code: 'backing-loop' });
  });
});
