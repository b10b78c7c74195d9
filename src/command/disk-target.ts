/** Writing into a disk that is open over writable storages, whatever its format is. */
import {
  editDisk,
  editQcow2,
  GuestWriter,
  keepBitmaps,
  Qcow2Image,
  rawTarget,
  readerBelow,
  type ConvertTarget,
  type WritablePacking,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import { notSupported } from './context.ts';

/** Where guest bytes go. */
export interface DiskTarget extends ConvertTarget {
  /** Bytes; 0 where there are none. */
  readonly clusterSize: number;
  /** undefined where nothing can be packed. */
  readonly codec: WritablePacking | undefined;
  /** Everything is packed, whether asked for or not. */
  readonly alwaysPacks: boolean;
  /** Everything is written: puts the tables into the storages. */
  end(): Promise<void>;
}

/**
 * Opens a disk for writing.
 * @throws ImageError image-dirty, image-corrupt, unsupported-feature and those of reading
 */
export async function openDiskTarget(disk: Disk): Promise<DiskTarget> {
  if (disk instanceof Qcow2Image) return qcow2Target(disk);
  if (disk.format === 'raw') {
    return {
      ...rawTarget(disk.storage),
      ...{ clusterSize: 0, codec: undefined, alwaysPacks: false },
      writePacked: () => Promise.reject(notSupported('Packing a raw disk')),
      end: () => Promise.resolve(),
    };
  }
  const writer = await editDisk(disk);
  return {
    clusterSize: writer.clusterSize,
    codec: writer.packing,
    alwaysPacks: writer.alwaysPacks === true,
    write: (offset, bytes) => writer.write(offset, bytes),
    zero: (offset, length) => writer.zero(offset, length),
    writePacked: (offset, packed) => writer.writePacked(offset, packed),
    end: () => writer.flush(),
  };
}

async function qcow2Target(image: Qcow2Image): Promise<DiskTarget> {
  const writer = await editQcow2(image);
  const guest = new GuestWriter(image, writer, readerBelow(image));
  return {
    ...{ clusterSize: image.clusterSize, codec: image.codec, alwaysPacks: false },
    write: (offset, bytes) => guest.write(offset, bytes),
    zero: (offset, length) => guest.zero(offset, length),
    writePacked: (offset, packed) => guest.writePacked(offset, packed),
    end: async () => {
      await keepBitmaps(image, writer, guest.changed.within(0, image.size));
      await writer.flush();
    },
  };
}
