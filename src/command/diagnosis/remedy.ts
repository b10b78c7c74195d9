/** What mends a finding, as command lines. Shown, copied and run by others: nothing here runs. */
import type { Remedy } from '../../engine/index.ts';

/** What commands need to know of the image besides its name. */
export interface RemedyFacts {
  /** The backing image as the image names it; undefined where it names none. */
  backing?: string | undefined;
}

/** What stands for a name that has to be filled in. */
const BASE = 'BASE';

/**
 * The lines to be typed into a shell, one after the other; none for what the command line has no
 * command for.
 * @param fileName as the image was named
 */
export function commandsFor(remedy: Remedy, fileName: string, facts: RemedyFacts = {}): string[] {
  const file = fileWord(fileName);
  switch (remedy.kind) {
    case 'repair':
      return [line('check', '-r', 'all', file)];
    case 'compact': {
      const target = fileWord(newName(fileName, '-compact', 'qcow2'));
      return [line('compact', ...(remedy.snapshots ? [] : ['--no-snapshots']), file, target)];
    }
    case 'convert':
      return [convertLine(remedy, fileName)];
    case 'amend':
      return [line('amend', '-o', quoteWord(optionText(remedy.options)), file)];
    case 'relink': {
      const base = facts.backing === undefined ? BASE : quoteWord(facts.backing);
      return [line('rebase', '-u', '-b', base, '-F', quoteWord(remedy.format), file)];
    }
    case 'flatten':
      return [line('rebase', '-p', '-b', "''", file)];
    case 'commit':
      return [line('commit', '-p', file)];
    case 'delete-snapshot':
      return [line('snapshot', '-d', quoteWord(remedy.name), file)];
    case 'delete-bitmap': {
      // Behind the options, a name that begins with a dash would be one.
      const end = remedy.name.startsWith('-') ? ['--'] : [];
      return [line('bitmap', '--remove', ...end, file, quoteWord(remedy.name))];
    }
    case 'deep':
      return [line('diagnose', '--deep', file)];
    case 'paste':
      return remedy.lines.map((one) => pasted(one, fileName));
    case 'guard':
      return [line('guard', '--keep', file)];
    case 'give-file':
      return [];
  }
}

function line(...words: readonly string[]): string {
  return ['qemu-img', ...words].join(' ');
}

function convertLine(remedy: Extract<Remedy, { kind: 'convert' }>, fileName: string): string {
  const { format, options, compress } = remedy;
  const target = newName(fileName, '-converted', SUFFIXES[format] ?? format);
  return line(
    ...['convert', '-p', ...(compress ? ['-c'] : []), '-O', quoteWord(format)],
    ...(Object.keys(options).length === 0 ? [] : ['-o', quoteWord(optionText(options))]),
    ...[fileWord(fileName), fileWord(target)],
  );
}

/** As `-o` takes them: a comma in a value is doubled. */
function optionText(options: Readonly<Record<string, string>>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}=${value.replaceAll(',', ',,')}`)
    .join(',');
}

/** Ends of names where they are not what the format is called. */
const SUFFIXES: Readonly<Record<string, string>> = { vpc: 'vhd', parallels: 'hds', luks: 'luks' };
const KNOWN = /\.(qcow2?|img|raw|vmdk|vdi|vhdx?|qed|hdd|hds|ova|dmg|luks)(\.(gz|xz|bz2|zst))?$/i;

/** A name for a result, beside the image: never that of the image itself. */
function newName(fileName: string, mark: string, suffix: string): string {
  const stem = fileName.replace(KNOWN, '');
  return `${stem}${mark}.${suffix}`;
}

/** A word for a POSIX shell. */
export function quoteWord(word: string): string {
  return /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A file's name as a word that is neither an option nor an address. */
function fileWord(name: string): string {
  const looksElse = name.startsWith('-') || /^[^/]*:/.test(name);
  const isSaid = /^(json|file):/.test(name);
  return quoteWord(looksElse && !isSaid ? `./${name}` : name);
}

/** `FILE` as a word of its own: letters, digits and underlines beside it make another word. */
const FILE = /(?<!\w)FILE(?!\w)/g;

/** Puts the name in for FILE: as a word, inside of a word of options, or into XML. */
function pasted(text: string, fileName: string): string {
  if (text.trimStart().startsWith('<')) return text.replace(FILE, () => xmlText(fileName));
  return text.replace(/\S+/g, (word) => {
    if (word === 'FILE') return fileWord(fileName);
    if (word.search(FILE) < 0) return word;
    // Within options, a comma ends a value; a doubled one does not.
    const inOptions = fileName.replaceAll(',', ',,');
    if (!/["']/.test(word)) return quoteWord(word.replace(FILE, () => inOptions));
    return word.replace(FILE, () => inOptions.replaceAll("'", `'\\''`));
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' },
};

function xmlText(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}
