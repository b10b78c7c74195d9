import { describe, expect, it } from 'vitest';
import { shellWords } from '../../src/worker/shell-words.ts';

/** Each line with the words that `sh` makes of it. */
const LINES: [line: string, words: string[]][] = [
  ['', []],
  ['   \t ', []],
  ['info a.qcow2', ['info', 'a.qcow2']],
  ['  info   a.qcow2  ', ['info', 'a.qcow2']],
  ["info 'my disk.qcow2'", ['info', 'my disk.qcow2']],
  ['info "my disk.qcow2"', ['info', 'my disk.qcow2']],
  ['info my\\ disk.qcow2', ['info', 'my disk.qcow2']],
  ["info ''", ['info', '']],
  ['info ""x', ['info', 'x']],
  ['a\'b c\'d"e f"g', ['ab cde fg']],
  ["'a\\b'", ['a\\b']],
  ['"a\\b"', ['a\\b']],
  ['"a\\"b\\\\c\\$d\\`e"', ['a"b\\c$d`e']],
  ['"it\'s"', ["it's"]],
  ['\'say "so"\'', ['say "so"']],
  ['a\\\\b', ['a\\b']],
  ['a\\', ['a\\']],
  ['a\\\nb', ['ab']],
  ['convert -o size=1G,x=$HOME *.img', ['convert', '-o', 'size=1G,x=$HOME', '*.img']],
];

describe('shell words', () => {
  it.each(LINES)('%j', (line, words) => {
    expect(shellWords(line)).toEqual(words);
  });

  it.each(["info 'a", 'info "a', 'info "a\\"', "'"])('%j is not closed', (line) => {
    expect(shellWords(line)).toBeUndefined();
  });
});
