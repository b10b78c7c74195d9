import { bitmap, buildParallels, CLUSTER, END } from '../images/build-parallels.ts';
import { createHash } from 'node:crypto';
import { mutationSuite } from './format-mutations.ts';

const METADATA = [
  { offset: 16, length: 48 },
  { offset: 64, length: 64 },
];
const EXTENSION = 5 * CLUSTER;

/** Gets damage of the extension past its checksum. */
function fix(bytes: Uint8Array): void {
  if (bytes.length < EXTENSION + CLUSTER) return;
  const cluster = bytes.subarray(EXTENSION, EXTENSION + CLUSTER);
  cluster.set(createHash('md5').update(cluster.subarray(24)).digest(), 8);
}

mutationSuite('parallels', () => [
  {
    name: 'new',
    bytes: buildParallels({ entries: { 0: 2, 5: 1, 6: 3 } }),
    metadata: METADATA,
  },
  {
    name: 'old',
    bytes: buildParallels({ magic: 'WithoutFreeSpace', entries: { 1: 8, 2: 24, 15: 16 } }),
    metadata: METADATA,
  },
  {
    name: 'with an extension',
    bytes: buildParallels({ entries: { 3: 1 }, features: [bitmap(), bitmap({ id: 9 }), END] }),
    metadata: [...METADATA, { offset: EXTENSION, length: 200 }],
    fix,
  },
  {
    name: 'in use, with leaks',
    bytes: buildParallels({ entries: { 3: 1 }, inUse: 0x746f6e59 }),
    metadata: METADATA,
    options: { lenient: true },
  },
]);
