/** The picture of a file or a disk, what lies where in it, and the table that says the same. */
import {
  CELL_KINDS,
  type Disk,
  FilePicture,
  guestPicture,
  guestPlace,
  guestRuns,
  type Storage,
} from '../engine/index.ts';
import type { AddressSpace, ImageId, Picture, PictureRequest, PictureRun, Place } from './api.ts';
import type { Images } from './images.ts';
import type { JobContext } from './job.ts';

/** What was found out of files. An image that is opened anew has another disk. */
const files = new WeakMap<Disk, FilePicture>();
/** The last one that takes much memory: only one of them is kept. */
let large = new WeakRef<FilePicture | object>({});
/** Bytes. */
const LARGE = 32 * 1024 * 1024;
/** Runs that are told at once. */
const MOST_RUNS = 10_000;

function fileOf(images: Images, image: ImageId): FilePicture {
  const disk = images.opened(image);
  const known = files.get(disk);
  const file = known ?? new FilePicture(disk);
  if (known === undefined) files.set(disk, file);
  const before = large.deref();
  if (file.memory > LARGE && before !== file) {
    if (before instanceof FilePicture) before.forget();
    large = new WeakRef(file);
  }
  return file;
}

/** @throws ImageError too-large, cancelled and those of reading */
export async function pictureOf(request: PictureRequest, context: JobContext): Promise<Picture> {
  const { image, space } = request;
  const { images, signal, progress } = context;
  const run = { signal, progress };
  const picture =
    space === 'file'
      ? await fileOf(images, image).picture(run)
      : await guestPicture(images.opened(image), run);
  return { ...picture, space, kinds: [...CELL_KINDS] };
}

/**
 * What lies at an address (bytes), and where it belongs. Behind the end: what lies at the end.
 * @throws ImageError too-large and those of reading
 */
export async function placeAt(
  images: Images,
  image: ImageId,
  space: AddressSpace,
  offset: number,
): Promise<Place> {
  const disk = images.opened(image);
  const size = space === 'file' ? disk.storage.size : disk.size;
  const address = Math.max(0, Math.min(Math.floor(offset), size - 1));
  if (space === 'file') {
    const place = await fileOf(images, image).place(address);
    return { ...place, space, uses: place.uses.map((use) => ({ ...use, layer: '' })) };
  }
  const { use, storage, ...place } = await guestPlace(disk, address);
  const layer = layerOf(images, image, storage);
  const nothing = { moreUses: false, refcount: undefined, node: undefined };
  return { ...place, space, uses: [{ ...use, layer }], ...nothing };
}

/** The key of a file of the chain; '' for the image's own. */
function layerOf(images: Images, image: ImageId, storage: Storage | undefined): string {
  const { asked } = images.chain(image);
  return asked.find((one) => one.storage === storage && storage !== undefined)?.key ?? '';
}

/**
 * The runs of one kind from an offset (bytes) on, at most so many, in order.
 * @throws ImageError too-large and those of reading
 */
export function runsFrom(
  images: Images,
  image: ImageId,
  space: AddressSpace,
  offset: number,
  most: number,
): Promise<PictureRun[]> {
  const from = Math.max(0, Math.floor(offset));
  const count = Math.max(0, Math.min(Math.floor(most), MOST_RUNS));
  if (space === 'file') return fileOf(images, image).runs(from, count);
  return guestRuns(images.opened(image), from, count);
}
