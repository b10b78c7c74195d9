/**
 * How long work took in this browser, against what was expected: so that the next forecast is nearer.
 * A few numbers in localStorage, nothing of files.
 */

/**
 * Kinds of work: copying in private storage without packing, unpacking, packing, straight to a chosen
 * place; copying from private storage to the place; the browser's check of it; comparing.
 */
const WORKS = ['plain', 'unpack', 'pack', 'place', 'writing', 'finishing', 'verifying'] as const;
export type Work = (typeof WORKS)[number];

/** To be changed with the rates that forecasts begin with: what was learned holds against them. */
const KEY = 'speeds-1';
/** How many of each are remembered: the newest. */
const MOST = 5;
/** Shorter work says nothing about speed. Seconds. */
const LEAST = 0.7;
/** A machine that slept is no slow machine. */
const LIMIT = 20;

type Kept = Partial<Record<Work, readonly number[]>>;

export class Speeds {
  #kept: Kept | undefined;

  /** How many times as long as expected such work takes here; 1 while nobody knows. */
  readonly factor = (work: Work): number => {
    const sorted = [...((this.#kept ??= read())[work] ?? [])].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 1;
  };

  /** Takes note of work that has ended. Both in seconds; what was expected is without any factor. */
  learn(work: Work, expected: number, took: number): void {
    if (!(expected > 0) || Math.max(expected, took) < LEAST) return;
    const factor = Math.min(LIMIT, Math.max(1 / LIMIT, took / expected));
    this.#kept ??= read();
    this.#kept = { ...this.#kept, [work]: [...(this.#kept[work] ?? []), factor].slice(-MOST) };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#kept));
    } catch {
      // Storage is switched off: known until the page closes.
    }
  }
}

/** What was kept, as far as it is what this file writes. */
function read(): Kept {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    if (typeof kept !== 'object' || kept === null) return {};
    const known: Kept = {};
    for (const work of WORKS) {
      const list: unknown = (kept as Record<string, unknown>)[work];
      if (Array.isArray(list)) known[work] = list.filter(isFactor).slice(-MOST);
    }
    return known;
  } catch {
    return {};
  }
}

function isFactor(value: unknown): value is number {
  return typeof value === 'number' && value >= 1 / LIMIT && value <= LIMIT;
}

export const speeds = new Speeds();
