/** A set of clusters, a bit for each, in pages that exist once touched. */
const PAGE_BITS = 16;
const WORDS = 2 ** PAGE_BITS / 32;

export class OneBits {
  readonly #pages: (Uint32Array | undefined)[] = [];

  add(cluster: number): void {
    const page = (this.#pages[cluster >>> PAGE_BITS] ??= new Uint32Array(WORDS));
    const word = (cluster >>> 5) & (WORDS - 1);
    page[word] = (page[word] as number) | (1 << (cluster & 31));
  }

  has(cluster: number): boolean {
    const page = this.#pages[cluster >>> PAGE_BITS];
    const word = page?.[(cluster >>> 5) & (WORDS - 1)] ?? 0;
    return ((word >>> (cluster & 31)) & 1) === 1;
  }
}
