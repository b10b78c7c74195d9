import { LITERAL_CODES, MAX_BITS, assignCodes } from './codes.ts';

/** Places of a tree with all of its inner nodes, and one that stays empty. */
const NODES = 2 * LITERAL_CODES + 1;

/*
 * Working space for all trees: nothing is kept in it between two. Leaves are nodes below the number
 * of symbols, inner nodes are counted on from there.
 */
const heap = new Uint16Array(NODES);
const weight = new Uint32Array(NODES);
const depth = new Uint8Array(NODES);
const parent = new Uint16Array(NODES);
const level = new Uint8Array(NODES);
const perLength = new Int32Array(MAX_BITS + 1);
/** Nodes in the order in which they were taken off the heap. */
const taken = new Uint16Array(NODES);

/**
 * A Huffman code for the symbols of a block. Where several codes are equally good, it is the one
 * that zlib makes: that decides about the bytes of the result.
 */
export class Code {
  /** How often each symbol occurs in the block. */
  readonly counts: Uint32Array;
  /** Bits of each symbol's code; 0 for those that have none. */
  readonly bits: Uint8Array;
  readonly codes: Uint16Array;
  /** The last symbol that has a code. */
  last = 0;
  readonly #maxBits: number;

  /** @param maxBits of a code, at most 15 */
  constructor(symbols: number, maxBits: number) {
    this.counts = new Uint32Array(symbols);
    this.bits = new Uint8Array(symbols);
    this.codes = new Uint16Array(symbols);
    this.#maxBits = maxBits;
  }

  /** Makes the code for the counts. A code has at least two symbols, whether they occur or not. */
  build(): void {
    const { counts, bits } = this;
    const symbols = counts.length;
    let size = 0;
    let last = -1;
    for (let symbol = 0; symbol < symbols; symbol++) {
      const count = counts[symbol] as number;
      if (count === 0) continue;
      heap[++size] = last = symbol;
      weight[symbol] = count;
      depth[symbol] = 0;
    }
    bits.fill(0);
    while (size < 2) {
      const symbol = last < 2 ? ++last : 0;
      heap[++size] = symbol;
      weight[symbol] = 1;
      depth[symbol] = 0;
    }
    this.last = last;
    const nodes = joinNodes(size, symbols);
    this.#measure(nodes, symbols);
    assignCodes(bits, last + 1, this.codes);
  }

  /** Bits of all symbols in the block. @param extra bits behind each code from `first` on */
  cost(extra: Uint8Array, first: number): number {
    return costOf(this.counts, this.bits, extra, first);
  }

  /** Lengths of the codes, from the root down, none longer than allowed. */
  #measure(nodes: number, symbols: number): void {
    const { bits } = this;
    const maxBits = this.#maxBits;
    perLength.fill(0);
    let overlong = 0;
    level[taken[nodes - 1] as number] = 0;
    for (let index = nodes - 2; index >= 0; index--) {
      const node = taken[index] as number;
      let length = (level[parent[node] as number] as number) + 1;
      if (length > maxBits) {
        length = maxBits;
        overlong += 1;
      }
      level[node] = length;
      if (node >= symbols) continue;
      bits[node] = length;
      perLength[length] = (perLength[length] as number) + 1;
    }
    if (overlong > 0) this.#shorten(overlong, symbols);
  }

  /** Moves leaves so that all fit into the longest length, and hands the lengths out again. */
  #shorten(overlong: number, symbols: number): void {
    const maxBits = this.#maxBits;
    for (let left = overlong; left > 0; left -= 2) {
      let length = maxBits - 1;
      while (perLength[length] === 0) length -= 1;
      perLength[length] = (perLength[length] as number) - 1;
      perLength[length + 1] = (perLength[length + 1] as number) + 2;
      perLength[maxBits] = (perLength[maxBits] as number) - 1;
    }
    let index = 0;
    for (let length = maxBits; length > 0; length--) {
      for (let count = perLength[length] as number; count > 0;) {
        const node = taken[index++] as number;
        if (node >= symbols) continue;
        this.bits[node] = length;
        count -= 1;
      }
    }
  }
}

/** Bits that symbols take in a code. @param extra bits behind each code from `first` on */
export function costOf(
  counts: Uint32Array,
  bits: Uint8Array,
  extra: Uint8Array,
  first: number,
): number {
  let sum = 0;
  for (let symbol = 0; symbol < first; symbol++) {
    sum += (counts[symbol] as number) * (bits[symbol] as number);
  }
  for (let symbol = first; symbol < counts.length; symbol++) {
    sum +=
      (counts[symbol] as number) * ((bits[symbol] as number) + (extra[symbol - first] as number));
  }
  return sum;
}

/**
 * Joins the two lightest nodes until one is left.
 * @param leaves how many are in the heap; inner nodes are numbered from `symbols` on
 * @returns how many nodes are in `taken`: the root is the last of them
 */
function joinNodes(leaves: number, symbols: number): number {
  let size = leaves;
  for (let place = size >> 1; place >= 1; place--) sink(place, size);
  let count = 0;
  let node = symbols;
  do {
    const first = heap[1] as number;
    heap[1] = heap[size--] as number;
    sink(1, size);
    const second = heap[1];
    taken[count++] = first;
    taken[count++] = second;
    weight[node] = (weight[first] as number) + (weight[second] as number);
    depth[node] = Math.max(depth[first] as number, depth[second] as number) + 1;
    parent[first] = node;
    parent[second] = node;
    heap[1] = node++;
    sink(1, size);
  } while (size >= 2);
  taken[count++] = heap[1];
  return count;
}

/** Lets the node at `start` down to its place. Of equal weights the shallower one is the lighter. */
function sink(start: number, size: number): void {
  const node = heap[start] as number;
  const own = weight[node] as number;
  const ownDepth = depth[node] as number;
  let place = start;
  for (let below = place << 1; below <= size; below <<= 1) {
    let child = heap[below] as number;
    let mass = weight[child] as number;
    if (below < size) {
      const other = heap[below + 1] as number;
      const otherMass = weight[other] as number;
      const isLighter =
        otherMass < mass ||
        (otherMass === mass && (depth[other] as number) <= (depth[child] as number));
      if (isLighter) {
        below += 1;
        child = other;
        mass = otherMass;
      }
    }
    if (own < mass || (own === mass && ownDepth <= (depth[child] as number))) break;
    heap[place] = child;
    place = below;
  }
  heap[place] = node;
}
