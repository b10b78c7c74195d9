/** Growing disk images of Bochs: read only. */
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { FormatDriver } from '../format.ts';
import { BochsDisk } from './image.ts';
import { HEADER_1, HEADER_2, HEADER_BYTES, MAX_CATALOG, MAX_EXTENT, VERSION_1 } from './layout.ts';
import { isBochs } from './probe.ts';

/** In qemu-img's order and words. @throws ImageError invalid-image and those of reading */
async function openBochs(storage: Storage): Promise<BochsDisk> {
  const bytes = await readPadded(storage, 0, HEADER_BYTES);
  if (!isBochs(bytes)) imageFault('bochs', 'signature', { message: 'Image not in Bochs format' });
  const table = HEADER_1.read(bytes).version === VERSION_1 ? HEADER_1 : HEADER_2;
  const fields = table.read(bytes);
  const { catalog, header, extent, disk } = fields;
  if (catalog > MAX_CATALOG) {
    const message = 'Catalog size is too large';
    const [value, limit] = [catalog, MAX_CATALOG];
    imageFault('bochs', 'table-size', { field: 'catalog', value, limit, message });
  }
  checkExtent(extent);
  const size = Math.floor(disk / 512) * 512;
  if (catalog < Math.ceil(size / extent)) {
    const message = 'Catalog size is too small for this disk size';
    const [value, limit] = [catalog, Math.ceil(size / extent)];
    imageFault('bochs', 'table-size', { field: 'catalog', value, limit, message });
  }
  const end = header + catalog * 4;
  if (end > storage.size) {
    // To go on would mean to take every missing entry for the first extent.
    const message = `Image ends within its catalog (at ${storage.size}, catalog ends at ${end})`;
    const [value, limit] = [end, storage.size];
    imageFault('bochs', 'truncated', { field: 'catalog', value, limit, message });
  }
  const entries = await readPadded(storage, header, catalog * 4);
  return new BochsDisk(storage, { table, fields, size, entries });
}

function checkExtent(extent: number): void {
  const refuse = (message: string): never =>
    imageFault('bochs', 'field', { field: 'extent', value: extent, message });
  if (extent < 512) refuse('Extent size must be at least 512');
  if ((extent & (extent - 1)) !== 0) refuse(`Extent size ${extent} is not a power of two`);
  if (extent > MAX_EXTENT) refuse(`Extent size ${extent} is too large`);
}

export const bochsDriver: FormatDriver = { name: 'bochs', open: openBochs };
