import {
  buildBochs,
  buildCloop,
  buildDmg,
  lzfseChunk,
  sampleChunk,
  usualTables,
} from '../images/build-dmg.ts';
import { contentOf } from '../images/packed-samples.ts';
import { mutationSuite } from './format-mutations.ts';

function dmgSeed(name: string, bytes: Uint8Array, tables: number) {
  const koly = { offset: bytes.length - 512, length: 512 };
  return { name, bytes, metadata: [koly, { offset: koly.offset - tables, length: tables }] };
}

mutationSuite('dmg', () => {
  const usual = usualTables().map((chunks) => chunks.filter(({ sectors }) => sectors < 200));
  const packed = [
    ...usual,
    [sampleChunk('xz'), sampleChunk('bzip2'), lzfseChunk(contentOf('disk'))],
  ];
  return [
    dmgSeed('property list', buildDmg(usual), 1500),
    dmgSeed('resource fork', buildDmg(usual, { form: 'resources' }), 1000),
    { name: 'content', bytes: buildDmg(packed, { form: 'resources' }) },
  ];
});

mutationSuite('cloop', () => [
  {
    name: 'small blocks',
    bytes: buildCloop(contentOf('disk'), 2048),
    metadata: [{ offset: 128, length: 150 }],
  },
  { name: 'content', bytes: buildCloop(contentOf('disk'), 16384) },
]);

mutationSuite('bochs', () => [
  {
    name: 'version 1',
    bytes: buildBochs({
      version: 1,
      extent: 4096,
      size: 51200,
      extents: [
        [3, [0, 7]],
        [0, [2]],
      ],
    }),
    metadata: [
      { offset: 64, length: 40 },
      { offset: 512, length: 100 },
    ],
  },
  {
    name: 'version 2',
    bytes: buildBochs({ version: 2, extent: 65536, size: 3e6, extents: [[9, [5, 100]]] }),
    metadata: [
      { offset: 64, length: 40 },
      { offset: 512, length: 300 },
    ],
  },
]);
