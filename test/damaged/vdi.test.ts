import { buildVdi, vdiUuid } from '../images/build-vdi.ts';
import { freshNoise } from '../images/noise.ts';
import { mutationSuite } from './format-mutations.ts';

/** Small blocks, which only a lenient reader takes, so that images can be small. */
const BLOCK = 4096;
const METADATA = [
  { offset: 64, length: 400 },
  { offset: 64, length: 20 },
  { offset: 340, length: 60 },
  { offset: 512, length: 64 },
];

mutationSuite('vdi', () => {
  const blocks = (...indexes: number[]) =>
    new Map(indexes.map((index) => [index, freshNoise(index, BLOCK)]));
  const size = 16 * BLOCK;
  const parent = { size, uuid: vdiUuid(0x10), modification: vdiUuid(0x50) };
  const options = { lenient: true };
  return [
    {
      name: 'usual',
      bytes: buildVdi({ size: 5 * 2 ** 20, zeros: [1] }),
      metadata: METADATA,
    },
    {
      name: 'small blocks',
      bytes: buildVdi({ size, blockSize: BLOCK, blocks: blocks(0, 7, 3), zeros: [5] }),
      ...{ metadata: METADATA, options },
    },
    {
      name: 'extra in front of blocks',
      bytes: buildVdi({ size, blockSize: BLOCK, blockExtra: 512, blocks: blocks(1, 0) }),
      ...{ metadata: METADATA, options },
    },
    {
      name: 'differencing',
      bytes: buildVdi({
        ...{ size, blockSize: BLOCK, blocks: blocks(2, 9), zeros: [1] },
        ...{ parent: parent.uuid, parentModification: parent.modification },
      }),
      files: {
        '{13121110-1514-1716-1819-1a1b1c1d1e1f}.vdi': buildVdi({
          ...{ ...parent, blockSize: BLOCK, blocks: blocks(0, 1, 2) },
        }),
      },
      ...{ metadata: METADATA, options },
    },
  ];
});
