/** Compressed loop images, as live CDs had them: read only. */
import { ImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { FormatDriver } from '../format.ts';
import { CloopDisk } from './image.ts';
import {
  ANY_VERSION,
  HEADER,
  MAX_BLOCK,
  MAX_BLOCKS,
  MAX_OFFSETS,
  MAX_PACKED,
  OFFSET_BYTES,
  OFFSETS_AT,
  PREAMBLE_BYTES,
} from './layout.ts';

/** Offsets that are looked at in one go. */
const PIECE = 2 ** 17;

/** In qemu-img's order and words. @throws ImageError invalid-image, unsupported-feature and those of reading */
async function openCloop(storage: Storage): Promise<CloopDisk> {
  const bytes = await readPadded(storage, 0, OFFSETS_AT);
  const text = String.fromCharCode(...bytes.subarray(0, PREAMBLE_BYTES));
  const [, version = '2.0'] = ANY_VERSION.exec(text) ?? [];
  if (version !== '2.0') {
    throw new ImageError('unsupported-feature', { feature: `cloop version ${version}` });
  }
  const fields = HEADER.read(bytes);
  checkBlockSize(fields.blockSize);
  checkCount(fields.blocks);
  await checkOffsets(storage, fields.blocks);
  return new CloopDisk(storage, fields);
}

function checkBlockSize(value: number): void {
  const refuse = (message: string): never =>
    imageFault('cloop', 'field', { field: 'block_size', value, message });
  if (value % 512 !== 0) refuse(`block_size ${value} must be a multiple of 512`);
  if (value === 0) refuse('block_size cannot be zero');
  if (value > MAX_BLOCK) refuse(`block_size ${value} must be 64 MB or less`);
}

function checkCount(value: number): void {
  const details = { field: 'n_blocks', value };
  if (value > MAX_BLOCKS) {
    const message = `n_blocks ${value} must be ${MAX_BLOCKS} or less`;
    imageFault('cloop', 'table-size', { ...details, limit: MAX_BLOCKS, message });
  }
  if ((value + 1) * OFFSET_BYTES > MAX_OFFSETS) {
    const message = 'image requires too many offsets, try increasing block size';
    const limit = MAX_OFFSETS / OFFSET_BYTES - 1;
    imageFault('cloop', 'table-size', { ...details, limit, message });
  }
}

/** The offsets have to rise, and not by too much. What is behind the end of the file is zeros. */
async function checkOffsets(storage: Storage, blocks: number): Promise<void> {
  let before = 0;
  for (let first = 0; first <= blocks; first += PIECE) {
    const count = Math.min(PIECE, blocks + 1 - first);
    const at = OFFSETS_AT + first * OFFSET_BYTES;
    const bytes = await readPadded(storage, at, count * OFFSET_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < count; i++) {
      const offset = Number(view.getUint32(i * 8)) * 2 ** 32 + view.getUint32(i * 8 + 4);
      const index = first + i;
      if (index > 0) checkOffset(index, offset, before);
      before = offset;
    }
    if (at >= storage.size) {
      // Nothing but zeros from here on: the next of them would be less, or no block has any bytes.
      const message = `Image ends within its offsets (at ${storage.size})`;
      imageFault('cloop', 'truncated', { field: 'offsets', value: blocks, message });
    }
  }
}

function checkOffset(index: number, offset: number, before: number): void {
  const details = { field: `offset ${index}`, value: offset };
  if (offset < before) {
    const message = `offsets not monotonically increasing at index ${index}, image file is corrupt`;
    imageFault('cloop', 'table-place', { ...details, limit: before, message });
  }
  if (offset - before > MAX_PACKED) {
    const message = `invalid compressed block size at index ${index}, image file is corrupt`;
    imageFault('cloop', 'table-place', { ...details, limit: before + MAX_PACKED, message });
  }
}

export const cloopDriver: FormatDriver = { name: 'cloop', open: openCloop };
