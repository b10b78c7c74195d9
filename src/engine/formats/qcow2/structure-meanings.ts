/** What the structures of a qcow2 file mean, where no field table says it, and in which section. */
import { meaningOf, type FieldKeys, type Told } from '../structure.ts';
import type {
  BITMAP_ENTRY,
  BITMAPS_EXTENSION,
  CRYPTO_EXTENSION,
  EXTENSION,
  HEADER_COMPRESSION,
  HEADER_V2,
  HEADER_V3,
  SNAPSHOT_ENTRY,
  SNAPSHOT_EXTRA,
} from './layout.ts';

const HEADER = 'Header';
const EXTENSIONS = 'Header extensions';
const MAPPING = 'Cluster mapping';
const REFCOUNTS = 'Host cluster management';
const SNAPSHOTS = 'Snapshots';
const BITMAPS = 'Bitmaps';

const MEANINGS = {
  'qcow2.header': ['What the image is, and where its tables are', HEADER],
  'qcow2.header.rest': ['Fills the header up, or is a field of a later version', HEADER],
  'qcow2.backing': ['Name of the backing file, as it stands in the image', HEADER],
  'qcow2.extensions': ['What not every image has to say, one after the other', EXTENSIONS],
  'qcow2.extension.backing_format': ['The format of the backing file', EXTENSIONS],
  'qcow2.extension.data_file': ['The name of the external data file', EXTENSIONS],
  'qcow2.extension.feature_names': [
    'Names of feature bits, for readers that do not know them',
    'Feature name table',
  ],
  'qcow2.extension.bitmaps': ['How many bitmaps there are, and where', 'Bitmaps extension'],
  'qcow2.extension.crypto': ['Where the LUKS header is', 'Full disk encryption header pointer'],
  'qcow2.extension.unknown': ['An extension that this reader does not know', EXTENSIONS],
  'qcow2.extension.end': ['Ends the extensions', EXTENSIONS],
  'qcow2.extension.data': ['What the extension holds', EXTENSIONS],
  'qcow2.feature_name': ['The name of one feature bit', 'Feature name table'],
  'qcow2.crypto': [
    'The LUKS header, and behind it the key material',
    'Full disk encryption header pointer',
  ],
  'qcow2.l1': ['Where the L2 tables of the disk are', MAPPING],
  'qcow2.l1.entry': ['Where an L2 table is', MAPPING],
  'qcow2.l1.unallocated': ['No L2 table: nothing of this stretch is in the image', MAPPING],
  'qcow2.guest_offset': ['Where this begins on the disk that the guest sees', MAPPING],
  'qcow2.l2': ['Where the clusters of a stretch of the disk are', MAPPING],
  'qcow2.l2.standard': ['A cluster of data, as it is', MAPPING],
  'qcow2.l2.compressed': ['A compressed cluster', MAPPING],
  'qcow2.l2.zero': ['Reads as zeros, and takes no room', MAPPING],
  'qcow2.l2.zero_held': ['Reads as zeros, and holds a cluster of the file', MAPPING],
  'qcow2.l2.unallocated': ['Not in this image: the backing file has it, or it is zeros', MAPPING],
  'qcow2.l2.subclusters': [
    'A cluster of which each subcluster has a state of its own',
    'Extended L2 Entries',
  ],
  'qcow2.l2.host_offset': ['Where the data is in the file', MAPPING],
  'qcow2.l2.data_file_offset': ['Where the data is in the external data file', MAPPING],
  'qcow2.l2.packed_offset': ['Where the compressed data begins', MAPPING],
  'qcow2.l2.packed_sectors': ['Sectors of 512 bytes that it takes behind the first', MAPPING],
  'qcow2.l2.allocated': ['Bit n: subcluster n has data in the file', 'Extended L2 Entries'],
  'qcow2.l2.zeros': ['Bit n: subcluster n reads as zeros', 'Extended L2 Entries'],
  'qcow2.refcounts': ['Where the refcount blocks are', REFCOUNTS],
  'qcow2.refcounts.entry': ['Where a refcount block is', REFCOUNTS],
  'qcow2.refcounts.none': ['No refcount block: all of these clusters are free', REFCOUNTS],
  'qcow2.refcounts.block': ['How often each cluster of a stretch of the file is used', REFCOUNTS],
  'qcow2.refcount': ['How often this cluster of the file is used; 0 is free', REFCOUNTS],
  'qcow2.snapshots': ['The snapshots, one after the other', SNAPSHOTS],
  'qcow2.snapshot': ['A snapshot: what it is called, and where its L1 table is', SNAPSHOTS],
  'qcow2.snapshot.extra': ['What later versions have added', SNAPSHOTS],
  'qcow2.snapshot.extra.rest': ['Extra data that this reader does not know', SNAPSHOTS],
  'qcow2.snapshot.id': ['The id, unique among the snapshots', SNAPSHOTS],
  'qcow2.snapshot.name': ['The name', SNAPSHOTS],
  'qcow2.snapshot.l1': ['Where the L2 tables of the disk are, as it was then', SNAPSHOTS],
  'qcow2.bitmaps': ['The bitmap directory: the bitmaps, one after the other', BITMAPS],
  'qcow2.bitmap': ['A bitmap: what it is called, and where its table is', 'Bitmap directory entry'],
  'qcow2.bitmap.name': ['The name', 'Bitmap directory entry'],
  'qcow2.bitmap.extra': ['Extra data that this reader does not know', 'Bitmap directory entry'],
  'qcow2.bitmap.table': ['Where the clusters of bits are', 'Bitmap table'],
  'qcow2.bitmap.entry': ['Where a cluster of bits is', 'Bitmap table'],
  'qcow2.bitmap.zeros': ['All of these bits are 0', 'Bitmap table'],
  'qcow2.bitmap.ones': ['All of these bits are 1', 'Bitmap table'],
} as const;

/** All keys that nodes of a qcow2 file have, but those of its LUKS header. */
export type Qcow2StructureKey =
  | keyof typeof MEANINGS
  | FieldKeys<'qcow2.header', typeof HEADER_V2>
  | FieldKeys<'qcow2.header', typeof HEADER_V3>
  | FieldKeys<'qcow2.header', typeof HEADER_COMPRESSION>
  | FieldKeys<'qcow2.extension', typeof EXTENSION>
  | FieldKeys<'qcow2.extension.bitmaps', typeof BITMAPS_EXTENSION>
  | FieldKeys<'qcow2.extension.crypto', typeof CRYPTO_EXTENSION>
  | FieldKeys<'qcow2.snapshot', typeof SNAPSHOT_ENTRY>
  | FieldKeys<'qcow2.snapshot.extra', typeof SNAPSHOT_EXTRA>
  | FieldKeys<'qcow2.bitmap', typeof BITMAP_ENTRY>;

export function told(key: keyof typeof MEANINGS): Told {
  return meaningOf(MEANINGS, key);
}
