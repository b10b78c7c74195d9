/** The structures of a qcow2 file as a tree. */
import { readFront } from '../../storage/partial.ts';
import { listed, type Part, type Structures } from '../structure.ts';
import type { Qcow2Image } from './image.ts';
import { backingPart, extensionsPart, headerPart } from './structure-header.ts';
import { l1Part, refcountsPart, type Looked } from './structure-tables.ts';

/** What is at the top, and what lies where. @throws ImageError those of reading */
export async function structuresOf(image: Qcow2Image): Promise<Structures> {
  const { storage, header } = image;
  const looked: Looked = { storage, header };
  const { bytes } = await readFront(storage, header.clusterSize);
  const parts: (Part | undefined)[] = [
    headerPart(looked, bytes),
    extensionsPart(looked, bytes),
    backingPart(looked, bytes),
    l1Part(looked, {
      ...{ key: 'qcow2.l1', offset: header.l1TableOffset, size: header.l1Size },
      diskSize: header.size,
    }),
    refcountsPart(looked),
  ];
  const top = listed(parts.filter((one) => one !== undefined));
  return { top, idAt: () => Promise.resolve('') };
}
