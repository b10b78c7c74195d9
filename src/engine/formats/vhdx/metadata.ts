/** The metadata region: what the disk is like. [MS-VHDX] section 2.6. */
import { guidText } from '../../binary/guid.ts';
import type { Values } from '../../binary/struct.ts';
import { alignDown } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { fault, UNSUPPORTED } from './faults.ts';
import {
  FILE_PARAMETERS,
  GUID_BYTES,
  hasText,
  LEAST_BLOCK,
  METADATA,
  METADATA_ENTRY,
  METADATA_ENTRY_BYTES,
  METADATA_FLAGS,
  METADATA_HEADER,
  METADATA_SIGNATURE,
  MOST_BLOCK,
  MOST_DISK,
  MOST_ENTRIES,
  PARAMETER_FLAGS,
  TABLE_BYTES,
} from './layout.ts';
import { parseLocator, type ParentLocator } from './parent.ts';
import type { Region } from './regions.ts';

export interface Metadata {
  /** Of the disk, bytes. */
  readonly size: number;
  /** As it is in the file: it need not be whole sectors. */
  readonly recordedSize: number;
  readonly blockSize: number;
  readonly sectorSize: number;
  readonly physicalSectorSize: number;
  readonly diskId: string;
  readonly isFixed: boolean;
  /** Where the parent is; undefined without one. */
  readonly parent: ParentLocator | undefined;
  /** Block size and flags, and where they are in the file. */
  readonly parameters: Values<typeof FILE_PARAMETERS>;
  readonly parametersAt: number;
}

type Item = Values<typeof METADATA_ENTRY>;

/** Items are no longer than this, bytes. */
const LONGEST_ITEM = 2 ** 20;

/**
 * @param lenient also images with a parent, or with sectors of 4096 bytes, which qemu-img refuses
 * @throws ImageError invalid-image and those of reading
 */
export async function readMetadata(
  storage: Storage,
  region: Region,
  lenient: boolean,
): Promise<Metadata> {
  const items = readTable(await readPadded(storage, region.offset, TABLE_BYTES));
  if (!lenient && items.has(METADATA.parentLocator)) {
    fault('descriptor', 'parent', '', UNSUPPORTED);
  }
  const read = async (guid: string, length: number): Promise<DataView> => {
    const { offset } = items.get(guid) as Item;
    return new DataView((await readPadded(storage, region.offset + offset, length)).buffer);
  };
  const parametersAt = region.offset + (items.get(METADATA.fileParameters)?.offset ?? 0);
  const parametersView = await read(METADATA.fileParameters, FILE_PARAMETERS.size);
  const parameters = FILE_PARAMETERS.read(new Uint8Array(parametersView.buffer));
  const { blockSize, flags } = parameters;
  const hasParent = (flags & PARAMETER_FLAGS.hasParent) !== 0;
  const locator = items.get(METADATA.parentLocator);
  if (hasParent && locator === undefined) fault('descriptor', 'parent');
  const recorded = (await read(METADATA.diskSize, 8)).getBigUint64(0, true);
  const sectorSize = (await read(METADATA.logicalSectorSize, 4)).getUint32(0, true);
  const physicalSectorSize = (await read(METADATA.physicalSectorSize, 4)).getUint32(0, true);
  const diskId = guidText(new Uint8Array((await read(METADATA.diskId, GUID_BYTES)).buffer));
  checkSizes(blockSize, sectorSize, lenient);
  if (recorded > BigInt(MOST_DISK)) fault('disk-size', 'size', recorded);
  const recordedSize = Number(recorded);
  let parent: ParentLocator | undefined;
  if (hasParent && locator !== undefined) {
    const length = Math.min(locator.length, LONGEST_ITEM);
    parent = parseLocator(await readPadded(storage, region.offset + locator.offset, length));
  }
  return {
    ...{ size: alignDown(recordedSize, sectorSize), recordedSize, blockSize, sectorSize },
    ...{ physicalSectorSize, diskId, parent, parameters, parametersAt },
    isFixed: (flags & PARAMETER_FLAGS.leaveAllocated) !== 0,
  };
}

/** The items that are known, by their identity. All of them but that of the parent are there. */
function readTable(bytes: Uint8Array): Map<string, Item> {
  if (!hasText(bytes, METADATA_SIGNATURE)) fault('signature', 'metadata table');
  const { entryCount } = METADATA_HEADER.read(bytes);
  if (entryCount > MOST_ENTRIES) fault('table-size', 'metadata table', entryCount);
  const known = new Set<string>(Object.values(METADATA));
  const items = new Map<string, Item>();
  for (let index = 1; index <= entryCount; index++) {
    const at = index * METADATA_ENTRY_BYTES;
    const guid = guidText(bytes, at);
    const item = METADATA_ENTRY.read(bytes, at);
    if (known.has(guid)) {
      if (items.has(guid)) fault('descriptor', 'metadata', guid);
      items.set(guid, item);
    } else if ((item.flags & METADATA_FLAGS.required) !== 0) {
      fault('descriptor', 'metadata', guid, UNSUPPORTED);
    }
  }
  for (const guid of known) {
    const isNeeded = guid !== METADATA.parentLocator;
    if (isNeeded && !items.has(guid)) fault('descriptor', 'metadata', guid, UNSUPPORTED);
  }
  return items;
}

function checkSizes(blockSize: number, sectorSize: number, lenient: boolean): void {
  if (blockSize < LEAST_BLOCK || blockSize > MOST_BLOCK) fault('field', 'block size', blockSize);
  const isKnown = sectorSize === 512 || (lenient && sectorSize === 4096);
  if (!isKnown) fault('field', 'sector size', sectorSize, UNSUPPORTED);
  if ((blockSize & (blockSize - 1)) !== 0) fault('field', 'block size', blockSize);
}
