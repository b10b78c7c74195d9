/** The structures of an image's file as a tree of nodes, a few of which are made at a time. */
import type { Disk, FormatName } from '../formats/format.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { listed, type Part, type StructureNode, type Structures } from '../formats/structure.ts';

import type { Storage } from '../storage/storage.ts';

export type { StructureNode, StructureValue } from '../formats/structure.ts';

/** Nodes that are made at once, at most. */
export const MOST_NODES = 500;
/** Steps of an id: no tree is deeper. */
const DEEPEST = 16;

const NOTHING: Structures = { top: listed([]), idAt: () => Promise.resolve('') };

/** The tree of one image, opened for whatever can be done with it. */
export class StructureTree {
  readonly #disk: Disk;
  #structures: Promise<Structures> | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /**
   * What is below a node, from number `from` on, at most so many and {@link MOST_NODES}. Nothing
   * where there is no such node.
   * @param id '' for the top
   * @throws ImageError those of reading
   */
  async children(id: string, from: number, most: number): Promise<StructureNode[]> {
    const parts = id === '' ? (await this.#known()).top : (await this.#follow(id)).at(-1)?.below;
    if (parts === undefined) return [];
    const found = await parts.list(Math.max(0, Math.floor(from)), Math.min(most, MOST_NODES));
    return found.map((part) => nodeOf(part, id));
  }

  /** The nodes that lead to the one with that id, itself last; none where it is not there. */
  async pathTo(id: string): Promise<StructureNode[]> {
    return nodesOf(await this.#follow(id));
  }

  /** The nodes that lead to the innermost structure at an address of the file, outermost first. */
  async pathAt(offset: number): Promise<StructureNode[]> {
    const structures = await this.#known();
    const path = await this.#follow(await structures.idAt(offset));
    // From there on, as far as what is inside lies inside.
    let parts = path.length === 0 ? structures.top : path.at(-1)?.below;
    while (parts !== undefined && path.length < DEEPEST) {
      const inner = await parts.at(offset);
      if (inner === undefined) break;
      path.push(inner);
      parts = inner.below;
    }
    return nodesOf(path);
  }

  async #known(): Promise<Structures> {
    this.#structures ??= structuresOf(this.#disk);
    try {
      return await this.#structures;
    } catch (error) {
      this.#structures = undefined;
      throw error;
    }
  }

  async #follow(id: string): Promise<Part[]> {
    const steps = id === '' ? [] : id.split('/', DEEPEST + 1);
    const path: Part[] = [];
    let parts: Structures['top'] | undefined = (await this.#known()).top;
    for (const step of steps) {
      const found: Part | undefined = await parts?.find(step);
      if (found === undefined) return [];
      path.push(found);
      parts = found.below;
    }
    return path;
  }
}

/** What tells of a file as it is. qcow2 has more to go by. */
type Teller = (storage: Storage) => Promise<Structures>;

const TELLERS: Partial<Record<FormatName, () => Promise<{ structuresOf: Teller }>>> = {
  bochs: () => import('../formats/bochs/structure.ts'),
  cloop: () => import('../formats/cloop/structure.ts'),
  dmg: () => import('../formats/dmg/structure.ts'),
  luks: () => import('../formats/luks-structure.ts'),
  parallels: () => import('../formats/parallels/structure.ts'),
  qcow: () => import('../formats/qcow/structure.ts'),
  qed: () => import('../formats/qed/structure.ts'),
  vdi: () => import('../formats/vdi/structure.ts'),
  vhdx: () => import('../formats/vhdx/structure.ts'),
  vmdk: () => import('../formats/vmdk/structure.ts'),
  vpc: () => import('../formats/vpc/structure.ts'),
};

async function structuresOf(disk: Disk): Promise<Structures> {
  if (disk instanceof Qcow2Image) {
    return (await import('../formats/qcow2/structure.ts')).structuresOf(disk);
  }
  const teller = await TELLERS[disk.format]?.();
  return teller?.structuresOf(disk.storage) ?? NOTHING;
}

function nodesOf(path: readonly Part[]): StructureNode[] {
  const nodes: StructureNode[] = [];
  for (const part of path) nodes.push(nodeOf(part, nodes.at(-1)?.id ?? ''));
  return nodes;
}

function nodeOf({ step, below, ...part }: Part, parent: string): StructureNode {
  return { ...part, id: parent === '' ? step : `${parent}/${step}`, children: below?.count ?? 0 };
}
