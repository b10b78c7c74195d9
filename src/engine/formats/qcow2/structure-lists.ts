/** The snapshot table and the bitmap directory as nodes. «Snapshots», «Bitmaps». */
import { alignUp, hex64 } from '../../binary/units.ts';
import { readPadded } from '../../storage/storage.ts';
import { ReadWindow } from '../../storage/window.ts';
import {
  bytesValue,
  entries,
  fieldParts,
  fitting,
  listed,
  part,
  placed,
  sizeOfBits,
  textValue,
  type Changes,
  type Part,
  type Place,
} from '../structure.ts';
import {
  BITMAP_ENTRY,
  BITMAPS_EXTENSION,
  EXTENSION_TYPE,
  LIMITS,
  SNAPSHOT_ENTRY,
  SNAPSHOT_EXTRA,
} from './layout.ts';
import { told } from './structure-meanings.ts';
import { isPlace, l1Part, wordsOf, type Looked } from './structure-tables.ts';
import { entryOffset } from './tables.ts';

/** Entries one behind the other, as far as they make sense. */
interface Walk {
  readonly places: readonly Place[];
  readonly isWhole: boolean;
}

/**
 * Walks along entries that say how long they are.
 * @param end where the file or the table ends, bytes
 * @param sizeOf bytes of an entry by its fixed part; more than there is room for ends the walk
 */
async function walk(
  { storage }: Looked,
  table: { offset: number; end: number; count: number; fixed: number },
  sizeOf: (fixed: Uint8Array) => number,
): Promise<Walk> {
  const { offset, count, fixed } = table;
  const end = Math.min(table.end, storage.size);
  const window = new ReadWindow(storage, 0);
  const places: Place[] = [];
  let at = offset;
  while (places.length < count) {
    if (at + fixed > end) return { places, isWhole: false };
    const length = sizeOf(await window.read(at, fixed));
    // The last one is shown all the same, as far as its fixed part goes.
    const isThere = at + length <= end;
    places.push({ offset: at, length: isThere ? length : fixed });
    if (!isThere) return { places, isWhole: false };
    at += alignUp(length, 8);
  }
  return { places, isWhole: true };
}

/** The snapshots; undefined where there are none. */
export async function snapshotsPart(looked: Looked): Promise<Part | undefined> {
  const { snapshotCount, snapshotsOffset: offset } = looked.header;
  if (snapshotCount === 0) return undefined;
  const { places, isWhole } = await snapshotPlaces(looked);
  const last = places.at(-1);
  const length = last === undefined ? 0 : last.offset + last.length - offset;
  return part(
    'snapshots',
    told('qcow2.snapshots'),
    { offset, length },
    {
      doubtful: !isWhole || places.length !== snapshotCount || !isPlace(looked, offset),
      below: placed(places, (index) => snapshotPart(looked, index, places[index])),
    },
  );
}

/** Where the entries of the snapshot table are. */
export function snapshotPlaces(looked: Looked): Promise<Walk> {
  const { snapshotCount, snapshotsOffset: offset } = looked.header;
  const table = {
    offset,
    end: offset + LIMITS.snapshotTableBytes,
    count: Math.min(snapshotCount, LIMITS.snapshots),
    fixed: SNAPSHOT_ENTRY.size,
  };
  return walk(looked, table, (fixed) => {
    const { extraDataSize, idSize, nameSize } = SNAPSHOT_ENTRY.read(fixed);
    return SNAPSHOT_ENTRY.size + extraDataSize + idSize + nameSize;
  });
}

const NOWHERE: Place = { offset: 0, length: 0 };

