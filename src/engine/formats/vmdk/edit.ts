/** Writing into an image that is there. */
import { SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Disk, DiskWriter, ReadBelow } from '../format.ts';
import { GrainEditor } from './grain-editor.ts';
import { VmdkImage } from './image.ts';
import { FlatWriter, SparseWriter, StreamWriter, type SegmentWriter } from './segment-writer.ts';
import { PlainSegment, SparseSegment, type Segment } from './segments.ts';
import { DirectoryBudget, readDirectory } from './tables.ts';
import { VmdkWriter } from './writer.ts';

/**
 * Opens an image, which was opened over writable storages, for writing.
 * @throws ImageError unsupported-feature, image-damaged and those of reading
 */
export async function editVmdk(disk: Disk, readBelow: ReadBelow | undefined): Promise<DiskWriter> {
  if (!(disk instanceof VmdkImage)) {
    throw new ImageError('internal', { reason: 'not a VMDK' });
  }
  const { storage, segments, descriptorAt } = disk.parts;
  const writers: SegmentWriter[] = [];
  for (const segment of segments) writers.push(await writerOf(segment, readBelow));
  const packs = segments.length > 0 && segments.every(isPacked);
  const descriptor = { storage, at: descriptorAt };
  return new VmdkWriter(writers, descriptor, { clusterSize: disk.clusterSize, packs }, () => {
    for (const segment of segments) {
      if (segment instanceof SparseSegment) segment.tables.forget();
    }
  });
}

function isPacked(segment: Segment): boolean {
  return segment instanceof SparseSegment && segment.layout.compressed;
}

function refuse(feature: string, message: string): never {
  throw new ImageError('unsupported-feature', { feature, message });
}

async function writerOf(
  segment: Segment,
  readBelow: ReadBelow | undefined,
): Promise<SegmentWriter> {
  if (segment.missing) {
    const { start: guestOffset, length } = segment;
    const details = { guestOffset, hostOffset: -1, length, reason: 'extent-missing' } as const;
    throw new ImageError('unreadable-cluster', details);
  }
  if (segment.access !== 'RW' || segment.type === 'ZERO') {
    const what = `a VMDK extent of the kind ${segment.access} ${segment.type}`;
    refuse(`writing to ${what}`, `Writing to ${what} is not supported`);
  }
  if (segment instanceof PlainSegment) {
    return new FlatWriter(segment, segment.storage, segment.hostOffset);
  }
  if (!(segment instanceof SparseSegment)) {
    throw new ImageError('internal', { reason: 'an extent of no kind' });
  }
  return grainWriter(segment, readBelow);
}

async function grainWriter(
  segment: SparseSegment,
  readBelow: ReadBelow | undefined,
): Promise<SegmentWriter> {
  const { layout, tables, storage } = segment;
  if (layout.kind === 'se') {
    refuse('writing to seSparse images', 'No write support for seSparse images available');
  }
  if (layout.version === 3 && !layout.compressed) {
    refuse('writing to VMDK extents of version 3', 'VMDK version 3 must be read only');
  }
  // QEMU would write behind the footer, which is not found any more then.
  if (layout.hasFooter) {
    const what = 'writing to streams whose grain directory is at the end';
    refuse(what, 'Writing to a VMDK with a footer is not supported');
  }
  if (layout.compressed && !layout.markers) {
    refuse('writing to packed grains without markers', 'Invalid argument');
  }
  const { redundantDirectory } = layout;
  const redundant =
    redundantDirectory === 0
      ? undefined
      : await readDirectory(storage, layout, redundantDirectory, new DirectoryBudget());
  for (const directory of [tables.directory, redundant]) {
    if (directory === undefined || directory.length === layout.directorySize) continue;
    throw new ImageError('image-damaged', { name: storage.name, corruptions: 1 });
  }
  const grains = new GrainEditor(storage, layout, [tables.directory, redundant]);
  const { start, length } = segment;
  checkPlace(grains, layout.overhead * SECTOR);
  const stretch = { start, length };
  return layout.compressed
    ? new StreamWriter(stretch, grains, readBelow)
    : new SparseWriter(stretch, grains, readBelow);
}

/** New grains go behind everything: also behind the metadata, where a file is shorter than that. */
function checkPlace(grains: GrainEditor, overhead: number): void {
  const { storage } = grains;
  if (storage.size >= overhead) return;
  throw new ImageError('image-damaged', { name: storage.name, corruptions: 1 });
}
