/**
 * Mapping tables and refcounts as nodes. Specification: «Cluster mapping», «Host cluster
 * management».
 */
import { hex64, isAligned, TWO_32 } from '../../binary/units.ts';
import type { Storage } from '../../storage/storage.ts';
import {
  entries,
  facets,
  fitting,
  listed,
  part,
  pointer,
  type Part,
  type StructureValue,
} from '../structure.ts';
import type { Header } from './header.ts';
import { LIMITS } from './layout.ts';
import { compressedLayout, compressedLength, compressedOffset } from './mapping.ts';
import { exactRefcountAt } from './refcounts.ts';
import { told } from './structure-meanings.ts';
import { COMPRESSED_HIGH, COPIED_HIGH, entryOffset, ZERO_LOW } from './tables.ts';

/** The file that is looked at. */
export interface Looked {
  readonly storage: Storage;
  readonly header: Header;
}

/** Bits 56 to 62 of an L1 entry, and 0 to 8. */
const L1_RESERVED_HIGH = 0x7f000000;
const L1_RESERVED_LOW = 0x1ff;
/** Bits 56 to 61 of an entry of a standard cluster, and 1 to 8. */
const L2_RESERVED_HIGH = 0x3f000000;
const L2_RESERVED_LOW = 0x1fe;

/** Whether something of a cluster's alignment can be at a place of the file. */
export function isPlace({ storage, header }: Looked, offset: number): boolean {
  return isAligned(offset, header.clusterSize) && offset < storage.size;
}

/** An L1 table, that of the disk or that of a snapshot. */
export function l1Part(looked: Looked, table: L1Place): Part {
  const { storage, header } = looked;
  const { offset, size, diskSize, key } = table;
  const count = fitting(storage, offset, Math.min(size, LIMITS.l1Bytes / 8), 64);
  const needed = Math.ceil(diskSize / header.l2Coverage);
  const isSound = (size === 0 || isPlace(looked, offset)) && count === size && size >= needed;
  return part(
    'l1',
    told(key),
    { offset, length: count * 8 },
    {
      doubtful: !isSound,
      below: entries({
        ...{ storage, offset, count, bits: 64 },
        make: (index, bytes, at) => l1Entry(looked, index, wordsOf(bytes, at), offset + index * 8),
      }),
    },
  );
}

export interface L1Place {
  readonly key: 'qcow2.l1' | 'qcow2.snapshot.l1';
  readonly offset: number;
  /** Entries, as the image says. */
  readonly size: number;
  /** Of the disk that it maps, bytes. */
  readonly diskSize: number;
}

export type Words = readonly [high: number, low: number];

export function wordsOf(bytes: Uint8Array, at: number): Words {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
  return [view.getUint32(0), view.getUint32(4)];
}

function l1Entry(looked: Looked, index: number, [high, low]: Words, offset: number): Part {
  const { header } = looked;
  const l2 = entryOffset(high, low);
  const guest = index * header.l2Coverage;
  const reserved = (high & L1_RESERVED_HIGH) !== 0 || (low & L1_RESERVED_LOW) !== 0;
  const place = { offset, length: 8 };
  const isThere = l2 !== 0 && l2 < looked.storage.size;
  const below = [guestPart(guest, place)];
  if (isThere) below.push(l2Part(looked, l2, guest));
  const bits = [
    ...((high & COPIED_HIGH) === 0 ? [] : ['COPIED']),
    ...(reserved ? ['reserved'] : []),
  ];
  return part(String(index), told(l2 === 0 ? 'qcow2.l1.unallocated' : 'qcow2.l1.entry'), place, {
    value: { ...pointing(high, low, l2), bits },
    doubtful: reserved || (l2 !== 0 && !isPlace(looked, l2)),
    below: facets(below),
  });
}

/** The whole entry as it stands there, and where its offset leads. */
function pointing(high: number, low: number, offset: number): Partial<StructureValue> {
  const text = `0x${hex64(high, low)}`;
  const isPointer = offset > 0 && Number.isSafeInteger(offset);
  const means = isPointer ? `0x${offset.toString(16)}` : '';
  return {
    style: 'bits',
    text,
    means: means === text ? '' : means,
    target: isPointer ? { space: 'file', offset } : undefined,
  };
}

function guestPart(guest: number, place: { offset: number; length: number }): Part {
  const text = `0x${guest.toString(16)}`;
  return part('guest_offset', told('qcow2.guest_offset'), place, {
    value: { style: 'offset', text, target: { space: 'guest', offset: guest } },
  });
}

