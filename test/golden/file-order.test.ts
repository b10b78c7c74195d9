/** Fragmented images, written in the order of their files: judged by the real program. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { convertToQcow2, convertToRaw, openImage } from '../../src/engine/index.ts';
import type { Qcow2Options } from '../../src/engine/formats/qcow2/edit/create.ts';
import { buildQcow2, type ClusterSpec } from '../images/build-qcow2.ts';
import { noise } from '../images/noise.ts';
import { available, qemuImg } from './programs.ts';

const CLUSTER = 512;
const COUNT = 2048;

const quiet = (): void => undefined;

let folder = '';
const at = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-order-'));
  const clusters = new Map<number, ClusterSpec>();
  for (let index = 0; index < COUNT; index++) {
    const place = (index * 1237) % COUNT;
    if (place % 7 === 2) continue;
    const bytes = place % 5 === 1 ? new Uint8Array(CLUSTER) : noise(place, CLUSTER, 200);
    const kind = place % 11 === 3 ? 'compressed' : 'data';
    clusters.set(place, place % 13 === 4 ? { kind: 'zero' } : { kind, bytes });
  }
  const spec = { clusterBits: 9, size: COUNT * CLUSTER - 512, clusters };
  writeFileSync(at('source'), buildQcow2(spec).bytes);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function expectSame(name: string): Promise<void> {
  const { exitCode, stdout } = await qemuImg(['compare', at('source'), at(name)]);
  expect([exitCode, stdout]).toEqual([0, 'Images are identical.\n']);
}

describe.skipIf(!available)('in the order of the file', () => {
  it('a raw disk', async () => {
    const host = new NodeHost(quiet, quiet);
    const source = await openImage(await host.open(at('source')));
    const target = await host.create(at('raw'));
    await convertToRaw(source, target, { order: 'file' });
    await target.close();
    await source.close();
    await expectSame('raw');
  });

  it.each([
    { clusterSize: 512 },
    { clusterSize: 65536 },
    { clusterSize: 4096, version: 2 as const },
    { clusterSize: 16384, extendedL2: true },
  ] satisfies Partial<Qcow2Options>[])(
    'a qcow2 image: %o',
    async (image: Partial<Qcow2Options>) => {
      const host = new NodeHost(quiet, quiet);
      const source = await openImage(await host.open(at('source')));
      const target = await host.create(at('made'));
      await convertToQcow2([source], target, { image, order: 'file' });
      await target.close();
      await source.close();
      const check = await qemuImg(['check', at('made')]);
      expect(check.stdout).toContain('No errors were found on the image.');
      await expectSame('made');
    },
  );
});
