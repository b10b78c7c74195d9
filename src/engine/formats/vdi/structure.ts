/** The structures of a VDI file as a tree. */
import { uuidText } from '../../binary/guid.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fieldParts, listed, meaningOf, part, textValue } from '../structure.ts';
import type { Changes, FieldKeys, Part, Structures } from '../structure.ts';
import { withTables, type PointerTable } from '../structure-pointers.ts';
import {
  HEADER,
  HEADER_BYTES,
  SIGNATURE,
  TEXT_BYTES,
  TYPE_DIFFERENCING,
  UNALLOCATED,
  UUID_AT,
  VERSION_1_1,
  ZERO,
} from './layout.ts';

const MEANINGS = {
  'vdi.header': ['What the image is, and where its blocks are', ''],
  'vdi.text': ['A text without a meaning', ''],
  'vdi.image_uuid': ['The UUID of the image', ''],
  'vdi.modification_uuid': ['Another one each time that the content changes', ''],
  'vdi.parent_uuid': ['The UUID of the parent; zeros: there is none', ''],
  'vdi.parent_modification_uuid': ['The modification of the parent that this was made over', ''],
  'vdi.map': ['Where each block of the disk is', ''],
  'vdi.block': ['The number of the block in the file', ''],
  'vdi.unallocated': ['Never written: zeros, or what the parent has', ''],
  'vdi.zero': ['Zeros, whatever the parent has', ''],
} as const;

export type VdiStructureKey = keyof typeof MEANINGS | FieldKeys<'vdi', typeof HEADER>;

const told = (key: keyof typeof MEANINGS) => meaningOf(MEANINGS, key);

/** @throws ImageError those of reading */
export async function structuresOf(storage: Storage): Promise<Structures> {
  const bytes = await readPadded(storage, 0, HEADER_BYTES);
  const { mapOffset, dataOffset, blockSize, blockExtra, blocks } = HEADER.read(bytes);
  const stride = blockSize + blockExtra;
  const map: PointerTable = {
    ...{ step: 'map', told: told('vdi.map'), storage, offset: mapOffset, count: blocks },
    ...{ bits: 32, order: 'little' },
    entry: (_, low, index) => {
      const guest = index * blockSize;
      if (low === UNALLOCATED) return { told: told('vdi.unallocated'), guest };
      if (low === ZERO) return { told: told('vdi.zero'), guest };
      const target = { offset: dataOffset + low * stride, length: stride };
      return { told: told('vdi.block'), guest, target, doubtful: low >= blocks };
    },
  };
  return withTables([headerPart(bytes, storage.size)], [map]);
}

const TYPES = ['', 'dynamic', 'static', 'undo', 'differencing'];

function headerPart(bytes: Uint8Array, fileSize: number): Part {
  const explain = (name: string, value: number): Changes | undefined => {
    if (name === 'signature') return { doubtful: value !== SIGNATURE };
    if (name === 'version') return { doubtful: value !== VERSION_1_1 };
    if (name === 'type') {
      const isKnown = value > 0 && value <= TYPE_DIFFERENCING;
      return { value: { style: 'enum', means: TYPES[value] ?? '' }, doubtful: !isKnown };
    }
    if (name === 'mapOffset') return { doubtful: value >= fileSize };
    return undefined;
  };
  const text = { offset: 0, length: TEXT_BYTES };
  const parts = [
    part('text', told('vdi.text'), text, { value: textValue(bytes.subarray(0, TEXT_BYTES)) }),
    ...fieldParts(HEADER, bytes, 0, { prefix: 'vdi', section: '', little: true, explain }),
    uuidPart(bytes, 'image', 'vdi.image_uuid'),
    uuidPart(bytes, 'modification', 'vdi.modification_uuid'),
    uuidPart(bytes, 'parent', 'vdi.parent_uuid'),
    uuidPart(bytes, 'parentModification', 'vdi.parent_modification_uuid'),
  ];
  const place = { offset: 0, length: HEADER_BYTES };
  return part('header', told('vdi.header'), place, { below: listed(parts) });
}

function uuidPart(bytes: Uint8Array, at: keyof typeof UUID_AT, key: keyof typeof MEANINGS): Part {
  const value = { style: 'hex' as const, text: uuidText(bytes, UUID_AT[at]) };
  return part(key.slice('vdi.'.length), told(key), { offset: UUID_AT[at], length: 16 }, { value });
}
