/** Damaged images: sound ones with single fields changed, one kind of damage each. */
import { join } from 'node:path';
import { make } from './programs.ts';
import { bitmapsExtension, COMPRESSED, COPIED, type Qcow2Editor } from './qcow2-editor.ts';

const K = 1024;

/** The sound images that are damaged. All have 4 MiB, all but the last clusters of 4 KiB. */
export const BASES = ['plain', 'snapshot', 'old', 'one-bit', 'big', 'extended'] as const;
export type Base = (typeof BASES)[number];

/** One kind of damage. */
export interface Damage {
  readonly name: string;
  readonly base: Base;
  readonly edit: (image: Qcow2Editor) => void;
  /**
   * Set where the real program does what is not to be copied, with the reason: only what it prints
   * on stdout and its exit code are compared, except for `check`.
   */
  readonly otherMessages?: string;
}

/**
 * Guest clusters of the bases: 0 to 15 data, 16 zero with a place, 17 zero without, 32 to 34
 * compressed. The snapshot shares 1 to 15; the rest of the disk was never written.
 */
const COMMON = [
  'write -P 0x11 0 64k',
  'write -P 0x22 64k 4k',
  'write -z 64k 4k',
  'write -z -u 68k 4k',
];
const PACKED = ['write -c -P 0x33 128k 4k', 'write -c -P 0x44 132k 4k', 'write -c -P 0x55 136k 4k'];
const ZERO = 16;
const PACKED_AT = 32;
const FAR = 0x10000000000n;

/** Makes the bases in a folder; returns their paths. */
export async function makeBases(folder: string): Promise<Record<Base, string>> {
  const paths = {} as Record<Base, string>;
  const add = async (base: Base, options: string, commands: readonly string[]) => {
    const path = join(folder, `${base}.qcow2`);
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, '4M']);
    if (commands.length > 0) {
      await make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
    }
    paths[base] = path;
    return path;
  };
  await add('plain', 'cluster_size=4k', [...COMMON, ...PACKED]);
  const snapshot = await add('snapshot', 'cluster_size=4k', [...COMMON, ...PACKED]);
  await make('qemu-img', ['snapshot', '-c', 's1', snapshot]);
  await make('qemu-io', ['-c', 'write -P 0x66 0 4k', snapshot]);
  await add('old', 'compat=0.10,cluster_size=4k', ['write -P 0x11 0 64k', ...PACKED]);
  await add('one-bit', 'cluster_size=4k,refcount_bits=1', ['write -P 0x11 0 64k']);
  await add('big', 'cluster_size=64k', ['write -P 0x11 0 256k']);
  await add('extended', 'cluster_size=16k,extended_l2=on', ['write -P 0x11 0 64k']);
  return paths;
}

function damage(name: string, edit: Damage['edit'], base: Base = 'snapshot'): Damage {
  return { name, base, edit };
}

