/**
 * What Macs use: containers of APFS («Apple File System Reference», «Container») and HFS Plus
 * («Technical Note TN1150»).
 */
import { digest } from '../../codecs/crypto/digests.ts';
import { uuidText } from '../../binary/guid.ts';
import { struct, u16, u32, u32le, u64, u64le } from '../../binary/struct.ts';
import { TWO_32 } from '../../binary/units.ts';
import {
  bytesOf,
  isPowerOfTwo,
  type More,
  type Recognised,
  says,
  type Superblock,
  unnamed,
  usedOf,
  uuidAt,
  wideTextAt,
} from '../file-system.ts';

const CONTAINER = struct({
  sumLow: u32le(0, 'Checksum, lower half', 'bytes'),
  sumHigh: u32le(4, 'Checksum, upper half', 'bytes'),
  blockSize: u32le(36, 'Block size, bytes', 'bytes'),
  blocks: u64le(40, 'Blocks', 'count'),
});
const CONTAINER_UUID_AT = 72;

/** The volumes in it have labels of their own; the container has none. */
export function readApfs(first: Uint8Array): Recognised | undefined {
  if (first.length < 4096 || !says(first, 32, 'NXSB')) return undefined;
  const { sumLow, sumHigh, blockSize, blocks } = CONTAINER.read(first);
  if (!isPowerOfTwo(blockSize, 4096, 65536)) return undefined;
  const [low, high] = fletcher(first.subarray(8, blockSize));
  const found = {
    ...unnamed('apfs'),
    uuid: uuidAt(first, CONTAINER_UUID_AT),
    size: bytesOf(blocks, blockSize),
    blockSize,
    isDamaged: first.length >= blockSize && (low !== sumLow || high !== sumHigh),
  };
  return { found };
}

/** Fletcher's checksum over words of 32 bits, so that the sum over it all becomes zero. */
function fletcher(bytes: Uint8Array): [low: number, high: number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const modulus = TWO_32 - 1;
  let first = 0;
  let second = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    first = (first + view.getUint32(at, true)) % modulus;
    second = (second + first) % modulus;
  }
  const low = modulus - ((first + second) % modulus);
  return [low, modulus - ((first + low) % modulus)];
}

const HFS_AT = 1024;
const HFS = struct({
  signature: u16(0, 'Signature: «H+», or «HX» where names have cases', 'bytes'),
  version: u16(2, 'Version: 4, or 5 where names have cases'),
  attributes: u32(4, 'State of the volume', 'bits'),
  blockSize: u32(40, 'Block size, bytes', 'bytes'),
  blocks: u32(44, 'Blocks'),
  freeBlocks: u32(48, 'Free blocks'),
  catalogBytes: u64(272, 'Length of the catalog', 'bytes'),
  catalogStart: u32(288, 'First block of the catalog'),
  catalogBlocks: u32(292, 'Blocks of its first extent'),
});
const FINDER_ID_AT = 104;
const UNMOUNTED = 0x100;
const INCONSISTENT = 0x800;

/** «BTHeaderRec» behind the descriptor of the first node. */
const TREE = struct({
  firstLeaf: u32(24, 'The first node with entries'),
  nodeSize: u16(32, 'Bytes of a node', 'bytes'),
});
/** The first record of the first leaf: the root folder's key has the name of the volume. */
const LEAF = struct({
  records: u16(10, 'Records'),
  parent: u32(16, 'Folder that the first record is in'),
  letters: u16(20, 'Letters of its name'),
});
const NAME_AT = 22;
const MOST_LETTERS = 255;
const ROOT_PARENT = 1;

export function readHfsPlus(first: Uint8Array): Recognised | undefined {
  const bytes = first.subarray(HFS_AT, HFS_AT + 512);
  if (bytes.length < 512) return undefined;
  const values = HFS.read(bytes);
  const { signature, version, blockSize, blocks } = values;
  const isSane =
    ((signature === 0x482b && version === 4) || (signature === 0x4858 && version === 5)) &&
    isPowerOfTwo(blockSize, 512, 2 ** 24) &&
    values.freeBlocks <= blocks;
  if (!isSane) return undefined;
  const size = bytesOf(blocks, blockSize);
  const found = {
    ...unnamed('hfs-plus'),
    uuid: finderUuid(bytes.subarray(FINDER_ID_AT, FINDER_ID_AT + 8)),
    ...{ size, used: usedOf(size, bytesOf(values.freeBlocks, blockSize)), blockSize },
    isDirty: (values.attributes & UNMOUNTED) === 0 || (values.attributes & INCONSISTENT) !== 0,
  };
  const catalog = {
    at: values.catalogStart * blockSize,
    bytes: Math.min(values.catalogBytes, values.catalogBlocks * blockSize),
  };
  return { found, more: treeOf(catalog, found) };
}

/** Where the catalog's first extent is, bytes. */
interface Catalog {
  readonly at: number;
  readonly bytes: number;
}

function treeOf(catalog: Catalog, found: Superblock): More {
  return {
    ...{ offset: catalog.at, length: 512 },
    take: (bytes) => {
      const { firstLeaf, nodeSize } = TREE.read(bytes);
      const at = firstLeaf * nodeSize;
      const isThere = isPowerOfTwo(nodeSize, 512, 32768) && at + nodeSize <= catalog.bytes;
      if (!isThere || firstLeaf === 0) return { found };
      return { found, more: nameOf(catalog.at + at, nodeSize, found) };
    },
  };
}

function nameOf(offset: number, length: number, found: Superblock): More {
  return {
    ...{ offset, length },
    take: (bytes) => {
      const { records, parent, letters } = LEAF.read(bytes);
      if (records === 0 || parent !== ROOT_PARENT || letters > MOST_LETTERS) return { found };
      const label = wideTextAt(bytes, NAME_AT, letters * 2, 'utf-16be');
      return { found: { ...found, label } };
    },
  };
}

/** The namespace that Apple makes such UUIDs in. */
const NAMESPACE = [
  0xb3, 0xe2, 0x0f, 0x39, 0xf2, 0x92, 0x11, 0xd6, 0x97, 0xa4, 0x00, 0x30, 0x65, 0x43, 0xec, 0xac,
];

/** A UUID of version 3 made of the eight bytes that the volume has; '' where it has none. */
function finderUuid(id: Uint8Array): string {
  if (id.every((byte) => byte === 0)) return '';
  const uuid = digest('md5', Uint8Array.of(...NAMESPACE, ...id)).slice(0, 16);
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x30;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuidText(uuid);
}
