/** The structures of a qcow file of version 1 as a tree. */
import { divideRoundUp, powerOfTwo, TWO_32 } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, sizeOfBits, textValue } from '../structure.ts';
import type { Changes, FieldKeys, Part, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import { COMPRESSED_HIGH, HEADER, packedLayout, packedLength, packedOffset } from './layout.ts';

const MEANINGS = {
  'qcow.header': ['What the image is, and where its tables are', ''],
  'qcow.backing': ['Name of the backing file, as it stands in the image', ''],
  'qcow.l1': ['Where the L2 tables are', ''],
  'qcow.l1.entry': ['Where an L2 table is', ''],
  'qcow.l1.unallocated': ['No L2 table: nothing of this stretch is in the image', ''],
  'qcow.l2': ['Where the clusters of a stretch of the disk are', ''],
  'qcow.l2.entry': ['Where a cluster of data is', ''],
  'qcow.l2.compressed': ['Where a compressed cluster is, and how long it is', ''],
  'qcow.l2.unallocated': ['Not in this image: the backing file has it, or it is zeros', ''],
} as const;

export type QcowStructureKey = keyof typeof MEANINGS | FieldKeys<'qcow.header', typeof HEADER>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);
/** No name is longer. */
const NAME_BYTES = 1024;

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const bytes = await readPadded(storage, 0, HEADER.size);
  const { clusterBits, l2Bits, size, l1TableOffset, ...fields } = HEADER.read(bytes);
  const clusterSize = powerOfTwo(clusterBits);
  const l2Entries = powerOfTwo(l2Bits);
  const layout = packedLayout(clusterBits);
  const common = { storage, bits: 64, order: 'big' } as const;
  const l2 = (offset: number, first: number): PointerTable => ({
    ...{ ...common, step: 'l2', told: told('qcow.l2'), offset, count: l2Entries },
    entry: (high, low, index) => {
      const guest = first + index * clusterSize;
      const isPacked = (high & COMPRESSED_HIGH) !== 0;
      const host = isPacked ? packedOffset(layout, high, low) : high * TWO_32 + low;
      if (host === 0) return { told: told('qcow.l2.unallocated'), guest };
      const length = isPacked ? packedLength(layout, high) : clusterSize;
      const target = { offset: host, length };
      if (!isPacked) return { told: told('qcow.l2.entry'), guest, target };
      return { told: told('qcow.l2.compressed'), guest, target, bits: ['compressed'] };
    },
  });
  const l1: PointerTable = {
    ...{ ...common, step: 'l1', told: told('qcow.l1'), offset: l1TableOffset },
    count: divideRoundUp(size, clusterSize * l2Entries),
    entry: (high, low, index) => {
      const guest = index * clusterSize * l2Entries;
      const target = { offset: high * TWO_32 + low, length: l2Entries * 8 };
      if (target.offset === 0) return { told: told('qcow.l1.unallocated'), guest };
      return { told: told('qcow.l1.entry'), guest, target, table: l2(target.offset, guest) };
    },
  };
  const name = { offset: fields.backingNameOffset, length: fields.backingNameSize };
  const hasName = name.offset > 0 && name.length > 0 && name.length < NAME_BYTES;
  const text = hasName ? await readPadded(storage, name.offset, name.length) : undefined;
  const backing = text && part('backing', told('qcow.backing'), name, { value: textValue(text) });
  return withTables([headerPart(bytes), backing], [l1]);
}

function headerPart(bytes: Uint8Array): Part {
  const explain = (name: string, value: number): Changes | undefined => {
    if (name === 'clusterBits') return { value: { means: sizeOfBits(value) } };
    if (name === 'l2Bits') return { value: { means: String(powerOfTwo(value)) } };
    if (name === 'cryptMethod')
      return { value: { style: 'enum', means: value === 1 ? 'AES' : '' } };
    return undefined;
  };
  const options = { prefix: 'qcow.header', section: '', explain };
  const below = listed(fieldParts(HEADER, bytes, 0, options));
  return part('header', told('qcow.header'), { offset: 0, length: HEADER.size }, { below });
}
