/** The structures of an expandable Parallels image as a tree. */
import { SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { Changes, FieldKeys, Part, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import { HEADER, HEADER_BYTES, IN_USE, MAGIC_NEW, MAGIC_OLD, VERSION } from './layout.ts';

const MEANINGS = {
  'parallels.header': ['What the image is, and how long its clusters are', ''],
  'parallels.magic': ['Marks the file, and says in which unit the table counts', ''],
  'parallels.bat': ['Where each cluster of the disk is', ''],
  'parallels.cluster': ['Where a cluster of data is', ''],
  'parallels.unallocated': ['Never written: zeros', ''],
} as const;

export type ParallelsStructureKey = keyof typeof MEANINGS | FieldKeys<'parallels', typeof HEADER>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const bytes = await readPadded(storage, 0, HEADER_BYTES);
  const { tracks, entries: count } = HEADER.read(bytes);
  const magic = textValue(bytes.subarray(0, MAGIC_NEW.length));
  const length = tracks * SECTOR;
  const unit = magic.text === MAGIC_NEW ? length : SECTOR;
  const bat: PointerTable = {
    ...{ step: 'bat', told: told('parallels.bat'), storage, offset: HEADER_BYTES, count },
    ...{ bits: 32, order: 'little' },
    entry: (_, low, index) => {
      const guest = index * length;
      if (low === 0) return { told: told('parallels.unallocated'), guest };
      return { told: told('parallels.cluster'), guest, target: { offset: low * unit, length } };
    },
  };
  const explain = (name: string, value: number): Changes | undefined => {
    if (name === 'version') return { doubtful: value !== VERSION };
    if (name === 'inUse') return { value: { bits: value === IN_USE ? ['in use'] : [] } };
    if (name !== 'dataOffset' && name !== 'extension') return undefined;
    const target = { space: 'file' as const, offset: value * SECTOR };
    return { value: value === 0 ? {} : { target, means: `0x${target.offset.toString(16)}` } };
  };
  const options = { prefix: 'parallels', section: '', little: true, explain };
  const parts: Part[] = [
    part(
      'magic',
      told('parallels.magic'),
      { offset: 0, length: MAGIC_NEW.length },
      {
        value: magic,
        doubtful: magic.text !== MAGIC_NEW && magic.text !== MAGIC_OLD,
      },
    ),
    ...fieldParts(HEADER, bytes, 0, options),
  ];
  const place = { offset: 0, length: HEADER_BYTES };
  const header = part('header', told('parallels.header'), place, { below: listed(parts) });
  return withTables([header], [bat]);
}
