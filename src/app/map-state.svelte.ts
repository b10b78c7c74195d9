import type { AddressSpace, CellKind, OpenedImage, Picture, Place } from '../worker/api.ts';
import { engine } from './engine.svelte.ts';
import { jobs, type RunningJob } from './jobs.svelte.ts';
import { images } from './images.svelte.ts';
import { findNext, indexAt, otherSide, spanOf } from './map-cells.ts';
import type { Focus, OpenImage } from './open-image.svelte.ts';
import { type Problem, toProblem } from './problem.ts';

/** Milliseconds that a place stays selected before it is asked for: keys run fast. */
const REST = 80;

/** The picture of the file or of the disk. */
export class Side {
  picture = $state.raw<Picture>();
  job = $state.raw<RunningJob>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  /** What was open when the picture was asked for. */
  of: OpenedImage | undefined;
  /** Where the person was in it: a step of the zoom, and the first address that is seen. */
  step = 0;
  from = 0;
}

/** The map of one image: both pictures, and what is selected. */
export class MapState {
  readonly #image: OpenImage;
  readonly sides: Record<AddressSpace, Side> = { file: new Side(), guest: new Side() };
  space = $state<AddressSpace>('file');
  view = $state<'picture' | 'table'>('picture');
  /** The only kind that is not dimmed. */
  highlight = $state<CellKind>();
  place = $state.raw<Place>();
  problem = $state.raw<Problem>();
  /** The selection, if it is a coarse cell: its content is what counts, not its first byte. */
  block = $state.raw<Focus>();
  /** The selection that the map made itself: the picture stands where it is. */
  own: Focus | undefined;
  #asked = 0;

  constructor(image: OpenImage) {
    this.#image = image;
    this.space = image.focus?.space ?? (image.info?.format === 'raw' ? 'guest' : 'file');
  }

  get side(): Side {
    return this.sides[this.space];
  }

  /** Draws the picture of the side that is shown, unless it is there or on its way. */
  async draw(again = false): Promise<void> {
    const image = this.#image;
    const { opened } = image;
    const { space, side } = this;
    if (opened === undefined || (side.of === opened && !again)) return;
    side.job?.cancel();
    side.of = opened;
    side.problem = undefined;
    side.cancelled = false;
    try {
      const request = { kind: 'picture', image: opened.id, space } as const;
      const picture = await jobs.run<'picture'>(request, image.name, {
        quiet: true,
        running: (job) => {
          if (side.of === opened) side.job = job;
        },
      });
      if (side.of === opened) side.picture = picture;
    } catch (error) {
      // The image was changed meanwhile: its new picture is on its way.
      if (side.of !== opened) return;
      const problem = toProblem(error, image.name);
      if (problem.code === 'cancelled') side.cancelled = true;
      else side.problem = problem;
      if (problem.code === 'file-changed') image.changed = true;
    }
  }

  /** What is not wanted any more is stopped; it begins anew when somebody looks again. */
  leave(): void {
    for (const side of Object.values(this.sides)) {
      if (side.job === undefined) continue;
      side.job.cancel();
      side.of = undefined;
    }
  }

  /** Selects a cell of the picture. */
  select(level: number, index: number): void {
    const { picture } = this.side;
    if (picture === undefined) return;
    const focus = { space: this.space, ...spanOf(picture, level, index) };
    this.own = focus;
    this.block = level > 0 ? focus : undefined;
    this.#image.focus = focus;
  }

  /** Selects a place, and shows it: of the other side, if it is there. */
  goTo(focus: Focus): void {
    this.own = undefined;
    this.block = undefined;
    this.#image.focus = focus;
  }

  /** Shows the other side: what is selected there, if it has one. */
  turn(space: AddressSpace): void {
    if (space === this.space) return;
    const other = this.block === undefined ? otherSide(this.place, space) : undefined;
    this.highlight = undefined;
    this.space = space;
    if (other !== undefined) this.goTo(other);
  }

  /** Goes to the next place of a kind, or the one before. Returns whether there is one. */
  step(kind: CellKind, step: 1 | -1): boolean {
    const { picture } = this.side;
    const focus = this.#image.focus;
    if (picture === undefined) return false;
    const at = focus?.space === this.space ? indexAt(picture, focus.offset) : undefined;
    const next = findNext(picture, kind, at, step);
    if (next === undefined) return false;
    this.goTo({ space: this.space, ...spanOf(picture, 0, next) });
    return true;
  }

  /** Asks what lies at the selection. */
  async look(): Promise<void> {
    const focus = this.#image.focus;
    const asked = ++this.#asked;
    const isBlock = focus !== undefined && focus === this.block;
    if (focus === undefined || isBlock) {
      this.place = undefined;
      this.problem = undefined;
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, REST));
    if (asked !== this.#asked) return;
    if (images.current === this.#image) images.writeAddress();
    const answer = await this.ask(focus);
    if (asked !== this.#asked) return;
    this.place = answer !== undefined && 'kind' in answer ? answer : undefined;
    this.problem = answer !== undefined && 'code' in answer ? answer : undefined;
  }

  /** What lies at an address; undefined: the image is not open any more. */
  async ask({
    space,
    offset,
  }: Pick<Focus, 'space' | 'offset'>): Promise<Place | Problem | undefined> {
    const { opened } = this.#image;
    if (opened === undefined) return undefined;
    try {
      return await (await engine.client()).place(opened.id, space, offset);
    } catch (error) {
      return toProblem(error, this.#image.name);
    }
  }
}

const states = new WeakMap<OpenImage, MapState>();

/** The map of an image, as it was left. */
export function mapOf(image: OpenImage): MapState {
  let state = states.get(image);
  if (state === undefined) {
    state = new MapState(image);
    states.set(image, state);
  }
  return state;
}
