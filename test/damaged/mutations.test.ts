/**
 * Damaged images by the thousand: whatever the bytes say, each operation ends in a result, findings
 * or an ImageError, soon, and never in wrong bytes without a word where a checksum of sorts exists.
 * Seeds are fixed, so a failure names the image that caused it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkImage,
  ImageError,
  inspect,
  mapChain,
  missingBytes,
  openImage,
  planConvert,
  readDisk,
  type Storage,
} from '../../src/engine/index.ts';
import { anyImage } from '../images/arbitrary.ts';
import { buildQcow2, type BuiltImage } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';

/** Milliseconds of processor time that one image may take for everything: no hangs, not speed. */
const PATIENCE = 3000;
const READ_MOST = 4 * 1024 * 1024;

type Wound = (image: BuiltImage, at: number, value: number) => void;

const SPECIAL = [0, 1, 0x7f, 0x80, 0xc0, 0xff];

function put(image: BuiltImage, at: number, value: number): void {
  if (at < image.bytes.length) image.bytes[at] = SPECIAL[value % 8] ?? value;
}

function anyL2(image: BuiltImage, at: number): number {
  const tables = [...image.l2Offsets.values()];
  return tables[at % Math.max(1, tables.length)] ?? image.l1Offset;
}

/** Where the byte is changed: metadata, since nothing else can confuse a reader. */
const WOUNDS: readonly Wound[] = [
  (image, at, value) => put(image, at % 136, value),
  (image, at, value) => put(image, 20 + (at % 52), value),
  (image, at, value) => put(image, image.l1Offset + (at % 32), value),
  (image, at, value) => put(image, anyL2(image, at) + (at % image.clusterSize), value),
  (image, at, value) => put(image, anyL2(image, at) + (at % 64), value),
  (image, at, value) => put(image, image.refcountTableOffset + (at % 64), value),
  (image, at, value) => put(image, image.refcountBlockOffset + (at % 128), value),
  (image, at) => (image.bytes = image.bytes.slice(0, at % (image.bytes.length + 1))),
];

const anyWounds = fc.array(fc.tuple(fc.nat(WOUNDS.length - 1), fc.nat(1 << 20), fc.nat(255)), {
  minLength: 1,
  maxLength: 6,
});

async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    expect(error.code).not.toBe('internal');
  }
}

async function everything(storage: Storage): Promise<void> {
  await attempt(async () => {
    const disk = await openImage(storage, { mode: 'info', strict: true });
    const info = await inspect(disk);
    // What goes to the page must survive the way there.
    structuredClone(info);
    expect(await missingBytes(disk)).toBeGreaterThanOrEqual(0);
  });
  await attempt(async () => {
    const disk = await openImage(storage, { mode: 'check' });
    if (disk.format === 'raw') return;
    const report = await checkImage(disk, { explain: true, limit: 100 });
    expect(report.findings.length).toBeLessThanOrEqual(200);
    structuredClone(report);
  });
  await attempt(async () => {
    const disk = await openImage(storage);
    let end = 0;
    for await (const batch of mapChain(disk, 0, Math.min(disk.size, 1 << 40))) {
      for (const extent of batch) {
        expect(extent.offset).toBe(end);
        end += extent.length;
      }
      if (end > 1 << 30) break;
    }
    if (disk.size < 1 << 30) await planConvert(disk);
    await readDisk(disk, 0, Math.min(disk.size, READ_MOST));
  });
}

describe('damaged images', () => {
  it('end in findings or an ImageError, promptly', async () => {
    await fc.assert(
      fc.asyncProperty(anyImage, anyWounds, async (spec, wounds) => {
        const image = buildQcow2(spec);
        for (const [kind, at, value] of wounds) WOUNDS[kind]!(image, at, value);
        const before = process.cpuUsage().user;
        await everything(await memory(image.bytes));
        expect((process.cpuUsage().user - before) / 1000).toBeLessThan(PATIENCE);
      }),
      { numRuns: 1500, seed: 20261121 },
    );
  }, 240_000);

  it('end well when they are nothing but noise behind a magic number', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async (bytes) => {
        const file = new Uint8Array(8 + bytes.length);
        file.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
        file.set(bytes, 8);
        await everything(await memory(file));
      }),
      { numRuns: 1000, seed: 20261121 },
    );
  }, 120_000);
});
