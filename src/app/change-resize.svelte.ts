/** The size that somebody wants for a disk, while it is typed. */
import type { ResizePlan } from '../worker/api.ts';
import { foresee } from './changes.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { bytes } from './units.ts';
import { words } from './words.svelte.ts';

export const RESIZE_UNITS = ['MiB', 'GiB', 'TiB'] as const;
export type ResizeUnit = (typeof RESIZE_UNITS)[number];

const SECTOR = 512;
/** Milliseconds after the last key before it is looked at what would be cut off. */
const PAUSE = 250;

export class ResizeWish {
  readonly #image: OpenImage;
  amount = $state('');
  unit = $state<ResizeUnit>('GiB');
  #plan = $state.raw<ResizePlan>();
  #waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(image: OpenImage) {
    this.#image = image;
    this.begin();
  }

  /** Bytes. */
  get old(): number {
    return this.#image.info?.virtualSize ?? 0;
  }

  readonly size = $derived.by(() => {
    const factor = 2 ** (20 + 10 * RESIZE_UNITS.indexOf(this.unit));
    return Math.round(Number(this.amount.trim().replace(',', '.')) * factor);
  });

  readonly complaint = $derived.by(() => {
    const text = words.image.changes.resize;
    if (this.amount.trim() === '') return '';
    if (!Number.isSafeInteger(this.size) || this.size <= 0) return text.invalid;
    return this.size % SECTOR === 0 ? '' : text.sectors;
  });

  /** Whether it is a size, and another one than now. */
  get usable(): boolean {
    return this.amount.trim() !== '' && this.complaint === '' && this.size !== this.old;
  }

  get shrinks(): boolean {
    return this.usable && this.size < this.old;
  }

  /** What was looked at for this very size. */
  get seen(): ResizePlan | undefined {
    return this.#plan?.newSize === this.size ? this.#plan : undefined;
  }

  /** Nobody cuts anything off without having seen what. */
  get ready(): boolean {
    return this.usable && (!this.shrinks || this.seen !== undefined);
  }

  /** What the button says. */
  get label(): string {
    const text = words.image.changes.resize;
    const to = bytes(this.usable ? this.size : this.old, words.tag);
    if (!this.shrinks) return text.grow(to);
    const cut = this.seen?.cut.length ?? 0;
    return cut > 0 ? text.shrinkCut(to, cut) : text.shrink(to);
  }

  /** Starts with the size that the disk has. */
  begin(): void {
    const index = this.old >= 2 ** 40 ? 2 : this.old >= 2 ** 30 ? 1 : 0;
    this.unit = RESIZE_UNITS[index] ?? 'GiB';
    this.amount = String(this.old / 2 ** (20 + 10 * index));
    this.#plan = undefined;
  }

  /** Looks what this size would do, when nothing more is typed. Returns how to call it off. */
  lookSoon(): () => void {
    clearTimeout(this.#waiting);
    if (this.usable) {
      const wanted = this.size;
      this.#waiting = setTimeout(() => void this.#look(wanted), PAUSE);
    }
    return () => clearTimeout(this.#waiting);
  }

  async #look(wanted: number): Promise<void> {
    const edit = { kind: 'resize', size: wanted } as const;
    const found = await foresee(this.#image, edit).catch(() => undefined);
    if (wanted === this.size) this.#plan = found?.resize;
  }
}
