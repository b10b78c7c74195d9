/** The structures of a compressed loop image as a tree. */
import { TWO_32 } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { FieldKeys, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import { HEADER, OFFSETS_AT, PREAMBLE_BYTES } from './layout.ts';

const MEANINGS = {
  'cloop.header': ['What the image is, and how long its blocks are', ''],
  'cloop.preamble': ['A script that would mount the image', ''],
  'cloop.offsets': ['Where each packed block begins, and where the last one ends', ''],
  'cloop.offset': ['Where a packed block begins', ''],
} as const;

export type CloopStructureKey = keyof typeof MEANINGS | FieldKeys<'cloop', typeof HEADER>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const bytes = await readPadded(storage, 0, OFFSETS_AT);
  const { blockSize, blocks } = HEADER.read(bytes);
  const offsets: PointerTable = {
    ...{ step: 'offsets', told: told('cloop.offsets'), storage, offset: OFFSETS_AT },
    ...{ count: blocks + 1, bits: 64, order: 'big' },
    entry: (high, low, index) => {
      const entry = { told: told('cloop.offset'), guest: index * blockSize };
      // The last one is the end of the block before, often that of the file.
      if (index === blocks) return entry;
      return { ...entry, target: { offset: high * TWO_32 + low, length: 1 } };
    },
  };
  const preamble = { offset: 0, length: PREAMBLE_BYTES };
  const value = textValue(bytes.subarray(0, PREAMBLE_BYTES));
  const parts = [
    part('preamble', told('cloop.preamble'), preamble, { value }),
    ...fieldParts(HEADER, bytes, 0, { prefix: 'cloop', section: '' }),
  ];
  const place = { offset: 0, length: OFFSETS_AT };
  const header = part('header', told('cloop.header'), place, { below: listed(parts) });
  return withTables([header], [offsets]);
}
