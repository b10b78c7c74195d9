/** Walks the structures of an image as somebody who looks at everything, but not at all of it. */
import { expect } from 'vitest';
import { StructureTree, type Disk } from '../../src/engine/index.ts';
import type { StructureNode } from '../../src/engine/operations/structure.ts';

export interface WalkLimits {
  /** Nodes that are looked at below one, from the front; and at the end. */
  front?: number;
  back?: number;
  /** Nodes of all. */
  most?: number;
}

/** Nodes as they come, outer ones first; what holds of every node is seen to. */
export async function walkStructures(
  disk: Disk,
  { front = 12, back = 2, most = 1500 }: WalkLimits = {},
): Promise<StructureNode[]> {
  const tree = new StructureTree(disk);
  const found: StructureNode[] = [];
  const queue: { id: string; children: number }[] = [{ id: '', children: Infinity }];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { id, children } = next;
    const nodes = await tree.children(id, 0, front);
    if (id !== '') expect(nodes.length, id).toBe(Math.min(front, children));
    if (children > front && children < Infinity) {
      nodes.push(...(await tree.children(id, Math.max(front, children - back), back)));
    }
    for (const node of nodes) {
      see(node, id);
      found.push(node);
      if (node.children > 0) queue.push(node);
    }
    if (found.length >= most) break;
  }
  // Whoever comes by an id sees the same.
  for (const node of found.filter((_, index) => index % 17 === 0)) {
    const path = await tree.pathTo(node.id);
    expect(path.map(({ id }) => id)).toEqual(stepsOf(node.id));
    expect(path.at(-1)).toEqual(node);
  }
  return found;
}

function see(node: StructureNode, parent: string): void {
  const { id, key, meaning, offset, length, children, value } = node;
  expect(id.startsWith(parent === '' ? '' : `${parent}/`) && id !== parent, id).toBe(true);
  expect(key === '' || meaning === '', id).toBe(false);
  expect(offset >= 0 && length >= 0 && Number.isInteger(children) && children >= 0, id).toBe(true);
  expect(Number.isFinite(offset + length), id).toBe(true);
  expect((value?.text.length ?? 0) <= 4096, id).toBe(true);
  const target = value?.target?.offset ?? 0;
  expect(Number.isSafeInteger(target) && target >= 0, id).toBe(true);
  structuredClone(node);
}

/** `a`, `a/b`, `a/b/c`. */
function stepsOf(id: string): string[] {
  const steps = id.split('/');
  return steps.map((_, index) => steps.slice(0, index + 1).join('/'));
}
