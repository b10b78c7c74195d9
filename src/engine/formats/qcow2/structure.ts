/** The structures of a qcow2 file as a tree. */
import { readFront } from '../../storage/partial.ts';
import { luksParts } from '../luks-structure.ts';
import { listed, part, type Part, type Structures } from '../structure.ts';
import type { Qcow2Image } from './image.ts';
import { structureAt } from './structure-at.ts';
import { backingPart, extensionsPart, headerPart } from './structure-header.ts';
import { bitmapsPart, snapshotsPart } from './structure-lists.ts';
import { told } from './structure-meanings.ts';
import { isPlace, l1Part, refcountsPart, type Looked } from './structure-tables.ts';

/** What is at the top, and what lies where. @throws ImageError those of reading */
export async function structuresOf(image: Qcow2Image): Promise<Structures> {
  const { storage, header } = image;
  const looked: Looked = { storage, header };
  const { bytes } = await readFront(storage, header.clusterSize);
  const { l1TableOffset, l1Size, size: diskSize } = header;
  const parts: (Part | undefined)[] = [
    headerPart(looked, bytes),
    extensionsPart(looked, bytes),
    backingPart(looked, bytes),
    cryptoPart(looked),
    l1Part(looked, { key: 'qcow2.l1', offset: l1TableOffset, size: l1Size, diskSize }),
    refcountsPart(looked),
    await snapshotsPart(looked),
    await bitmapsPart(looked),
  ];
  const top = listed(parts.filter((one) => one !== undefined));
  const idAt = async (offset: number): Promise<string> => {
    const isAtTop = offset >= storage.size || (await top.at(offset)) !== undefined;
    return isAtTop ? '' : structureAt(looked, offset);
  };
  return { top, idAt };
}

/** The LUKS header that an extension points to. */
function cryptoPart(looked: Looked): Part | undefined {
  const { luks } = looked.header;
  if (luks === undefined) return undefined;
  const { offset, length } = luks;
  return part('crypto', told('qcow2.crypto'), luks, {
    doubtful: !isPlace(looked, offset) || offset + length > looked.storage.size,
    below: luksParts(looked.storage, offset),
  });
}
