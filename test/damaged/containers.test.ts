import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openContainer } from '../../src/engine/containers/index.ts';
import { ImageError, MemoryStorage, type Scratch } from '../../src/engine/index.ts';
import { buildTar, buildZip, paxRecords, sampleDisk } from '../images/build-containers.ts';
import packed from '../images/packed-disks.json' with { type: 'json' };
import { randomFor } from '../images/wounds.ts';

/** Wrappers damaged in every way end in content or an ImageError. FORMAT_MUTATIONS=2000 for more. */
const COUNT = Number((process.env['FORMAT_MUTATIONS'] ?? '100').split('-').at(-1));
const LIMIT = 16 * 1024 * 1024;

const disk = sampleDisk(200_000);
const pax = paxRecords([
  ['GNU.sparse.major', '1'],
  ['GNU.sparse.minor', '0'],
  ['GNU.sparse.realsize', '100000'],
]);
const map = Buffer.alloc(512);
map.write('1\n512\n1000\n');
const SEEDS: Record<string, Buffer> = {
  gzip: gzipSync(disk),
  zstd: Buffer.from(packed['two.zst'], 'base64'),
  xz: Buffer.from(packed['blocks.xz'], 'base64'),
  bzip2: Buffer.from(packed['two.bz2'], 'base64'),
  zip: buildZip([
    { name: 'a.img', data: disk },
    { name: 'b.img', data: disk, method: 0 },
  ]),
  tar: buildTar([
    { name: 'a.img', data: disk.subarray(0, 5000) },
    { name: 'x', data: pax, type: 'x' },
    { name: 's', data: Buffer.concat([map, disk.subarray(512, 1512)]) },
  ]),
};

function scratch(): Scratch {
  const open = () => Promise.resolve(new MemoryStorage({ name: 'scratch' }));
  return { limit: LIMIT, open };
}

async function readAll(bytes: Uint8Array): Promise<void> {
  const container = await openContainer(new MemoryStorage({ content: bytes, name: 'x' }));
  for (const entry of container?.entries.slice(0, 20) ?? []) {
    try {
      const storage = await container!.open(entry, scratch());
      const piece = new Uint8Array(65_536);
      for (let at = 0; at < Math.min(storage.size, LIMIT); at += piece.length) {
        await storage.read(at, piece);
      }
      await storage.close();
    } catch (error) {
      if (!(error instanceof ImageError) || error.code === 'internal') throw error;
    }
  }
}

describe.each(Object.entries(SEEDS))('%s', (name, seed) => {
  it(`damaged ${COUNT} times does no harm`, { timeout: 20_000 + COUNT * 200 }, async () => {
    let refused = 0;
    for (let i = 0; i < COUNT; i++) {
      const next = randomFor(i * 7 + name.length);
      const random = () => next(2 ** 30) / 2 ** 30;
      const bytes = Buffer.from(seed);
      const wounds = 1 + Math.floor(random() * 4);
      for (let n = 0; n < wounds; n++) {
        const reach = random() < 0.5 ? Math.min(1024, bytes.length) : bytes.length;
        const fromEnd = random() < 0.3;
        const at = Math.floor(random() * reach);
        bytes[fromEnd ? bytes.length - 1 - at : at] = Math.floor(random() * 256);
      }
      const whole = random() < 0.2 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      try {
        await readAll(whole);
      } catch (error) {
        if (!(error instanceof ImageError) || error.code === 'internal') {
          throw new Error(`${name}, mutation ${i}`, { cause: error });
        }
        refused++;
      }
    }
    expect(refused).toBeLessThan(COUNT);
  });
});
