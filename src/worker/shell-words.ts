/**
 * Splits a line into words as a POSIX shell does (XCU 2.2 «Quoting»): blanks, quotes, backslashes.
 * Nothing is expanded: there are no variables, no patterns and no other commands here.
 * @returns the words; undefined when a quotation mark is not closed
 */
export function shellWords(line: string): string[] | undefined {
  const words: string[] = [];
  // A word begins with its first character or quotation mark: '' is an empty word, not none.
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    const next = line.charAt(at + 1);
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (quote === '"' && char === '\\' && isSpecial(next))
        word = (word ?? '') + escaped(++at);
      else word = (word ?? '') + char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (char === '\\' && next !== '') {
      word = (word ?? '') + escaped(++at);
    } else if (isBlank(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '') return undefined;
  if (word !== undefined) words.push(word);
  return words;

  /** What a backslash makes of the character: a line that goes on is joined. */
  function escaped(at: number): string {
    const char = line.charAt(at);
    return char === '\n' ? '' : char;
  }
}

function isBlank(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r';
}

/** Before these a backslash counts inside double quotes. */
function isSpecial(char: string): boolean {
  return char !== '' && '$`"\\\n'.includes(char);
}
