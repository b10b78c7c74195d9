import type { AddressSpace, Bytes } from '../worker/api.ts';

/** Bytes that are asked for at once. */
export const PAGE = 65_536;
/** Pages that are kept: what is around the places that were looked at last. */
const KEPT = 64;
/** Questions that are under way at the same time. */
const AT_ONCE = 2;

/** Asks the worker. */
export type ReadBytes = (space: AddressSpace, offset: number, length: number) => Promise<Bytes>;

/** What is known of one byte. */
export const UNREADABLE = -1;
export const NOT_THERE_YET = -2;

interface Page {
  bytes: Uint8Array;
  unreadable: Bytes['unreadable'];
}

/**
 * Bytes of an image as they are scrolled through: what is on the screen is asked for first, what
 * was scrolled past in between is not asked for at all.
 */
export class ByteSource {
  readonly #read: ReadBytes;
  readonly #explain: (error: unknown) => string;
  readonly #arrived: () => void;
  readonly #pages = new Map<string, Page>();
  readonly #asked = new Set<string>();
  #wanted: { space: AddressSpace; page: number }[] = [];

  /** `explain`: why a page cannot be read, in a sentence; `arrived`: what is known has changed. */
  constructor(read: ReadBytes, explain: (error: unknown) => string, arrived: () => void) {
    this.#read = read;
    this.#explain = explain;
    this.#arrived = arrived;
  }

  /** Forgets everything: the image is another one. */
  clear(): void {
    this.#pages.clear();
    this.#wanted = [];
    this.#arrived();
  }

  /** What is on the screen, and what may soon be: replaces what was wanted before. */
  want(space: AddressSpace, from: number, to: number, size: number): void {
    const first = Math.floor(from / PAGE);
    const last = Math.floor(Math.max(from, to - 1) / PAGE);
    const pages: number[] = [];
    for (let page = first; page <= last; page++) pages.push(page);
    // A quarter of a page ahead in both directions.
    if (from - first * PAGE < PAGE / 4 && first > 0) pages.push(first - 1);
    if ((last + 1) * PAGE - to < PAGE / 4 && (last + 1) * PAGE < size) pages.push(last + 1);
    this.#wanted = pages.map((page) => ({ space, page }));
    this.#pump(size);
  }

  /** One byte: 0 to 255, {@link UNREADABLE} or {@link NOT_THERE_YET}. */
  byte(space: AddressSpace, offset: number): number {
    const number = Math.floor(offset / PAGE);
    const page = this.#pages.get(key(space, number));
    if (page === undefined) return NOT_THERE_YET;
    if (page.unreadable.length > 0 && reasonIn(page, offset) !== undefined) return UNREADABLE;
    return page.bytes[offset - number * PAGE] ?? UNREADABLE;
  }

  /** Why nobody can read that byte; undefined: somebody can. */
  reason(space: AddressSpace, offset: number): string | undefined {
    const page = this.#pages.get(key(space, Math.floor(offset / PAGE)));
    return page && reasonIn(page, offset);
  }

  /** The bytes from there on, up to the first that is not known. */
  known(space: AddressSpace, offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) {
      const byte = this.byte(space, offset + at);
      if (byte < 0) return bytes.slice(0, at);
      bytes[at] = byte;
    }
    return bytes;
  }

  #pump(size: number): void {
    for (const { space, page } of this.#wanted) {
      if (this.#asked.size >= AT_ONCE) return;
      const id = key(space, page);
      if (this.#pages.has(id) || this.#asked.has(id)) continue;
      void this.#load(space, page, size);
    }
  }

  async #load(space: AddressSpace, page: number, size: number): Promise<void> {
    const id = key(space, page);
    const offset = page * PAGE;
    const length = Math.min(PAGE, size - offset);
    this.#asked.add(id);
    try {
      const { bytes, unreadable } = await this.#read(space, offset, length);
      this.#keep(id, { bytes, unreadable });
    } catch (error) {
      const reason = this.#explain(error);
      this.#keep(id, { bytes: new Uint8Array(), unreadable: [{ offset, length, reason }] });
    }
    this.#asked.delete(id);
    this.#pump(size);
  }

  #keep(id: string, page: Page): void {
    this.#pages.set(id, page);
    for (const [oldest] of this.#pages) {
      if (this.#pages.size <= KEPT) break;
      this.#pages.delete(oldest);
    }
    this.#arrived();
  }
}

function key(space: AddressSpace, page: number): string {
  return `${space} ${page}`;
}

function reasonIn({ unreadable }: Page, offset: number): string | undefined {
  return unreadable.find((part) => offset >= part.offset && offset < part.offset + part.length)
    ?.reason;
}
