import type { StructureNode } from '../worker/api.ts';

/** Nodes that are asked for at once. */
export const PIECE = 500;

/** Asks the worker for what is below a node: '' for the top. */
export type LoadNodes = (id: string, from: number, most: number) => Promise<StructureNode[]>;

interface Base {
  /** 1 for the top. */
  level: number;
  /** Unique in the tree. */
  key: string;
  /** The node that it is below; '' for the top. */
  parent: string;
}

/** A line of the tree as it is shown. */
export type TreeRow =
  | (Base & {
      kind: 'node';
      node: StructureNode;
      /** Its number among those below its parent, from 1, and how many these are. */
      position: number;
      count: number;
      isOpen: boolean;
    })
  | (Base & { kind: 'more'; from: number; count: number; isBefore: boolean })
  | (Base & { kind: 'loading' })
  | (Base & { kind: 'failed'; error: unknown });

/** What is known of the nodes below one. */
interface Branch {
  /** By the number of the first, a multiple of {@link PIECE}. */
  pieces: Map<number, StructureNode[]>;
  /** How many there are; of the top as many as came. */
  count: number;
  isOpen: boolean;
  /** What is being loaded. */
  loading: Promise<void> | undefined;
  error: unknown;
}

/** The structures of a file: loaded where somebody looks, in pieces. */
export class StructureTree {
  rows: readonly TreeRow[] = [];
  filter = '';
  /** The top was loaded. */
  isReady = false;
  readonly #load: LoadNodes;
  readonly #changed: () => void;
  #branches = new Map<string, Branch>();
  #nodes = new Map<string, { node: StructureNode; parent: string }>();

  /** `changed`: there are other rows than before. */
  constructor(load: LoadNodes, changed: () => void) {
    this.#load = load;
    this.#changed = changed;
  }

  /** Loads the top. */
  async start(): Promise<void> {
    this.#branches = new Map([['', emptyBranch(Infinity)]]);
    this.#nodes = new Map();
    this.isReady = false;
    await this.open('');
    this.isReady = this.#branches.get('')?.error === undefined;
    this.#changed();
  }

  get top(): readonly StructureNode[] {
    return this.children('');
  }

  /** What is loaded of the nodes below one, in order. */
  children(id: string): readonly StructureNode[] {
    const pieces = this.#branches.get(id)?.pieces ?? new Map<number, StructureNode[]>();
    return [...pieces].sort(([a], [b]) => a - b).flatMap(([, nodes]) => nodes);
  }

  /** A node that was loaded, after all that it is below. */
  pathTo(id: string): StructureNode[] {
    const known = this.#nodes.get(id);
    return known === undefined ? [] : [...this.pathTo(known.parent), known.node];
  }

  /** Those that were loaded together with a node: it and its neighbours. */
  around(id: string, parent: string): readonly StructureNode[] {
    for (const nodes of this.#branches.get(parent)?.pieces.values() ?? []) {
      if (nodes.some((node) => node.id === id)) return nodes;
    }
    return [];
  }

  setFilter(text: string): void {
    this.filter = text;
    this.#show();
  }

  /** Opens a node, and loads what is below it. */
  async open(id: string): Promise<void> {
    const branch = this.#branches.get(id);
    if (branch === undefined) return;
    branch.isOpen = true;
    if (branch.pieces.size === 0) await this.more(id, 0);
    else this.#show();
  }

  close(id: string): void {
    const branch = this.#branches.get(id);
    if (branch !== undefined) branch.isOpen = false;
    this.#show();
  }

  /** Loads the piece of the nodes below one that begins with that number. */
  async more(id: string, from: number): Promise<void> {
    const branch = this.#branches.get(id);
    while (branch?.loading !== undefined) await branch.loading;
    if (branch === undefined || branch.pieces.has(from)) return;
    branch.loading = this.#fill(id, branch, from);
    this.#show();
    await branch.loading;
  }

