import type { AddressSpace, Bytes, Place, StructureNode } from '../worker/api.ts';
import type { EngineClient } from '../worker/client.ts';
import { engine } from './engine.svelte.ts';
import { ByteSource } from './hex-bytes.ts';
import { HexSearch } from './hex-search.svelte.ts';
import { images } from './images.svelte.ts';
import type { Focus, OpenImage } from './open-image.svelte.ts';
import { explain, toProblem } from './problem.ts';
import { StructureTree, type TreeRow } from './structure-tree.ts';
import { words } from './words.svelte.ts';

/** Milliseconds that a byte stays chosen before somebody looks up what it belongs to. */
const NAME_AFTER = 120;
const WRITE_ADDRESS_AFTER = 300;
/** Places that one can go back to. */
const KEPT_PLACES = 50;
const MOST_BOOKMARKS = 200;

export interface Bookmark extends Focus {
  key: number;
  /** The structure that is there; '' for none. */
  label: string;
}

/** A place that the bytes are to be scrolled to. */
export interface ScrollWish extends Focus {
  /** In the middle, even if it is on the screen already. */
  always: boolean;
}

/** Structures and bytes of one image: what is chosen, what is known of it. */
export class StructureView {
  readonly image: OpenImage;
  readonly source: ByteSource;
  readonly tree: StructureTree;
  readonly search = new HexSearch();

  space = $state<AddressSpace>('file');
  /** Where a selection began, and where it ends now: both bytes are in it. */
  anchor = $state(0);
  cursor = $state(0);
  /** Counts the bytes that have arrived, for those who draw them. */
  version = $state(0);
  /** The lines of the tree, and whether there are none because there are no structures. */
  rows = $state.raw<readonly TreeRow[]>([]);
  isBare = $state(false);
  filter = $state('');
  wish = $state.raw<ScrollWish>();
  /** The nodes that lead to the chosen one, itself last. */
  path = $state.raw<readonly StructureNode[]>([]);
  /** What lies at the cursor; undefined while nobody knows. */
  place = $state.raw<Place>();
  bookmarks = $state.raw<readonly Bookmark[]>([]);
  tool = $state<'values' | 'find' | 'bookmarks'>('values');
  /** What came of copying the selection; '' once another is selected. */
  copied = $state('');
  /** What a narrow window shows. */
  pane = $state<'tree' | 'bytes'>('tree');
  /** Where the person came from by following addresses. */
  behind = $state.raw<readonly Focus[]>([]);
  /** The byte at the top of the screen, for when the panel is shown again. */
  readonly tops: Record<AddressSpace, number> = { file: 0, guest: 0 };

  #opened: OpenImage['opened'];
  #focus: Focus | undefined;
  #cursors: Record<AddressSpace, number> = { file: 0, guest: 0 };
  #naming = 0;
  #keys = 0;
  #waiting: ReturnType<typeof setTimeout> | undefined;
  #writing: ReturnType<typeof setTimeout> | undefined;

  constructor(image: OpenImage) {
    this.image = image;
    this.source = new ByteSource(
      (space, offset, length) => this.read(space, offset, length),
      (error) => explain(toProblem(error, image.name), words.image.errors).what,
      () => (this.version += 1),
    );
    this.tree = new StructureTree(
      (id, from, most) => this.#ask((client, image) => client.nodes(image, id, from, most)),
      () => {
        this.rows = this.tree.rows;
        this.isBare = this.tree.isReady && this.tree.top.length === 0;
      },
    );
  }

  /** Bytes of what is shown. */
  get size(): number {
    return this.sizeOf(this.space);
  }

  sizeOf(space: AddressSpace): number {
    const { info } = this.image;
    return (space === 'file' ? info?.fileSize : info?.virtualSize) ?? 0;
  }

  /** Whether there is anything at an address that something points to. */
  isThere(target: NonNullable<StructureNode['value']>['target']): boolean {
    return target !== undefined && target.offset < this.sizeOf(target.space);
  }

  /** The selected bytes; their number is 0 only where there are none at all. */
  readonly selection = $derived.by(() => ({
    offset: Math.min(this.anchor, this.cursor),
    length: Math.abs(this.anchor - this.cursor) + (this.size > 0 ? 1 : 0),
  }));

  get node(): StructureNode | undefined {
    return this.path.at(-1);
  }

  /**
   * The structures that the bytes around the chosen one are divided into: what is below it and made
   * of its bytes, as far as it is loaded; else it and its neighbours.
   */
  readonly fields = $derived.by((): readonly StructureNode[] => {
    const node = this.path.at(-1);
    // They change with what is loaded.
    if (node === undefined || this.rows.length === 0) return [];
    const below = this.tree.children(node.id);
    const isInside = below.some(
      ({ offset }) => offset >= node.offset && offset < node.offset + node.length,
    );
    if (isInside) return below;
    return this.tree.around(node.id, this.path.at(-2)?.id ?? '');
  });

