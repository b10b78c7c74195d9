/** Making QED images: their options, in qemu-img's words. */
import { checkQedOptions, createQed } from '../../engine/index.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { TargetFormat } from './target-format.ts';

export const qedTarget: TargetFormat = {
  name: 'qed',
  types: {
    backing_file: 'text',
    backing_fmt: 'text',
    cluster_size: 'size',
    table_size: 'size',
  },
  printed: [
    ...['size', 'backing_file', 'backing_fmt', 'cluster_size', 'table_size'],
    ...['nocow', 'preallocation', 'extent_size_hint'],
  ],
  usual: { cluster_size: '65536' },
  help: `  backing_file=<str>     - What the new image is based on
  backing_fmt=<str>      - The format of that file
  cluster_size=<size>    - Bytes of a cluster, 4k to 64M
  size=<size>            - Bytes of the disk
  table_size=<size>      - Clusters of a table, 1 to 16
`,
  backing: true,
  backingFormat: true,
  packs: false,
  prepare(_, { values, size }) {
    checkFilePreallocation(values);
    const number = (name: string): number | undefined => {
      const value = values.number(name);
      return value === undefined ? undefined : Number(value);
    };
    const options = {
      clusterSize: number('cluster_size'),
      tableSize: number('table_size'),
      backingName: values.text('backing_file'),
      backingFormat: values.text('backing_fmt'),
    };
    checkQedOptions(size, options);
    return { size, create: (files) => createQed(files, size, options) };
  },
};