/** Damage that a check finds; the image opens. */
export const FOUND_BY_CHECK: readonly Damage[] = [
  damage('refcount of a free cluster', (i) => {
    i.resize(i.bytes.length + 8 * i.clusterSize);
    i.setRefcount(i.bytes.length / i.clusterSize - 2, 1);
  }),
  damage('refcount too high', (i) => {
    i.setRefcount(i.host(1) / i.clusterSize, 3);
  }),
  damage('refcount too high and COPIED', (i) => {
    i.setRefcount(i.host(0) / i.clusterSize, 2);
  }),
  damage('refcount too low', (i) => {
    i.setRefcount(i.host(1) / i.clusterSize, 1);
  }),
  damage('refcount of data is 0', (i) => {
    i.setRefcount(i.host(1) / i.clusterSize, 0);
  }),
  damage('refcount of the L2 table is 0', (i) => {
    i.setRefcount(Math.floor(i.l2(0) / i.clusterSize), 0);
  }),
  damage('refcount of the header is 0', (i) => {
    i.setRefcount(0, 0);
  }),
  damage('refcount of the refcount block is 2', (i) => {
    i.setRefcount(i.refcountBlock / i.clusterSize, 2);
  }),
  damage('refcount of the refcount block is 0', (i) => {
    i.setRefcount(i.refcountBlock / i.clusterSize, 0);
  }),
  damage('COPIED missing in L2', (i) => {
    i.change(i.l2(0), (entry) => entry & ~COPIED);
  }),
  damage('COPIED on a shared cluster', (i) => {
    i.change(i.l2(1), (entry) => entry | COPIED);
  }),
  damage('COPIED missing in L1', (i) => {
    i.change(i.l1(), (entry) => entry & ~COPIED);
  }),
  damage('COPIED on a compressed cluster', (i) => {
    i.change(i.l2(PACKED_AT), (entry) => entry | COPIED);
  }),
  damage('reserved bit 3 in L2', (i) => {
    i.change(i.l2(0), (entry) => entry | 8n);
  }),
  damage('reserved bit 60 in L2', (i) => {
    i.change(i.l2(0), (entry) => entry | (1n << 60n));
  }),
  damage('data at an odd place', (i) => {
    i.change(i.l2(0), (entry) => entry + 512n);
  }),
  damage('data at an odd place, behind sound data', (i) => {
    i.change(i.l2(7), (entry) => entry + 512n);
  }),
  damage('zeros with a place that is odd', (i) => {
    i.change(i.l2(ZERO), (entry) => entry + 512n);
  }),
  damage('data behind the end of the file', (i) => {
    i.setEntry(i.l2(0), COPIED | FAR);
  }),
  damage('two clusters at one place', (i) => {
    i.setEntry(i.l2(1), i.entry(i.l2(0)));
  }),
  damage('two clusters at one place, plain', (i) => i.setEntry(i.l2(1), i.entry(i.l2(0))), 'plain'),
  damage('data in the refcount block', (i) => {
    i.setEntry(i.l2(0), COPIED | BigInt(i.refcountBlock));
  }),
  damage('data in the L1 table', (i) => {
    i.setEntry(i.l2(0), COPIED | BigInt(i.get('l1Offset')));
  }),
  damage('data in the refcount table', (i) => {
    i.setEntry(i.l2(0), COPIED | BigInt(i.get('refcountTableOffset')));
  }),
  damage('data in its own L2 table', (i) => {
    i.setEntry(i.l2(0), COPIED | BigInt(i.l2(0)));
  }),
  damage('data in the header', (i) => {
    i.setEntry(i.l2(0), COPIED);
  }),
  damage('reserved bit in L1', (i) => {
    i.change(i.l1(), (entry) => entry | 2n);
  }),
  damage('L2 table at an odd place', (i) => {
    i.change(i.l1(), (entry) => entry + 512n);
  }),
  damage('L2 table behind the end of the file', (i) => {
    i.setEntry(i.l1(), COPIED | FAR);
  }),
  damage('L2 table in the header', (i) => {
    i.setEntry(i.l1(1), COPIED);
  }),
  damage('two L1 entries at one L2 table', (i) => {
    i.setEntry(i.l1(1), i.entry(i.l1()));
  }),
  damage('L2 table in the L1 table', (i) => {
    i.setEntry(i.l1(1), COPIED | BigInt(i.get('l1Offset')));
  }),
  damage('reserved bit in the refcount table', (i) => {
    i.change(i.refcountTable(), (entry) => entry | 2n);
  }),
  {
    ...damage('refcount block at an odd place', (i) => {
      i.change(i.refcountTable(), (entry) => entry + 512n);
    }),
    otherMessages: 'counts clusters when it reads, to guess whether the image was preallocated',
  },
  damage('second refcount block at an odd place', (i) => {
    i.setEntry(i.refcountTable(1), 0x2200n);
  }),
  damage('refcount block behind the end of the file', (i) => {
    i.setEntry(i.refcountTable(1), FAR);
  }),
  damage('only refcount block behind the end of the file', (i) => {
    i.setEntry(i.refcountTable(), FAR);
  }),
  damage('no refcount block', (i) => {
    i.setEntry(i.refcountTable(), 0n);
  }),
  damage('two refcount table entries at one block', (i) => {
    i.setEntry(i.refcountTable(1), i.entry(i.refcountTable()));
  }),
  damage('no refcount table', (i) => {
    i.set('refcountTableClusters', 0);
  }),
  damage('compressed cluster longer than the file', (i) => {
    i.change(i.l2(PACKED_AT + 2), (entry) => entry | (0xfn << 58n));
  }),
  damage('compressed cluster behind the end of the file', (i) => {
    i.change(i.l2(PACKED_AT + 2), (entry) => entry + FAR);
  }),
  damage('compressed cluster of garbage', (i) => {
    const entry = i.entry(i.l2(PACKED_AT));
    const offset = Number(entry & ((1n << 58n) - 1n));
    i.bytes.fill(0xa5, offset, offset + 8);
  }),
  damage('compressed cluster that breaks off', (i) => {
    const entry = i.entry(i.l2(PACKED_AT));
    const offset = Number(entry & ((1n << 58n) - 1n));
    i.bytes.fill(0, offset + 2, offset + 6);
  }),
  damage('compressed clusters at one place', (i) => {
    i.setEntry(i.l2(PACKED_AT + 1), i.entry(i.l2(PACKED_AT)));
  }),
  damage('compressed flag on data', (i) => {
    i.change(i.l2(3), (entry) => (entry | COMPRESSED) & ~COPIED);
  }),
  damage('dirty bit', (i) => {
    i.setBit('incompatible', 0);
  }),
  damage('corrupt bit', (i) => {
    i.setBit('incompatible', 1);
  }),
  damage('snapshot with its L1 table at an odd place', (i) => {
    i.change(i.snapshots, (offset) => offset + 512n);
  }),
  damage('snapshot with a huge L1 table', (i) => {
    i.bytes.writeUInt32BE(0x500000, i.snapshots + 8);
  }),
  damage('snapshot with its L1 table behind the end of the file', (i) => {
    i.setEntry(i.snapshots, FAR);
  }),
  damage('snapshot with its L1 table in the header', (i) => {
    i.setEntry(i.snapshots, 0n);
  }),
  damage('snapshot with 8 bytes of extra data', (i) => {
    const entry = i.snapshots;
    // Id and name follow the extra data: they move down with it.
    i.bytes.copyWithin(entry + 48, entry + 64, entry + 128);
    i.bytes.writeUInt32BE(8, entry + 36);
  }),
  damage('snapshot with 2000 bytes of extra data', (i) => {
    i.bytes.writeUInt32BE(2000, i.snapshots + 36);
  }),
  damage('snapshot table in the middle of nowhere', (i) => {
    i.set('snapshotsOffset', FAR);
  }),
  damage('65540 snapshots', (i) => {
    i.set('snapshotCount', 65540);
  }),
  damage('65536 snapshots', (i) => i.set('snapshotCount', 65536), 'plain'),
  damage('65537 snapshots', (i) => i.set('snapshotCount', 65537), 'plain'),
  damage(
    'snapshot table at an odd place',
    (i) => {
      i.set('snapshotCount', 1);
      i.set('snapshotsOffset', 0x3200);
    },
    'plain',
  ),
  damage('snapshot table in the header', (i) => i.set('snapshotCount', 1), 'plain'),
  damage('zero flag in version 2', (i) => i.setEntry(i.l2(0), 1n), 'old'),
  damage('zero flag with a place in version 2', (i) => i.change(i.l2(0), (e) => e | 1n), 'old'),
  damage(
    'more references than one bit counts',
    (i) => i.setEntry(i.l2(1), i.entry(i.l2(0))),
    'one-bit',
  ),
  damage('a cut in the middle of the data', (i) => i.resize(i.host(8) + 100)),
  damage('a cut behind the L1 table', (i) => i.resize(i.get('l1Offset') + 8)),
  damage('a cut in the last cluster', (i) => i.resize(i.bytes.length - 100)),
  damage('a cut of the last cluster', (i) => i.resize(i.bytes.length - 4096)),
  damage('a cut of the last two clusters', (i) => i.resize(i.bytes.length - 8192)),
  damage('a cut behind the header', (i) => i.resize(4096)),
  damage('a cut in the header', (i) => i.resize(200)),
  damage('a cut behind the fixed header', (i) => i.resize(112), 'big'),
  damage('a cut in the data, clusters of 64k', (i) => i.resize(i.host(2)), 'big'),
  damage('nothing but zeros behind the header', (i) => i.bytes.fill(0, 4096)),
  damage('nothing but ones in the L2 table', (i) => i.bytes.fill(0xff, i.l2(0), i.l2(512))),
  damage('nothing but ones in the L1 table', (i) => i.bytes.fill(0xff, i.l1(0), i.l1(2))),
  damage('nothing but ones in the refcount block', (i) =>
    i.bytes.fill(0xff, i.refcountBlock, i.refcountBlock + 4096),
  ),
];

