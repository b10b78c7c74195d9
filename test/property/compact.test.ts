import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkQcow2 } from '../../src/engine/formats/qcow2/check/index.ts';
import { compactedSize } from '../../src/engine/formats/qcow2/compact-size.ts';
import { openQcow2, type Qcow2Image } from '../../src/engine/formats/qcow2/image.ts';
import { PackedStreams } from '../../src/engine/formats/qcow2/packed-streams.ts';
import { entryOffset, readTable } from '../../src/engine/formats/qcow2/tables.ts';
import { compactQcow2, planCompact } from '../../src/engine/operations/compact.ts';
import { verifyCompacted } from '../../src/engine/operations/compact-verify.ts';
import { readDisk } from '../../src/engine/operations/read.ts';
import type { Snapshot } from '../../src/engine/formats/qcow2/snapshots.ts';
import { anyImage, noise } from '../images/arbitrary.ts';
import { buildQcow2, type ClusterSpec } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';
import '../property-limits.ts';

/** What compactedSize wants to know, counted entry by entry. */
async function count(image: Qcow2Image, snapshots: boolean) {
  const { header, storage, clusterSize } = image;
  const tables = new Set<number>();
  const plain = new Set<number>();
  const streams = new PackedStreams(header.clusterBits);
  const trees = snapshots ? [header, ...image.snapshots] : [header];
  for (const { l1TableOffset, l1Size } of trees) {
    const l1 = await readTable(storage, l1TableOffset, l1Size);
    for (let i = 0; i < l1.length; i += 2) {
      const host = entryOffset(l1[i] ?? 0, l1[i + 1] ?? 0);
      if (host === 0) continue;
      tables.add(host);
      const l2 = await readTable(storage, host, clusterSize / 8);
      const step = header.extendedL2 ? 4 : 2;
      for (let at = 0; at < l2.length; at += step) {
        const [high = 0, low = 0] = [l2[at], l2[at + 1]];
        const offset = entryOffset(high, low);
        if ((high & 0x40000000) !== 0) {
          const bits = 70 - header.clusterBits;
          const word = (BigInt(high) << 32n) | BigInt(low);
          const start = Number(word & ((1n << BigInt(bits)) - 1n));
          const sectors = Number((word >> BigInt(bits)) & ((1n << BigInt(62 - bits)) - 1n)) + 1;
          streams.add(start, sectors * 512 - (start % 512));
        } else if (offset !== 0 && (step === 4 ? l2[at + 3] !== 0 : (low & 1) === 0)) {
          plain.add(offset);
        }
      }
    }
  }
  let bitmapClusters = 0;
  for (const { tableOffset, tableSize } of header.bitmaps === undefined ? [] : image.bitmaps) {
    const table = await readTable(storage, tableOffset, tableSize);
    for (let i = 0; i < table.length; i += 2) {
      if (entryOffset(table[i] ?? 0, table[i + 1] ?? 0) !== 0) bitmapClusters += 1;
    }
  }
  const packed = streams.totals();
  return { l2Tables: tables.size, plainClusters: plain.size, packed, bitmapClusters };
}

describe('compacting', () => {
  it('keeps every layer of any image, in the size that was forecast', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, fc.boolean(), async (spec, snapshots) => {
        const source = await openQcow2(await memory(buildQcow2(spec).bytes), 'read');
        const sound = await checkQcow2(source, {});
        fc.pre(sound.corruptions === 0);
        const planned = await planCompact(source, { snapshots });
        const target = await memory(new Uint8Array(0), 'compacted');
        const report = await compactQcow2(source, target, { snapshots });
        expect(report).toEqual(planned);
        expect(target.size).toBe(planned.size);
        const result = await openQcow2(target, 'read');
        await verifyCompacted(source, result, { snapshots });
        // Not with the eyes of what made it.
        const bytes = await readDisk(source, 0, source.size);
        expect(Buffer.compare(await readDisk(result, 0, result.size), bytes)).toBe(0);
        expect(result.snapshots.length).toBe(snapshots ? source.snapshots.length : 0);
        const again = await planCompact(result, {});
        expect(again.size).toBe(planned.size);
        const content = await count(source, snapshots);
        const forecast = compactedSize(source, content, snapshots);
        const isBound = content.packed.streams > 0 && source.header.refcountBits < 8;
        if (source.clusterSize > 512 && !isBound) expect(forecast).toBe(planned.size);
        else expect(Math.abs(forecast - planned.size)).toBeLessThan(planned.size / 2);
        const checked = await checkQcow2(result, {});
        expect(checked.fragmentedClusters).toBe(checked.compressedClusters);
      }),
      { numRuns: 80 },
    );
  });

  it('notices what is not as it was', async () => {
    const life = new Map<number, ClusterSpec>([
      [3, { kind: 'data', bytes: noise(1, 4096) }],
      [1, { kind: 'compressed', bytes: noise(2, 4096, 7) }],
      [2, { kind: 'zero' }],
    ]);
    const old = new Map<number, ClusterSpec>([[5, { kind: 'data', bytes: noise(3, 4096) }]]);
    const snapshots = [{ id: '1', name: 'old', clusters: old }];
    const built = buildQcow2({ clusterBits: 12, size: 65536, clusters: life, snapshots });
    const source = await openQcow2(await memory(built.bytes), 'read');
    const target = await memory(new Uint8Array(0), 'compacted');
    await compactQcow2(source, target);
    const verify = async () => verifyCompacted(source, await openQcow2(target, 'check'));
    await verify();
    const image = await openQcow2(target, 'read');
    const snapshot = await image.openSnapshot(image.snapshots[0] as Snapshot, 'then');
    for (const disk of [image, snapshot]) {
      for (const { kind, hostOffset, offset } of await disk.map(0, 65536)) {
        if (kind !== 'data') continue;
        const byte = new Uint8Array(1);
        await target.read(hostOffset + 700, byte);
        await target.write(hostOffset + 700, Uint8Array.of(~(byte[0] ?? 0)));
        const details = { offset: offset + 512 };
        await expect(verify()).rejects.toMatchObject({ code: 'verify-failed', details });
        await target.write(hostOffset + 700, byte);
      }
    }
    const { l2Offset } = image.tablesOf(0);
    await target.write(l2Offset + 2 * 8, new Uint8Array(8));
    await expect(verify()).rejects.toMatchObject({ code: 'verify-failed' });
  });
});
