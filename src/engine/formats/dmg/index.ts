/** Apple's disk images: read only. */
import type { Values } from '../../binary/struct.ts';
import { alignUp, SECTOR } from '../../binary/units.ts';
import { ImageError, isImageError } from '../../errors.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import type { FormatDriver } from '../format.ts';
import { ChunkCollector } from './chunks.ts';
import { DmgDisk } from './image.ts';
import { INVALID, KOLY, KOLY_BYTES, KOLY_TEXT, MAX_TABLES } from './layout.ts';
import { isEncrypted } from './probe.ts';
import { dataOfPropertyList, resourcesOf } from './table-bytes.ts';

/** The trailer begins in the last sector, or in the 511 bytes in front of it. */
const SEARCHED = 515;
const NO_TRAILER = 'Could not locate UDIF trailer in dmg file';

type Koly = Values<typeof KOLY>;

function refuse(field: string, value: number, limit: number | string = ''): never {
  return imageFault('dmg', 'table-place', { field, value, limit, message: INVALID });
}

/** Where the trailer begins, as qemu-img looks for it. @throws ImageError invalid-image, unsupported-feature */
async function findTrailer(storage: Storage): Promise<number> {
  const length = alignUp(storage.size, SECTOR);
  if (length < SECTOR) {
    const message = 'dmg file must be at least 512 bytes long';
    imageFault('dmg', 'truncated', { field: 'size', value: storage.size, limit: SECTOR, message });
  }
  const start = Math.max(0, length - (2 * SECTOR - 1));
  const bytes = await readPadded(storage, start, Math.min(length, SEARCHED));
  const text = String.fromCharCode(...bytes);
  const at = text.indexOf(KOLY_TEXT);
  if (at >= 0) return start + at;
  const first = await readPadded(storage, 0, 8);
  const last = await readPadded(storage, Math.max(0, storage.size - 8), 8);
  if (isEncrypted(first, last)) {
    const details = { feature: 'encrypted dmg images', message: NO_TRAILER };
    throw new ImageError('unsupported-feature', details);
  }
  return imageFault('dmg', 'signature', { field: 'signature', message: NO_TRAILER });
}

/** What is at these places has to be in front of the trailer. */
function checkPlaces(koly: Koly, end: number): void {
  const { dataOffset, resourceOffset, resourceLength, xmlOffset, xmlLength, sectors } = koly;
  if (dataOffset > end) refuse('data offset', dataOffset, end);
  const places = [
    ['resource fork', resourceOffset, resourceLength],
    ['property list', xmlOffset, xmlLength],
  ] as const;
  for (const [what, offset, length] of places) {
    if (offset >= end || length > end - offset) refuse(what, offset + length, end);
  }
  if (sectors > Number.MAX_SAFE_INTEGER / SECTOR) {
    imageFault('dmg', 'disk-size', { field: 'sectors', value: sectors, message: INVALID });
  }
  if (koly.segments > 1) {
    throw new ImageError('unsupported-feature', { feature: 'dmg images in several files' });
  }
}

/** The bytes of each table. @throws ImageError invalid-image, too-large and those of reading */
async function* readTables(storage: Storage, koly: Koly): AsyncGenerator<Uint8Array | undefined> {
  const { resourceOffset, resourceLength, xmlOffset, xmlLength } = koly;
  if (resourceLength > 0) {
    if (resourceLength > MAX_TABLES) {
      const details = { what: 'dmg resource fork', value: String(resourceLength) };
      throw new ImageError('too-large', { ...details, limit: MAX_TABLES });
    }
    yield* resourcesOf(await readPadded(storage, resourceOffset, resourceLength));
    return;
  }
  if (xmlLength === 0) refuse('property list', 0);
  if (xmlLength > MAX_TABLES) refuse('property list', xmlLength, MAX_TABLES);
  yield* dataOfPropertyList(await readPadded(storage, xmlOffset, xmlLength));
}

/** @throws ImageError invalid-image, unsupported-feature, too-large and those of reading */
async function openDmg(storage: Storage): Promise<DmgDisk> {
  const at = await findTrailer(storage);
  const koly = KOLY.read(await readPadded(storage, at, KOLY_BYTES));
  checkPlaces(koly, at);
  const collector = new ChunkCollector(koly.dataOffset);
  for await (const bytes of readTables(storage, koly)) {
    if (bytes === undefined) refuse('tables', collector.tables.length);
    collector.add(bytes);
  }
  const { tables } = collector;
  return new DmgDisk(storage, { koly, kolyAt: at, tables, chunks: collector.finish() });
}

/** The same; what is said of a fault has the name of the file. */
async function openNamed(storage: Storage): Promise<DmgDisk> {
  try {
    return await openDmg(storage);
  } catch (error) {
    if (!isImageError(error, 'invalid-image') || error.details.message !== INVALID) throw error;
    const message = `Could not open '${storage.name}': ${INVALID}`;
    throw new ImageError('invalid-image', { ...error.details, message }, { cause: error });
  }
}

export const dmgDriver: FormatDriver = { name: 'dmg', open: openNamed };