async function snapshotPart(looked: Looked, index: number, place = NOWHERE): Promise<Part> {
  const { offset, length } = place;
  const bytes = await readPadded(looked.storage, offset, length);
  const entry = SNAPSHOT_ENTRY.read(bytes);
  const { size } = SNAPSHOT_ENTRY;
  const isShort = length < size + entry.extraDataSize + entry.idSize + entry.nameSize;
  const extra = bytes.subarray(size, size + entry.extraDataSize);
  const idAt = size + entry.extraDataSize;
  const id = bytes.subarray(idAt, idAt + entry.idSize);
  const name = bytes.subarray(idAt + entry.idSize, idAt + entry.idSize + entry.nameSize);
  const explain = (field: string, value: number): Changes | undefined => {
    if (field === 'l1TableOffset') return { doubtful: !isPlace(looked, value) };
    if (field === 'l1Size') return { doubtful: value * 8 > LIMITS.l1Bytes };
    if (field === 'extraDataSize')
      return { doubtful: isShort || value > LIMITS.snapshotExtraBytes };
    return undefined;
  };
  const options = { prefix: 'qcow2.snapshot', section: 'Snapshots', explain };
  const parts = fieldParts(SNAPSHOT_ENTRY, bytes, offset, options);
  const hasDiskSize = extra.length >= SNAPSHOT_EXTRA.fields.diskSize.offset + 8;
  const diskSize = hasDiskSize ? SNAPSHOT_EXTRA.read(extra).diskSize : looked.header.size;
  if (extra.length > 0) parts.push(extraPart(extra, offset + size));
  if (!isShort) {
    const texts: [step: 'id' | 'name', bytes: Uint8Array, at: number][] = [
      ['id', id, offset + idAt],
      ['name', name, offset + idAt + id.length],
    ];
    for (const [step, text, at] of texts) {
      const textPlace = { offset: at, length: text.length };
      parts.push(part(step, told(`qcow2.snapshot.${step}`), textPlace, { value: textValue(text) }));
    }
  }
  const { l1TableOffset, l1Size } = entry;
  const l1 = { offset: l1TableOffset, size: l1Size, diskSize };
  parts.push(l1Part(looked, { key: 'qcow2.snapshot.l1', ...l1 }));
  return part(String(index), told('qcow2.snapshot'), place, {
    value: { ...textValue(name), means: textValue(id).text },
    doubtful: isShort,
    below: listed(parts),
  });
}

function extraPart(bytes: Uint8Array, offset: number): Part {
  const place = { offset, length: bytes.length };
  const parts = fieldParts(SNAPSHOT_EXTRA, bytes, offset, {
    ...{ prefix: 'qcow2.snapshot.extra', section: 'Snapshots', length: bytes.length },
  });
  const known = parts.reduce((end, field) => Math.max(end, field.offset + field.length), offset);
  const left = offset + bytes.length - known;
  if (left > 0) {
    const value = bytesValue(bytes.subarray(known - offset));
    const rest = { offset: known, length: left };
    parts.push(part('rest', told('qcow2.snapshot.extra.rest'), rest, { value }));
  }
  return part('extra', told('qcow2.snapshot.extra'), place, { below: listed(parts) });
}

/** The bitmaps; undefined where there are none. */
export async function bitmapsPart(looked: Looked): Promise<Part | undefined> {
  const directory = bitmapDirectory(looked);
  if (directory === undefined) return undefined;
  const { offset, length, count } = directory;
  const { places, isWhole } = await bitmapPlaces(looked);
  return part(
    'bitmaps',
    told('qcow2.bitmaps'),
    { offset, length },
    {
      doubtful: !isWhole || places.length !== count || !isPlace(looked, offset),
      below: placed(places, (index) => bitmapPart(looked, index, places[index])),
    },
  );
}

function bitmapDirectory({ header }: Looked): (Place & { count: number }) | undefined {
  const extension = header.extensions.find(({ type }) => type === EXTENSION_TYPE.bitmaps);
  if (extension === undefined) return undefined;
  const { count, directoryOffset, directorySize } = BITMAPS_EXTENSION.read(extension.data);
  const length = Math.min(directorySize, LIMITS.bitmapDirectoryBytes);
  return { offset: directoryOffset, length, count };
}

