/** Recognising a growing image of Bochs. Small, and without the rest: it is always loaded. */
import type { ProbedFile } from '../format.ts';

/** The texts of the header with the zeros behind them, and its versions 1 and 2. */
const TEXTS = [
  [0, 'Bochs Virtual HD Image\0'],
  [32, 'Redolog\0'],
  [48, 'Growing\0'],
] as const;

export function probeBochs({ first, size }: ProbedFile): number {
  return size >= 512 && isBochs(first) ? 100 : 0;
}

/** @param header the first 512 bytes of a file, or more */
export function isBochs(header: Uint8Array): boolean {
  const isText = TEXTS.every(([at, text]) =>
    Array.from(text).every((character, index) => header[at + index] === character.charCodeAt(0)),
  );
  const [low, high, major, top] = header.subarray(64, 68);
  return isText && low === 0 && high === 0 && (major === 1 || major === 2) && top === 0;
}
