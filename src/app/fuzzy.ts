/** Finds what a person means by a few letters. */

/** How well letters fit, and which letters of the text they are. */
export interface Fit {
  /** The higher the better. */
  score: number;
  /** Indexes into the text, ascending. */
  at: readonly number[];
}

const START_OF_WORD = 8;
const NEXT_TO_EACH_OTHER = 6;
const AT_THE_VERY_START = 4;

/**
 * Whether all letters of `query` are in `text` in their order, apart from blanks; letters that
 * begin words or follow each other count more. An empty query fits everything.
 */
export function fit(query: string, text: string): Fit | undefined {
  const wanted = [...query.toLowerCase()].filter((letter) => letter.trim() !== '');
  const lower = text.toLowerCase();
  // Lower case of some letters is longer: their indexes would be those of another text.
  const letters = lower.length === text.length ? lower : text;
  const whole = letters.indexOf(query.trim().toLowerCase());
  if (wanted.length > 0 && whole >= 0) return inOnePiece(letters, whole, query.trim().length);
  // To look for the beginnings of words may run past letters that are wanted later.
  return walk(letters, wanted, bestPlace) ?? walk(letters, wanted, nextPlace);
}

type Search = (text: string, letter: string, from: number) => number;

function walk(text: string, wanted: readonly string[], search: Search): Fit | undefined {
  const at: number[] = [];
  let score = 0;
  let from = 0;
  for (const letter of wanted) {
    const found = search(text, letter, from);
    if (found < 0) return undefined;
    score += valueOf(text, found, at.at(-1));
    at.push(found);
    from = found + letter.length;
  }
  return { score: score - text.length / 100, at };
}

function nextPlace(text: string, letter: string, from: number): number {
  return text.indexOf(letter, from);
}

/** Where the letter begins a word, else where it comes next. */
function bestPlace(text: string, letter: string, from: number): number {
  const next = text.indexOf(letter, from);
  if (next <= from) return next;
  for (let place = next; place >= 0; place = text.indexOf(letter, place + 1)) {
    if (beginsWord(text, place)) return place;
  }
  return next;
}

function valueOf(text: string, at: number, before: number | undefined): number {
  let value = 1;
  if (at === 0) value += AT_THE_VERY_START;
  if (beginsWord(text, at)) value += START_OF_WORD;
  if (before !== undefined && at === before + 1) value += NEXT_TO_EACH_OTHER;
  return value;
}

function beginsWord(text: string, at: number): boolean {
  return at === 0 || !/[\p{L}\p{N}]/u.test(text.charAt(at - 1));
}

function inOnePiece(text: string, start: number, length: number): Fit {
  const at = Array.from({ length }, (_, index) => start + index);
  const score = at.reduce((sum, place) => sum + valueOf(text, place, place - 1), 0);
  return { score: score + length * NEXT_TO_EACH_OTHER - text.length / 100, at };
}
