/** Changing an image that exists: its header, its tables and its refcounts as something to write. */
import { ImageError } from '../../../errors.ts';
import { readPadded, type Storage } from '../../../storage/storage.ts';
import { EXTENSION_TYPE } from '../layout.ts';
import type { Qcow2Image } from '../image.ts';
import { readRefcountTable } from '../refcounts.ts';
import { KNOWN_HEADER_LENGTH, type HeaderContent } from './header-writer.ts';
import { RefcountEditor } from './refcount-editor.ts';
import { Qcow2Writer } from './writer.ts';

/** Extensions that are written from what they say; all others stay as they are. */
const WRITTEN: readonly number[] = Object.values(EXTENSION_TYPE);

/** Autoclear bits that are understood here: bitmaps, raw external data. */
const KNOWN_AUTOCLEAR = 3n;

/**
 * What the header of an image holds, to be changed and written again. Fields and extensions that
 * nobody here knows stay; autoclear bits that nobody here knows are cleared, which is what they are
 * for; a bitmaps extension that was not kept up to date is dropped, as QEMU does.
 */
export async function headerContent(image: Qcow2Image): Promise<HeaderContent> {
  const { header, storage } = image;
  const { version, headerLength } = header;
  const more = version === 3 ? headerLength - KNOWN_HEADER_LENGTH : 0;
  const autoclear = header.autoclearFeatures & KNOWN_AUTOCLEAR;
  return {
    fields: {
      version,
      clusterBits: header.clusterBits,
      // QEMU drops what is behind the last whole sector, without a word.
      size: image.size,
      cryptMethod: header.cryptMethod,
      l1Size: header.l1Size,
      l1TableOffset: header.l1TableOffset,
      refcountTableOffset: header.refcountTableOffset,
      refcountTableClusters: header.refcountTableClusters,
      snapshotCount: header.snapshotCount,
      snapshotsOffset: header.snapshotsOffset,
      incompatibleFeatures: header.incompatibleFeatures,
      compatibleFeatures: header.compatibleFeatures,
      autoclearFeatures: header.bitmaps === undefined ? autoclear & ~1n : autoclear,
      refcountOrder: header.refcountOrder,
      compressionType: header.compressionType,
    },
    backingName: header.backingName,
    backingFormat: header.backingFormat,
    dataFileName: header.dataFileName,
    luks: header.luks,
    bitmaps: header.bitmaps,
    unknownFields:
      more > 0 ? await readPadded(storage, KNOWN_HEADER_LENGTH, more) : new Uint8Array(0),
    unknownExtensions: header.extensions.filter(({ type }) => !WRITTEN.includes(type)),
  };
}

/**
 * An image as something to write. It works on `image.storage`, which is to be an overlay: what is
 * written there is neither in the order nor as complete as a file needs it before
 * {@link Qcow2Writer.flush}. The image itself does not see what changes: open it anew.
 * @throws ImageError image-corrupt where it is marked as such; image-dirty where its refcounts are
 * not to be trusted before a repair; refcount-block-unaligned
 */
export async function editQcow2(image: Qcow2Image): Promise<Qcow2Writer> {
  const { header, storage, clusterSize } = image;
  if (header.corrupt) throw new ImageError('image-corrupt', { name: storage.name });
  if (header.dirty) throw new ImageError('image-dirty', { name: storage.name });
  const writer = new Qcow2Writer(
    storage,
    await headerContent(image),
    await openRefcounts(storage, image, clusterSize),
    image.l1.slice(),
  );
  writer.cipher = image.cipher;
  writer.data = image.dataFile ?? storage;
  return writer;
}

async function openRefcounts(
  storage: Storage,
  { header }: Qcow2Image,
  clusterSize: number,
): Promise<RefcountEditor> {
  const table = await readRefcountTable(storage, header);
  const offsets = new Float64Array(table.entries);
  for (let index = 0; index < table.entries; index++) offsets[index] = table.offset(index);
  const layout = {
    clusterSize,
    refcountBits: header.refcountBits,
    tableOffset: header.refcountTableOffset,
    tableClusters: header.refcountTableClusters,
  };
  return new RefcountEditor(storage, layout, offsets);
}