/** @param guest of the first entry, bytes */
function l2Part(looked: Looked, offset: number, guest: number): Part {
  const { storage, header } = looked;
  const bits = (header.clusterSize / header.l2Entries) * 8;
  const count = fitting(storage, offset, header.l2Entries, bits);
  return part(
    'l2',
    told('qcow2.l2'),
    { offset, length: (count * bits) / 8 },
    {
      doubtful: count < header.l2Entries || !isPlace(looked, offset),
      below: entries({
        ...{ storage, offset, count, bits },
        make: (index, bytes, at) => {
          const entry = {
            guest: guest + index * header.clusterSize,
            place: { offset: offset + (index * bits) / 8, length: bits / 8 },
            subclusters: header.extendedL2 ? wordsOf(bytes, at + 8) : undefined,
          };
          return l2Entry(looked, index, wordsOf(bytes, at), entry);
        },
      }),
    },
  );
}

interface L2Entry {
  /** Bytes. */
  readonly guest: number;
  readonly place: { offset: number; length: number };
  /** Bits of zeros, and of data; undefined where entries are not extended. */
  readonly subclusters: Words | undefined;
}

function l2Entry(looked: Looked, index: number, words: Words, entry: L2Entry): Part {
  const [high, low] = words;
  if ((high & COMPRESSED_HIGH) !== 0) return packedEntry(looked, index, words, entry);
  const { header } = looked;
  const { guest, place, subclusters } = entry;
  const { hasDataFile, version } = header;
  const host = entryOffset(high, low);
  const copied = (high & COPIED_HIGH) !== 0;
  const inFile = host !== 0 || (hasDataFile && copied);
  const zero = (low & ZERO_LOW) !== 0;
  const isZero = zero && subclusters === undefined && version > 2;
  const reserved =
    (high & L2_RESERVED_HIGH) !== 0 || (low & L2_RESERVED_LOW) !== 0 || (zero && !isZero);
  const isPlaced = hasDataFile ? host === guest : isPlace(looked, host);
  const below = [guestPart(guest, place)];
  const where = hasDataFile ? 'qcow2.l2.data_file_offset' : 'qcow2.l2.host_offset';
  if (inFile) below.push(hostPart(where, host, place));
  if (subclusters !== undefined) below.push(...subclusterParts(subclusters, place.offset));
  const bits = [
    ...(copied ? ['COPIED'] : []),
    ...(isZero ? ['zero'] : []),
    ...(reserved ? ['reserved'] : []),
  ];
  const value = pointing(high, low, host);
  const key =
    subclusters === undefined ? kindOf(inFile, isZero) : subclusterKind(subclusters, inFile);
  return part(String(index), told(key), place, {
    value: { ...value, bits, ...(hasDataFile ? { target: undefined } : {}) },
    doubtful:
      reserved ||
      (inFile && !isPlaced) ||
      (subclusters !== undefined && isOdd(subclusters, inFile)),
    below: facets(below),
  });
}

function kindOf(inFile: boolean, isZero: boolean) {
  if (isZero) return inFile ? 'qcow2.l2.zero_held' : 'qcow2.l2.zero';
  return inFile ? 'qcow2.l2.standard' : 'qcow2.l2.unallocated';
}

const ALL_ONES = 0xffffffff;

function subclusterKind([zeros, allocated]: Words, inFile: boolean) {
  if (allocated === ALL_ONES) return 'qcow2.l2.standard';
  if (zeros === ALL_ONES) return inFile ? 'qcow2.l2.zero_held' : 'qcow2.l2.zero';
  return allocated === 0 && zeros === 0 && !inFile
    ? 'qcow2.l2.unallocated'
    : 'qcow2.l2.subclusters';
}

/** A subcluster has data and reads as zeros, or there is no place for its data. */
function isOdd([zeros, allocated]: Words, inFile: boolean): boolean {
  return (zeros & allocated) !== 0 || (allocated !== 0 && !inFile);
}

function hostPart(
  key: 'qcow2.l2.host_offset' | 'qcow2.l2.data_file_offset' | 'qcow2.l2.packed_offset',
  host: number,
  place: { offset: number; length: number },
): Part {
  const value = pointer(Math.floor(host / TWO_32), host % TWO_32);
  const isElsewhere = key === 'qcow2.l2.data_file_offset';
  return part(
    key.slice('qcow2.l2.'.length),
    told(key),
    { ...place, length: 8 },
    {
      value: isElsewhere ? { ...value, target: undefined } : value,
    },
  );
}

/** Which subclusters each bitmap has, as runs of their numbers. */
function subclusterParts([zeros, allocated]: Words, offset: number): Part[] {
  return [
    part(
      'allocated',
      told('qcow2.l2.allocated'),
      { offset: offset + 12, length: 4 },
      {
        value: { style: 'bits', text: `0x${hex64(0, allocated)}`, means: runsOf(allocated) },
      },
    ),
    part(
      'zeros',
      told('qcow2.l2.zeros'),
      { offset: offset + 8, length: 4 },
      {
        value: { style: 'bits', text: `0x${hex64(0, zeros)}`, means: runsOf(zeros) },
      },
    ),
  ];
}

