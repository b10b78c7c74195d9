import { type Disk, ImageError, Qcow2Image, readBitmap, yieldToEvents } from '../engine/index.ts';
import type { BitmapContents } from './api.ts';

/** Ranges that go to the page; all are counted. */
const RANGES = 1000;

/** What the dirty bitmap of that name marks. @throws ImageError bitmap-missing, bitmap-damaged */
export async function bitmapContents(disk: Disk, name: string): Promise<BitmapContents> {
  const bitmap =
    disk instanceof Qcow2Image ? disk.bitmaps.find((one) => one.name === name) : undefined;
  if (!(disk instanceof Qcow2Image) || bitmap === undefined) {
    throw new ImageError('bitmap-missing', { name });
  }
  const contents: BitmapContents = { marked: 0, ranges: 0, first: [] };
  for await (const ranges of readBitmap(disk, bitmap)) {
    contents.ranges += ranges.length;
    for (const { length } of ranges) contents.marked += length;
    contents.first.push(...ranges.slice(0, RANGES - contents.first.length));
    await yieldToEvents();
  }
  return contents;
}
