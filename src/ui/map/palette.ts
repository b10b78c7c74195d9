/** The colours of the map as they are now: of the theme, or of the system where it forces its own. */
import type { CellKind } from '../../worker/api.ts';
import { KIND_ORDER } from '../../app/map-kinds.ts';

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [number, number, number];

export interface Palette {
  /** Between the cells and behind them. */
  ground: Colour;
  ink: Colour;
  faint: Colour;
  accent: Colour;
  kinds: Record<CellKind, Colour>;
  /** The font of addresses, for a size in CSS pixels. */
  mono: string;
}

/** Reads the tokens; `probe` is an element that nobody sees, in the theme that counts. */
export function readPalette(probe: HTMLElement): Palette {
  const read = (token: string): Colour => {
    probe.style.color = `var(--${token})`;
    return parse(getComputedStyle(probe).color);
  };
  const kinds = Object.fromEntries(KIND_ORDER.map((kind) => [kind, read(`cell-${kind}`)]));
  const palette = {
    ground: read('cell-ground'),
    ink: read('cell-ink'),
    faint: read('cell-faint'),
    accent: read('cell-accent'),
    kinds: kinds as Record<CellKind, Colour>,
    mono: getComputedStyle(probe).fontFamily,
  };
  probe.style.color = '';
  return palette;
}

/** `rgb(1, 2, 3)`, as browsers give every computed colour of that kind. */
function parse(colour: string): Colour {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue];
}

/** Calls `listener` when another theme may be on; returns how to stop. */
export function onThemeChange(listener: () => void): () => void {
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) =>
    matchMedia(query),
  );
  for (const query of queries) query.addEventListener('change', listener);
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
  return () => {
    for (const query of queries) query.removeEventListener('change', listener);
    observer.disconnect();
  };
}

/** `share` of the second colour in the first. */
export function mix(first: Colour, second: Colour, share: number): Colour {
  const one = (index: 0 | 1 | 2): number =>
    Math.round(first[index] * (1 - share) + second[index] * share);
  return [one(0), one(1), one(2)];
}

export function css([red, green, blue]: Colour): string {
  return `rgb(${red} ${green} ${blue})`;
}

/** Relative luminance, WCAG 2.2. */
export function luminance(colour: Colour): number {
  const [red, green, blue] = colour.map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}

/** Black or white, whichever is read better on a colour. */
export function inkOn(colour: Colour): Colour {
  return luminance(colour) > 0.179 ? [12, 15, 19] : [255, 255, 255];
}
