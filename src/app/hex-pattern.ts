/** What is looked for, as people write it: bytes in hex, or text. */

/** Bytes of the longest pattern that can be looked for. */
export const LONGEST_PATTERN = 256;

export type PatternProblem = 'empty' | 'not-hex' | 'half' | 'too-long';
export type ParsedPatterns = { patterns: Uint8Array<ArrayBuffer>[] } | { problem: PatternProblem };

/** Bytes in hex: `51 46 49 fb`, `514649FB`, `0x51, 0x46`, `\x51\x46`. */
export function parseHex(text: string): ParsedPatterns {
  const words = text
    .replaceAll(/0x|\\x/gi, ' ')
    .split(/[\s,;:-]+/)
    .filter((word) => word !== '');
  if (words.length === 0) return { problem: 'empty' };
  const digits: string[] = [];
  for (const word of words) {
    if (!/^[\da-f]+$/i.test(word)) return { problem: 'not-hex' };
    if (word.length > 1 && word.length % 2 === 1) return { problem: 'half' };
    digits.push(word.length === 1 ? `0${word}` : word);
  }
  const all = digits.join('');
  return bounded([Uint8Array.from(all.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))]);
}

/** Text as guests keep it: UTF-8, and UTF-16 with the low byte first, as Windows writes it. */
export function textPatterns(text: string): ParsedPatterns {
  if (text === '') return { problem: 'empty' };
  const wide = new Uint8Array(text.length * 2);
  const view = new DataView(wide.buffer);
  for (let at = 0; at < text.length; at++) view.setUint16(at * 2, text.charCodeAt(at), true);
  return bounded([new TextEncoder().encode(text), wide]);
}

function bounded(patterns: Uint8Array<ArrayBuffer>[]): ParsedPatterns {
  if (patterns.some(({ length }) => length > LONGEST_PATTERN)) return { problem: 'too-long' };
  return { patterns };
}
