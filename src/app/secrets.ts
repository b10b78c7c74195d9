/** Passphrases on a command line: what is kept of it, and shown again, is without them. */

/** In place of a passphrase. */
const HIDDEN = '•••';
/** What is between two words of a line. */
const WORD = /(?:[^\s'"\\]|\\.|'[^']*'?|"(?:[^"\\]|\\.)*"?)+/gs;

/**
 * The line without the passphrases in it: `--object secret,id=a,data=•••`. Rather too much is
 * hidden than too little, also where the line is not complete.
 */
export function hideSecrets(line: string): string {
  if (!/secret/i.test(line)) return line;
  return line.replace(WORD, (word) => (/data/i.test(word) ? hideIn(word) : word));
}

/** A value goes on to the next option that a secret has: whoever forgets to double a comma is safe. */
const VALUE = /(\bdata=)(.*?)(?=,(?:qom-type|id|loaded|format|keyid|iv|file)=|$)/gis;
const JSON_VALUE = /(\\?"data\\?"\s*:\s*)(\\?"(?:[^"\\]|\\.)*"?|[^,}]*)/gi;

function hideIn(word: string): string {
  return word
    .replace(VALUE, (_, key: string, value: string) => `${key}${HIDDEN}${openQuote(value)}`)
    .replace(JSON_VALUE, `$1"${HIDDEN}"`);
}

/** The mark that ends the word when it began before the value. */
function openQuote(value: string): string {
  const last = value.at(-1) ?? '';
  const isOpen = (last === "'" || last === '"') && value.split(last).length % 2 === 0;
  return isOpen ? last : '';
}