const EXT = { backingFormat: 0xe2792aca, bitmaps: 0x23852875, crypto: 0x0537be77 };
const BITMAPS = (count: number, reserved: number, size: bigint, offset: bigint) =>
  [EXT.bitmaps, bitmapsExtension(count, reserved, size, offset)] as const;

/** Headers at their limits; in clusters of 64 KiB. */
export const HEADERS: readonly Damage[] = (
  [
    ['magic', (i) => i.set('magic', 0x514649fa)],
    ['version 0', (i) => i.set('version', 0)],
    ['version 4', (i) => i.set('version', 4)],
    ['cluster_bits 8', (i) => i.set('clusterBits', 8)],
    ['cluster_bits 22', (i) => i.set('clusterBits', 22)],
    ['header_length 103', (i) => i.set('headerLength', 103)],
    ['header_length 104', (i) => i.set('headerLength', 104)],
    ['header_length 105', (i) => i.set('headerLength', 105)],
    ['header_length behind the cluster', (i) => i.set('headerLength', 65544)],
    ['backing file offset behind the cluster', (i) => i.set('backingOffset', 65537)],
    [
      'backing file name of 1024 bytes',
      (i) => {
        i.set('backingOffset', 1024);
        i.set('backingSize', 1024);
      },
    ],
    [
      'backing file name over the end of the cluster',
      (i) => {
        i.set('backingOffset', 65000);
        i.set('backingSize', 1023);
      },
    ],
    ['unknown incompatible bit 5', (i) => i.setBit('incompatible', 5)],
    ['unknown incompatible bit 63', (i) => i.setBit('incompatible', 63)],
    [
      'unknown incompatible bits 5, 40 and 63',
      (i) => [5, 40, 63].forEach((bit) => i.setBit('incompatible', bit)),
    ],
    ['unknown compatible bit 5', (i) => i.setBit('compatible', 5)],
    ['unknown autoclear bit 5', (i) => i.setBit('autoclear', 5)],
    ['compression bit with type 0', (i) => i.setBit('incompatible', 3)],
    ['compression type 1 without the bit', (i) => i.set('compressionType', 1)],
    [
      'compression type 2',
      (i) => {
        i.setBit('incompatible', 3);
        i.set('compressionType', 2);
      },
    ],
    ['bitmaps bit without bitmaps', (i) => i.setBit('autoclear', 0)],
    ['refcount_order 7', (i) => i.set('refcountOrder', 7)],
    ['refcount_order of all ones', (i) => i.set('refcountOrder', 0xffffffff)],
    ['crypt_method 3', (i) => i.set('crypt', 3)],
    ['size + 1', (i) => i.set('size', 4 * K * K + 1)],
    ['size 0', (i) => i.set('size', 0)],
    ['size 1 PiB', (i) => i.set('size', 2 ** 50)],
    ['size 2^63', (i) => i.set('size', 2n ** 63n)],
    ['size 2^63 - 1', (i) => i.set('size', 2n ** 63n - 1n)],
    ['l1_size 0', (i) => i.set('l1Size', 0)],
    ['l1_size 4194305', (i) => i.set('l1Size', 4194305)],
    ['l1_size 4194304', (i) => i.set('l1Size', 4194304)],
    ['L1 table at an odd place', (i) => i.set('l1Offset', 0x30200)],
    ['L1 table at 0', (i) => i.set('l1Offset', 0)],
    ['L1 table behind the end of the file', (i) => i.set('l1Offset', FAR)],
    ['L1 table at 2^63 - 64k', (i) => i.set('l1Offset', 2n ** 63n - 65536n)],
    ['refcount table at an odd place', (i) => i.set('refcountTableOffset', 0x10200)],
    ['refcount table behind the end of the file', (i) => i.set('refcountTableOffset', FAR)],
    ['refcount_table_clusters 0', (i) => i.set('refcountTableClusters', 0)],
    ['refcount_table_clusters 129', (i) => i.set('refcountTableClusters', 129)],
    ['refcount_table_clusters 128', (i) => i.set('refcountTableClusters', 128)],
    ['reserved bit in L1', (i) => i.change(i.l1(), (entry) => entry | 1n)],
    ['L2 table at an odd place', (i) => i.change(i.l1(), (entry) => entry + 512n)],
    ['L2 table behind the end of the file', (i) => i.setEntry(i.l1(), COPIED | FAR)],
    ['extension too long', (i) => i.bytes.writeUInt32BE(0x7fffffff, i.get('headerLength') + 4)],
    [
      'extension that ends with the cluster',
      (i) => i.bytes.writeUInt32BE(65536 - i.get('headerLength') - 8, i.get('headerLength') + 4),
    ],
    [
      'backing format of 16 bytes',
      (i) => i.setExtensions([[EXT.backingFormat, Buffer.from('raw-raw-raw-raw-')]]),
    ],
    ['bitmaps extension of 16 bytes', (i) => i.setExtensions([[EXT.bitmaps, Buffer.alloc(16)]])],
    ['bitmaps extension without its bit', (i) => i.setExtensions([BITMAPS(1, 0, 64n, 0x50000n)])],
    ...(
      [
        ['no bitmaps', BITMAPS(0, 0, 64n, 0x50000n)],
        ['65536 bitmaps', BITMAPS(65536, 0, 64n, 0x50000n)],
        ['reserved field not zero', BITMAPS(1, 1, 64n, 0x50000n)],
        ['directory at an odd place', BITMAPS(1, 0, 64n, 0x50200n)],
        ['directory too large', BITMAPS(1, 0, FAR, 0x50000n)],
        ['directory of zeros', BITMAPS(1, 0, 64n, 0x100000n)],
      ] as const
    ).map(([name, extension]): [string, Damage['edit']] => [
      `bitmaps extension: ${name}`,
      (i) => {
        i.setBit('autoclear', 0);
        i.setExtensions([extension]);
      },
    ]),
    [
      'crypto extension without encryption',
      (i) => i.setExtensions([[EXT.crypto, Buffer.alloc(16)]]),
    ],
    ['unknown extension', (i) => i.setExtensions([[0x12345678, Buffer.from('what is this')]])],
  ] as [string, Damage['edit']][]
).map(([name, edit]) => ({ name, base: 'big', edit }));

/** Images of features that are read in a later version: what can be said of them already. */
export const LATER: readonly Damage[] = [
  damage('extended L2', () => undefined, 'extended'),
  damage(
    'extended L2 with both bits set',
    (i) => i.setEntry(i.l2(0, 16) + 8, (1n << 32n) | 1n),
    'extended',
  ),
  damage('extended L2 with bits and no place', (i) => i.setEntry(i.l2(0, 16), 0n), 'extended'),
  damage(
    'extended L2 at an odd place without data',
    (i) => {
      i.change(i.l2(0, 16), (entry) => entry + 512n);
      i.setEntry(i.l2(0, 16) + 8, 0n);
    },
    'extended',
  ),
  damage('extended L2 in clusters of 4k', (i) => i.setBit('incompatible', 4), 'plain'),
];
