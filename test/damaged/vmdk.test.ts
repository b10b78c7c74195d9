/** Damaged VMDKs of every kind. */
import {
  buildCowd,
  buildHosted,
  buildSeSparse,
  buildStream,
  vmdkDescriptor,
} from '../images/build-vmdk.ts';
import { freshNoise } from '../images/noise.ts';
import { mutationSuite, type MutationSeed } from './format-mutations.ts';

const SECTORS = 4 * 128 * 8 + 30;

function seeds(): MutationSeed[] {
  const grain = (seed: number, sectors = 8) => freshNoise(seed, sectors * 512);
  const grains = new Map<number, Uint8Array | 'zero'>([
    [0, grain(1)],
    [3, 'zero'],
    [4, grain(2)],
    [40, grain(3)],
    [200, grain(4)],
  ]);
  const small = { sectors: SECTORS, grain: 8, entriesPerTable: 64, grains };
  const embedded = vmdkDescriptor('monolithicSparse', []);
  const header = { offset: 0, length: 80 };
  const text = { offset: 512, length: 400 };
  const tables = { offset: 21 * 512, length: 12 * 512 };
  const stream = buildStream(small);
  const atEnd = { offset: stream.length - 3072, length: 3072 };
  const cowd = buildCowd({
    sectors: 9000,
    grains: new Map([
      [5, grain(5, 1)],
      [8999, grain(6, 1)],
    ]),
  });
  const se = buildSeSparse({ sectors: 40_000, grains });
  const lines = [
    'RW 9000 VMFSSPARSE "cowd.vmdk"',
    'RW 64 FLAT "flat.vmdk" 3',
    'RW 128 ZERO',
    'RDONLY 32 VMFS "vmfs.vmdk"',
    `RW ${SECTORS} SPARSE "sparse.vmdk"`,
  ];
  const mixed = Buffer.from(vmdkDescriptor('twoGbMaxExtentSparse', lines));
  const space = Buffer.from(vmdkDescriptor('seSparse', ['RW 40000 SESPARSE "se.vmdk"']));
  return [
    {
      name: 'hosted',
      bytes: buildHosted({ ...small, version: 2, descriptor: embedded }),
      metadata: [header, text, tables],
    },
    { name: 'stream', bytes: stream, metadata: [header, text, atEnd] },
    {
      name: 'text',
      bytes: mixed,
      files: {
        'cowd.vmdk': cowd,
        'flat.vmdk': grain(7, 67),
        'vmfs.vmdk': grain(8, 20),
        'sparse.vmdk': buildHosted(small),
      },
    },
    { name: 'seSparse', bytes: space, files: { 'se.vmdk': se } },
  ];
}

mutationSuite('vmdk', seeds);
