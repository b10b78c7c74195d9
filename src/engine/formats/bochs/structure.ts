/** The structures of a growing disk image of Bochs as a tree. */
import { SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { FieldKeys, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import { HEADER_1, HEADER_2, HEADER_BYTES, UNALLOCATED, VERSION_1 } from './layout.ts';

const MEANINGS = {
  'bochs.header': ['What the image is, and how long its extents are', ''],
  'bochs.magic': ['Marks the file as an image of Bochs', ''],
  'bochs.type': ['The kind of image, and of which kind of those', ''],
  'bochs.catalog': ['Where each extent of the disk is', ''],
  'bochs.extent': ['The number of the extent in the file; its bitmap comes first', ''],
  'bochs.unallocated': ['Never written: zeros', ''],
} as const;

export type BochsStructureKey =
  | keyof typeof MEANINGS
  | FieldKeys<'bochs.header', typeof HEADER_1>
  | FieldKeys<'bochs.header', typeof HEADER_2>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);
const NAME_BYTES = 32;
const TYPE_BYTES = 16;

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const bytes = await readPadded(storage, 0, HEADER_BYTES);
  const { version, header, catalog: count, bitmap, extent } = HEADER_1.read(bytes);
  const offset = header;
  const stride = Math.max(1, Math.ceil(bitmap / SECTOR)) * SECTOR + extent;
  const catalog: PointerTable = {
    ...{ step: 'catalog', told: told('bochs.catalog'), storage, offset, count },
    ...{ bits: 32, order: 'little' },
    entry: (_, low, index) => {
      const guest = index * extent;
      if (low === UNALLOCATED) return { told: told('bochs.unallocated'), guest };
      const target = { offset: header + count * 4 + low * stride, length: stride };
      return { told: told('bochs.extent'), guest, target, doubtful: low >= count };
    },
  };
  const table = version === VERSION_1 ? HEADER_1 : HEADER_2;
  const texts: [step: string, key: keyof typeof MEANINGS, at: number, length: number][] = [
    ['magic', 'bochs.magic', 0, NAME_BYTES],
    ['type', 'bochs.type', NAME_BYTES, TYPE_BYTES],
    ['subtype', 'bochs.type', NAME_BYTES + TYPE_BYTES, TYPE_BYTES],
  ];
  const parts = texts.map(([step, key, at, length]) =>
    part(
      step,
      told(key),
      { offset: at, length },
      {
        value: textValue(bytes.subarray(at, at + length)),
      },
    ),
  );
  parts.push(...fieldParts(table, bytes, 0, { prefix: 'bochs.header', section: '', little: true }));
  const place = { offset: 0, length: HEADER_BYTES };
  const top = part('header', told('bochs.header'), place, { below: listed(parts) });
  return withTables([top], [catalog]);
}