/** The numbers of the bits that are set: `0-3, 8`. */
function runsOf(word: number): string {
  const runs: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if (((word >>> bit) & 1) === 0) continue;
    const first = bit;
    while (bit < 31 && ((word >>> (bit + 1)) & 1) === 1) bit++;
    runs.push(first === bit ? String(bit) : `${String(first)}-${String(bit)}`);
  }
  return runs.join(', ');
}

function packedEntry(looked: Looked, index: number, [high, low]: Words, entry: L2Entry): Part {
  const { header, storage } = looked;
  const { guest, place, subclusters } = entry;
  const layout = compressedLayout(header.clusterBits);
  const host = compressedOffset(layout, high, low);
  const sectors = (high & 0x3fffffff) >>> layout.sectorShift;
  const bytes = compressedLength(layout, high, low);
  const below = [
    guestPart(guest, place),
    hostPart('qcow2.l2.packed_offset', host, place),
    part(
      'packed_sectors',
      told('qcow2.l2.packed_sectors'),
      { ...place, length: 8 },
      {
        value: { style: 'count', text: String(sectors), means: `${String(bytes)} B` },
      },
    ),
  ];
  const copied = (high & COPIED_HIGH) !== 0;
  const bitmaps = subclusters !== undefined && (subclusters[0] !== 0 || subclusters[1] !== 0);
  if (subclusters !== undefined) below.push(...subclusterParts(subclusters, place.offset));
  return part(String(index), told('qcow2.l2.compressed'), place, {
    value: { ...pointing(high, low, host), bits: [...(copied ? ['COPIED'] : []), 'compressed'] },
    doubtful: copied || bitmaps || header.hasDataFile || host === 0 || host >= storage.size,
    below: facets(below),
  });
}

/** The refcount table. */
export function refcountsPart(looked: Looked): Part {
  const { storage, header } = looked;
  const { refcountTableOffset: offset, refcountTableClusters, clusterSize } = header;
  const size = (refcountTableClusters * clusterSize) / 8;
  const count = fitting(storage, offset, Math.min(size, LIMITS.refcountTableBytes / 8), 64);
  return part(
    'refcounts',
    told('qcow2.refcounts'),
    { offset, length: count * 8 },
    {
      doubtful: count === 0 || count < size || !isPlace(looked, offset),
      below: entries({
        ...{ storage, offset, count, bits: 64 },
        make: (index, bytes, at) =>
          blockEntry(looked, index, wordsOf(bytes, at), offset + index * 8),
      }),
    },
  );
}

function blockEntry(looked: Looked, index: number, [high, low]: Words, offset: number): Part {
  const { storage } = looked;
  const block = high * TWO_32 + ((low & 0xfffffe00) >>> 0);
  const reserved = (low & 0x1ff) !== 0;
  const key = block === 0 ? 'qcow2.refcounts.none' : 'qcow2.refcounts.entry';
  const isThere = block !== 0 && block < storage.size;
  return part(
    String(index),
    told(key),
    { offset, length: 8 },
    {
      value: { ...pointing(high, low, block), bits: reserved ? ['reserved'] : [] },
      doubtful: reserved || (block !== 0 && !isPlace(looked, block)),
      below: isThere ? listed([blockPart(looked, index, block)]) : undefined,
    },
  );
}

function blockPart(looked: Looked, table: number, offset: number): Part {
  const { storage, header } = looked;
  const { clusterSize, refcountBits: bits } = header;
  const all = (clusterSize * 8) / bits;
  const count = fitting(storage, offset, all, bits);
  const make = (index: number, bytes: Uint8Array, at: number): Part => {
    const first = (table * all + index) * clusterSize;
    // An entry below a byte counts from the beginning of its byte.
    const within = bits < 8 ? index % (8 / bits) : 0;
    const text = String(exactRefcountAt(bytes.subarray(at), bits, within));
    const place = {
      offset: offset + Math.floor((index * bits) / 8),
      length: Math.max(1, bits / 8),
    };
    return part(String(index), told('qcow2.refcount'), place, {
      value: { style: 'count', text, target: { space: 'file', offset: first } },
      doubtful: text !== '0' && first >= storage.size && bits < 64,
    });
  };
  return part(
    'block',
    told('qcow2.refcounts.block'),
    { offset, length: (count * bits) / 8 },
    {
      doubtful: count < all || !isPlace(looked, offset),
      below: entries({ storage, offset, count, bits, make }),
    },
  );
}
