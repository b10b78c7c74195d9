/** The structures of a DMG as a tree: its trailer, and where the rest is. */
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { FieldKeys, Part, Place, Structures } from '../structure.ts';
import { KOLY, KOLY_BYTES, KOLY_TEXT } from './layout.ts';

const MEANINGS = {
  'dmg.koly': ['The trailer: what the image is, and where its tables are', ''],
  'dmg.data': ['The chunks, packed', ''],
  'dmg.xml': ['The property list, with the tables of chunks', ''],
  'dmg.resources': ['The resource fork, with the tables of old images', ''],
} as const;

export type DmgStructureKey = keyof typeof MEANINGS | FieldKeys<'dmg.koly', typeof KOLY>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const at = Math.max(0, storage.size - KOLY_BYTES);
  const bytes = await readPadded(storage, at, KOLY_BYTES);
  const fields = KOLY.read(bytes);
  const below = listed(fieldParts(KOLY, bytes, at, { prefix: 'dmg.koly', section: '' }));
  const parts: (Part | undefined)[] = [
    part(
      'koly',
      told('dmg.koly'),
      { offset: at, length: KOLY_BYTES },
      {
        doubtful: textValue(bytes.subarray(0, KOLY_TEXT.length)).text !== KOLY_TEXT,
        below,
      },
    ),
    areaPart('data', storage, { offset: fields.dataOffset, length: fields.dataLength }),
    areaPart('xml', storage, { offset: fields.xmlOffset, length: fields.xmlLength }),
    areaPart('resources', storage, {
      offset: fields.resourceOffset,
      length: fields.resourceLength,
    }),
  ];
  const top = listed(parts.filter((one) => one !== undefined));
  return { top, idAt: () => Promise.resolve('') };
}

function areaPart(
  step: 'data' | 'xml' | 'resources',
  storage: Storage,
  place: Place,
): Part | undefined {
  if (place.length === 0) return undefined;
  const doubtful = place.offset + place.length > storage.size;
  return part(step, told(`dmg.${step}`), place, { doubtful });
}
