/** How texts about findings are written. The same for all languages: the app has others. */

/** How numbers are written in a language. */
export interface Format {
  /** Bytes, as `1.5 GiB`. */
  size: (bytes: number) => string;
  count: (number: number) => string;
  /** A share from 0 to 1, as `12 %`. */
  percent: (share: number) => string;
  /** Milliseconds since 1970, as a date with the time. */
  moment: (time: number) => string;
}

/** What is said of one finding. Sentences; advice may be '', where there is none. */
export interface FindingText<V> {
  /** One line that names it, with its number. */
  title: (values: V, format: Format) => string;
  /** What it means for the owner, with the consequence. */
  why: (values: V, format: Format) => string;
  /** What to do. */
  advice: (values: V, format: Format) => string;
}

/** The texts of an area, complete: the compiler finds what is missing. */
export type Texts<V> = { readonly [C in keyof V]: FindingText<V[C]> };
