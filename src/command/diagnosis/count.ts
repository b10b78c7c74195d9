/** A number with the word for what is counted. */
import type { Format } from './texts.ts';

/** `1 cluster is`, `1,024 clusters are`. */
export function several(number: number, one: string, many: string, { count }: Format): string {
  return number === 1 ? `1 ${one}` : `${count(number)} ${many}`;
}