  async #fill(id: string, branch: Branch, from: number): Promise<void> {
    branch.error = undefined;
    try {
      const nodes = await this.#load(id, from, Math.min(PIECE, branch.count - from));
      this.#keep(id, branch, from, nodes);
    } catch (error) {
      branch.error = error;
    }
    branch.loading = undefined;
    this.#show();
  }

  /** Opens everything on the way to the last of these nodes, each of which is below the one before. */
  async reveal(path: readonly StructureNode[]): Promise<void> {
    let parent = '';
    for (const node of path) {
      await this.#reach(parent, node);
      parent = node.id;
    }
    this.#show();
  }

  async #reach(parent: string, node: StructureNode): Promise<void> {
    await this.open(parent);
    const branch = this.#branches.get(parent);
    if (branch === undefined || this.around(node.id, parent).length > 0) return;
    // Entries of tables are called by their number, which tells in which piece they are.
    const number = Number(node.id.slice(parent.length).split('/').at(-1));
    const guess = Number.isSafeInteger(number) ? Math.floor(number / PIECE) * PIECE : 0;
    if (guess < branch.count) await this.more(parent, guess);
  }

  #keep(id: string, branch: Branch, from: number, nodes: StructureNode[]): void {
    branch.pieces.set(from, nodes);
    if (branch.count === Infinity && nodes.length < PIECE) branch.count = from + nodes.length;
    for (const node of nodes) {
      this.#nodes.set(node.id, { node, parent: id });
      if (node.children > 0 && !this.#branches.has(node.id)) {
        this.#branches.set(node.id, emptyBranch(node.children));
      }
    }
  }

  /** The tree as lines, or what of it the filter lets through. */
  #show(): void {
    const wanted = this.filter.trim().toLowerCase();
    this.rows = wanted === '' ? this.#lines('', 1) : this.#filtered('', 1, wanted);
    this.#changed();
  }

  #lines(id: string, level: number): TreeRow[] {
    const branch = this.#branches.get(id);
    if (branch === undefined) return [];
    const lines: TreeRow[] = [];
    let next = 0;
    for (const [from, nodes] of [...branch.pieces].sort(([a], [b]) => a - b)) {
      if (from > next) lines.push(moreRow(id, level, from, next, true));
      nodes.forEach((node, index) => {
        const isOpen = this.#branches.get(node.id)?.isOpen === true;
        lines.push(nodeRow(node, id, level, from + index + 1, branch.count, isOpen));
        if (isOpen) for (const line of this.#lines(node.id, level + 1)) lines.push(line);
      });
      next = from + nodes.length;
      // A short piece in the middle: what is missing in it is asked for no second time.
      if (nodes.length > 0) next = Math.min(branch.count, Math.max(next, from + PIECE));
    }
    const base = { level, parent: id };
    if (branch.loading !== undefined)
      lines.push({ kind: 'loading', key: `${id}/…loading`, ...base });
    else if (branch.error !== undefined) {
      lines.push({ kind: 'failed', key: `${id}/…failed`, error: branch.error, ...base });
    } else if (branch.pieces.size > 0 && next < branch.count && branch.count !== Infinity) {
      lines.push(moreRow(id, level, next, branch.count, false));
    }
    return lines;
  }

  /** Lines that have the wanted text in them, below those that lead to them. */
  #filtered(id: string, level: number, wanted: string): TreeRow[] {
    const branch = this.#branches.get(id);
    const lines: TreeRow[] = [];
    for (const [from, nodes] of branch?.pieces ?? []) {
      nodes.forEach((node, index) => {
        const below = this.#filtered(node.id, level + 1, wanted);
        if (below.length === 0 && !matches(node, wanted)) return;
        const count = branch?.count ?? nodes.length;
        lines.push(nodeRow(node, id, level, from + index + 1, count, below.length > 0));
        for (const line of below) lines.push(line);
      });
    }
    return lines;
  }
}

function emptyBranch(count: number): Branch {
  return { pieces: new Map(), count, isOpen: false, loading: undefined, error: undefined };
}

function nodeRow(
  node: StructureNode,
  parent: string,
  level: number,
  position: number,
  count: number,
  isOpen: boolean,
): TreeRow {
  const known = count === Infinity ? -1 : count;
  return { kind: 'node', key: node.id, node, parent, level, position, count: known, isOpen };
}

/** Asks for the piece in front of `from`, or from there on. */
function moreRow(
  parent: string,
  level: number,
  from: number,
  other: number,
  isBefore: boolean,
): TreeRow {
  const start = isBefore ? from - PIECE : from;
  const count = isBefore ? Math.min(PIECE, from - other) : Math.min(PIECE, other - from);
  const key = `${parent}/…${start}`;
  return { kind: 'more', key, parent, level, from: Math.max(0, start), count, isBefore };
}

function matches({ label, meaning, value, offset }: StructureNode, wanted: string): boolean {
  const texts = [label, meaning, value?.text ?? '', value?.means ?? '', `0x${offset.toString(16)}`];
  return [...texts, ...(value?.bits ?? [])].some((text) => text.toLowerCase().includes(wanted));
}