/** Where the entries of the bitmap directory are. */
export async function bitmapPlaces(looked: Looked): Promise<Walk> {
  const directory = bitmapDirectory(looked);
  if (directory === undefined) return { places: [], isWhole: true };
  const { offset, length, count: stored } = directory;
  const count = Math.min(stored, LIMITS.bitmaps);
  const table = { offset, end: offset + length, count, fixed: BITMAP_ENTRY.size };
  return walk(looked, table, (fixed) => {
    const { nameSize, extraDataSize } = BITMAP_ENTRY.read(fixed);
    return BITMAP_ENTRY.size + nameSize + extraDataSize;
  });
}

const BITMAP_FLAGS = ['in_use', 'auto', 'extra_data_compatible'];

async function bitmapPart(looked: Looked, index: number, place = NOWHERE): Promise<Part> {
  const { offset, length } = place;
  const bytes = await readPadded(looked.storage, offset, length);
  const entry = BITMAP_ENTRY.read(bytes);
  const { size } = BITMAP_ENTRY;
  const isShort = length < size + entry.extraDataSize + entry.nameSize;
  const nameAt = size + entry.extraDataSize;
  const name = bytes.subarray(nameAt, nameAt + entry.nameSize);
  const parts = fieldParts(BITMAP_ENTRY, bytes, offset, {
    ...{ prefix: 'qcow2.bitmap', section: 'Bitmap directory entry' },
    explain: (field, value) => explainBitmap(looked, field, value),
  });
  if (entry.extraDataSize > 0 && !isShort) {
    const value = bytesValue(bytes.subarray(size, nameAt));
    const extra = { offset: offset + size, length: entry.extraDataSize };
    parts.push(part('extra', told('qcow2.bitmap.extra'), extra, { value }));
  }
  if (!isShort) {
    const at = { offset: offset + nameAt, length: name.length };
    parts.push(part('name', told('qcow2.bitmap.name'), at, { value: textValue(name) }));
  }
  parts.push(bitmapTable(looked, entry.tableOffset, entry.tableSize));
  return part(String(index), told('qcow2.bitmap'), place, {
    value: textValue(name),
    doubtful: isShort,
    below: listed(parts),
  });
}

function explainBitmap(looked: Looked, field: string, value: number): Changes | undefined {
  switch (field) {
    case 'tableOffset':
      return { doubtful: value === 0 || !isPlace(looked, value) };
    case 'tableSize':
      return { doubtful: value === 0 || value > LIMITS.bitmapTableEntries };
    case 'flags': {
      const bits = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => (value >>> bit) & 1);
      const names = bits.map((bit) => BITMAP_FLAGS[bit] ?? String(bit));
      return { value: { bits: names }, doubtful: value >= 8 };
    }
    case 'type':
      return { doubtful: value !== 1 };
    case 'granularityBits':
      return { value: { means: sizeOfBits(value) }, doubtful: value < 9 || value > 31 };
    case 'nameSize':
      return { doubtful: value === 0 || value > LIMITS.bitmapNameBytes };
    default:
      return undefined;
  }
}

function bitmapTable(looked: Looked, offset: number, size: number): Part {
  const { storage } = looked;
  const count = fitting(storage, offset, Math.min(size, LIMITS.bitmapTableEntries), 64);
  return part(
    'table',
    told('qcow2.bitmap.table'),
    { offset, length: count * 8 },
    {
      doubtful: count < size || !isPlace(looked, offset),
      below: entries({
        ...{ storage, offset, count, bits: 64 },
        make: (index, bytes, at) => {
          const [high, low] = wordsOf(bytes, at);
          const data = entryOffset(high, low);
          const reserved = high >>> 24 !== 0 || (low & (data === 0 ? 0x1fe : 0x1ff)) !== 0;
          const ones = (low & 1) !== 0 ? 'qcow2.bitmap.ones' : 'qcow2.bitmap.zeros';
          const place = { offset: offset + index * 8, length: 8 };
          return part(String(index), told(data === 0 ? ones : 'qcow2.bitmap.entry'), place, {
            value: {
              ...{ style: 'bits', text: `0x${hex64(high, low)}` },
              target: data === 0 ? undefined : { space: 'file', offset: data },
              bits: reserved ? ['reserved'] : [],
            },
            doubtful: reserved || (data !== 0 && !isPlace(looked, data)),
          });
        },
      }),
    },
  );
}
