/** The structures of a QED file as a tree. */
import { TWO_32 } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { Changes, FieldKeys, Part, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import { HEADER, MAGIC } from './layout.ts';

const HEADER_SECTION = 'Specification';
const TABLES_SECTION = 'Tables';

const MEANINGS = {
  'qed.header': ['What the image is, and where its tables are', HEADER_SECTION],
  'qed.backing': ['Name of the backing file, as it stands in the image', HEADER_SECTION],
  'qed.l1': ['Where the L2 tables are', TABLES_SECTION],
  'qed.l1.entry': ['Where an L2 table is', TABLES_SECTION],
  'qed.l1.unallocated': ['No L2 table: nothing of this stretch is in the image', TABLES_SECTION],
  'qed.l2': ['Where the clusters of a stretch of the disk are', TABLES_SECTION],
  'qed.l2.entry': ['Where a cluster of data is', TABLES_SECTION],
  'qed.l2.zero': ['Reads as zeros, and takes no room', TABLES_SECTION],
  'qed.l2.unallocated': [
    'Not in this image: the backing file has it, or it is zeros',
    TABLES_SECTION,
  ],
} as const;

export type QedStructureKey = keyof typeof MEANINGS | FieldKeys<'qed.header', typeof HEADER>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);
const FEATURES = ['backing file', 'need check', 'backing format no probe'];
/** No name is longer. */
const NAME_BYTES = 4096;

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const bytes = await readPadded(storage, 0, HEADER.size);
  const { clusterSize, tableSize, l1TableOffset: offset, features, ...fields } = HEADER.read(bytes);
  const tableBytes = clusterSize * tableSize;
  const count = tableBytes / 8;
  const common = { storage, count, bits: 64, order: 'little' } as const;
  const l2 = (at: number, first: number): PointerTable => ({
    ...{ ...common, step: 'l2', told: told('qed.l2'), offset: at },
    entry: (high, low, index) => {
      const target = { offset: high * TWO_32 + low, length: clusterSize };
      const guest = first + index * clusterSize;
      if (target.offset === 0) return { told: told('qed.l2.unallocated'), guest };
      if (target.offset === 1) return { told: told('qed.l2.zero'), guest };
      const doubtful = target.offset % clusterSize !== 0;
      return { told: told('qed.l2.entry'), guest, target, doubtful };
    },
  });
  const l1: PointerTable = {
    ...{ ...common, step: 'l1', told: told('qed.l1'), offset },
    entry: (high, low, index) => {
      const target = { offset: high * TWO_32 + low, length: tableBytes };
      const guest = index * count * clusterSize;
      if (target.offset === 0) return { told: told('qed.l1.unallocated'), guest };
      const doubtful = target.offset % clusterSize !== 0;
      const table = l2(target.offset, guest);
      return { told: told('qed.l1.entry'), guest, target, table, doubtful };
    },
  };
  const name = { offset: fields.backingNameOffset, length: fields.backingNameSize };
  const hasName = (features & 1n) !== 0n && name.length > 0 && name.length < NAME_BYTES;
  const text = hasName ? await readPadded(storage, name.offset, name.length) : undefined;
  const backing = text && part('backing', told('qed.backing'), name, { value: textValue(text) });
  return withTables([headerPart(bytes, features), backing], [l1]);
}

function headerPart(bytes: Uint8Array, features: bigint): Part {
  const explain = (name: string, value: number): Changes | undefined => {
    if (name === 'magic') return { doubtful: value !== MAGIC };
    if (name !== 'features') return undefined;
    const bits: string[] = [];
    for (let bit = 0; bit < 64; bit++) {
      if (((features >> BigInt(bit)) & 1n) === 1n) bits.push(FEATURES[bit] ?? String(bit));
    }
    return { value: { bits } };
  };
  const options = { prefix: 'qed.header', section: HEADER_SECTION, little: true, explain };
  const below = listed(fieldParts(HEADER, bytes, 0, options));
  return part('header', told('qed.header'), { offset: 0, length: HEADER.size }, { below });
}