  /** Starts, and starts anew when the image is another one: with changes, or read again. */
  async refresh(): Promise<void> {
    const { opened } = this.image;
    if (opened === this.#opened || opened === undefined) return;
    const isFirst = this.#opened === undefined;
    this.#opened = opened;
    this.source.clear();
    this.search.forget();
    this.place = undefined;
    this.path = [];
    const { focus } = this.image;
    if (isFirst && focus === undefined) await this.#begin();
    else {
      await this.tree.start();
      if (!isFirst) this.#lookUp(0);
    }
  }

  /** The first look: the header, and what its fields say. */
  async #begin(): Promise<void> {
    await this.tree.start();
    const [first] = this.tree.top;
    if (first === undefined || this.path.length > 0 || this.#focus !== undefined) return;
    this.path = [first];
    await this.tree.open(first.id);
  }

  /** Follows a place that another panel, or the address of the page, points to. */
  follow(focus: Focus | undefined): void {
    if (focus === undefined || focus === this.#focus) return;
    this.#focus = focus;
    this.pane = 'bytes';
    this.#goTo(focus);
    this.#lookUp(0);
  }

  /** A byte was chosen, or with `extend` the selection ends there. */
  select(offset: number, extend: boolean): void {
    this.cursor = this.#inside(offset, this.space);
    if (!extend) this.anchor = this.cursor;
    this.#look();
    this.#lookUp(NAME_AFTER);
  }

  /** A node of the tree was chosen: its bytes are shown. */
  choose(node: StructureNode): void {
    this.#naming += 1;
    clearTimeout(this.#waiting);
    this.path = this.tree.pathTo(node.id);
    this.place = undefined;
    if (node.length > 0 && node.offset < this.sizeOf('file')) {
      this.#goTo({ space: 'file', offset: node.offset, length: node.length });
    }
    this.#look();
  }

  /** Goes to an address; one can come back from there. */
  goTo(space: AddressSpace, offset: number, length = 1): void {
    const { offset: from, length: had } = this.selection;
    const here = { space: this.space, offset: from, length: had };
    this.behind = [...this.behind, here].slice(-KEPT_PLACES);
    this.#goTo({ space, offset, length });
    this.#look();
    this.#lookUp(0);
  }

  back(): void {
    const last = this.behind.at(-1);
    if (last === undefined) return;
    this.behind = this.behind.slice(0, -1);
    this.#goTo(last);
    this.#look();
    this.#lookUp(0);
  }

  /** Shows the other addresses, where they were left. */
  show(space: AddressSpace): void {
    if (space === this.space) return;
    this.#cursors[this.space] = this.cursor;
    this.#goTo({ space, offset: this.#cursors[space], length: 1 });
    this.#look();
    this.#lookUp(0);
  }

  /** Shows the next match of the search, or the one before. */
  stepMatch(by: 1 | -1): void {
    this.search.step(by);
    this.showMatch();
  }

  /** Shows the current match of the search. */
  showMatch(): void {
    const { found, current } = this.search;
    const match = found?.matches[current];
    if (found === undefined || match === undefined) return;
    this.#goTo({ space: found.space, ...match });
    this.#look();
    this.#lookUp(0);
  }

  addBookmark(): void {
    const { offset, length } = this.selection;
    const { space } = this;
    const label = this.path.map((node) => node.label).join(' › ');
    const others = this.bookmarks.filter((one) => one.space !== space || one.offset !== offset);
    const bookmark = { key: ++this.#keys, space, offset, length, label };
    this.bookmarks = [...others, bookmark].slice(-MOST_BOOKMARKS);
  }

  removeBookmark({ key }: Bookmark): void {
    this.bookmarks = this.bookmarks.filter((one) => one.key !== key);
  }

  setFilter(text: string): void {
    this.filter = text;
    this.tree.setFilter(text);
  }

  /** Reads bytes, at most a MiB: for copies and lists, which the screen does not hold. */
  async read(space: AddressSpace, offset: number, length: number): Promise<Bytes> {
    const read = await this.#ask((client, id) => client.bytes(id, space, offset, length));
    // What the medium said tells more than that it failed.
    const unreadable = read.unreadable.map(({ message = '', ...part }) =>
      part.reason === 'read-failed' && message !== '' ? { ...part, reason: message } : part,
    );
    return { ...read, unreadable };
  }

  #goTo({ space, offset, length }: Focus): void {
    this.space = space;
    const last = offset + Math.max(1, length) - 1;
    this.cursor = this.#inside(offset, space);
    this.anchor = this.#inside(last, space);
    this.wish = { space, offset: this.cursor, length, always: false };
  }

  #inside(offset: number, space: AddressSpace): number {
    return Math.max(0, Math.min(this.sizeOf(space) - 1, offset));
  }

  /** Tells the other panels, and the address of the page, what is looked at. */
  #look(): void {
    const { space, selection } = this;
    this.copied = '';
    this.#focus = { space, offset: selection.offset, length: selection.length };
    this.image.focus = this.#focus;
    clearTimeout(this.#writing);
    // Browsers limit how often it may be written.
    this.#writing = setTimeout(() => images.writeAddress(), WRITE_ADDRESS_AFTER);
  }

  #lookUp(after: number): void {
    clearTimeout(this.#waiting);
    const turn = ++this.#naming;
    this.#waiting = setTimeout(() => void this.#name(turn), after);
  }

  /** Finds out what the byte at the cursor belongs to. */
  async #name(turn: number): Promise<void> {
    const { space, cursor } = this;
    if (this.size === 0) return;
    const place = await this.#ask((client, id) => client.place(id, space, cursor)).catch(
      () => undefined,
    );
    if (turn !== this.#naming) return;
    this.place = place;
    const path = await this.#ask((client, id) => {
      if (space === 'file') return client.nodesAt(id, cursor);
      const entry = place?.uses[0]?.node;
      return entry === undefined ? Promise.resolve([]) : client.nodesTo(id, entry);
    }).catch(() => []);
    if (turn !== this.#naming) return;
    this.path = path;
    await this.tree.reveal(path);
  }

  async #ask<Result>(
    question: (client: EngineClient, id: number) => Promise<Result>,
  ): Promise<Result> {
    const id = this.image.opened?.id;
    if (id === undefined) throw new DOMException('closed', 'AbortError');
    return await question(await engine.client(), id);
  }
}

const views = new WeakMap<OpenImage, StructureView>();

/** What is known of an image stays while it is open. */
export function structureOf(image: OpenImage): StructureView {
  const view = views.get(image) ?? new StructureView(image);
  views.set(image, view);
  return view;
}
