/** The structures of a file: those of the image as it is shown, changes that wait included. */
import { type Disk, StructureTree } from '../engine/index.ts';
import type { ImageId, StructureNode } from './api.ts';
import type { Images } from './images.ts';

/** An image that is opened anew has another disk, so nothing here is ever out of date. */
const trees = new WeakMap<Disk, StructureTree>();

function treeOf(images: Images, image: ImageId): StructureTree {
  const disk = images.opened(image);
  const tree = trees.get(disk) ?? new StructureTree(disk);
  trees.set(disk, tree);
  return tree;
}

/**
 * What is below a node, a piece of it; '' for the top.
 * @param from number of the first one
 * @param most at most 500 at once
 */
export async function nodesOf(
  images: Images,
  image: ImageId,
  id: string,
  from: number,
  most: number,
): Promise<StructureNode[]> {
  return treeOf(images, image).children(id, from, most);
}

/** The nodes that lead to the innermost structure at an address of the file, outermost first. */
export async function nodesAt(
  images: Images,
  image: ImageId,
  offset: number,
): Promise<StructureNode[]> {
  return treeOf(images, image).pathAt(offset);
}

/** The nodes that lead to the one with that id, itself last; none where it is not there. */
export async function nodesTo(
  images: Images,
  image: ImageId,
  id: string,
): Promise<StructureNode[]> {
  return treeOf(images, image).pathTo(id);
}
