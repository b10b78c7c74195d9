/** Making Parallels images: their options, in qemu-img's words. */
import { createParallels, parallelsRefusal } from '../../engine/index.ts';
import { OptionFault } from '../option-text.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { TargetFormat } from './target-format.ts';

const USUAL_CLUSTER = '1048576';
const SECTOR = 512;

export const parallelsTarget: TargetFormat = {
  name: 'parallels',
  types: { cluster_size: 'size' },
  printed: ['size', 'cluster_size', 'nocow', 'preallocation', 'extent_size_hint'],
  usual: { cluster_size: USUAL_CLUSTER },
  help: `  cluster_size=<size>    - Bytes of a cluster, whole sectors
  size=<size>            - Bytes of the disk
`,
  backing: false,
  backingFormat: false,
  packs: false,
  prepare(_, { values, size }) {
    checkFilePreallocation(values);
    const wanted = Number(values.number('cluster_size') ?? USUAL_CLUSTER);
    const clusterSize = Math.ceil(wanted / SECTOR) * SECTOR;
    const refusal = parallelsRefusal(size, { clusterSize });
    if (refusal !== undefined) throw new OptionFault(refusal);
    return { size, create: (files) => createParallels(files, size, { clusterSize }) };
  },
};
