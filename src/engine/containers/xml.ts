/**
 * As much of XML as descriptions of appliances need. Tolerant: what is not well-formed gives what
 * could be made of it. There are no entities but the five that XML has and numbers; a document type
 * is passed over, so that nothing can be defined, and nothing is ever fetched.
 */

export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  /** By their names without prefixes. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: XmlElement[];
  /** Text directly in it. */
  text: string;
}

const MOST_ELEMENTS = 100_000;
const DEEPEST = 64;

/** Reads a document; what is in it is in the element that is returned. */
export function parseXml(text: string): XmlElement {
  const root: XmlElement = { name: '', attributes: new Map(), children: [], text: '' };
  const open = [root];
  let elements = 0;
  let at = 0;
  while (at < text.length && elements < MOST_ELEMENTS) {
    const tag = text.indexOf('<', at);
    const top = open.at(-1) ?? root;
    top.text += decode(text.slice(at, tag < 0 ? text.length : tag));
    if (tag < 0) break;
    const special = passSpecial(text, tag);
    if (special !== undefined) {
      top.text += special.text;
      at = special.end;
      continue;
    }
    const end = endOfTag(text, tag);
    const inside = text.slice(tag + 1, end);
    at = end + 1;
    if (inside.startsWith('/')) {
      close(open, localName(inside.slice(1).trim()));
      continue;
    }
    const isEmpty = inside.endsWith('/');
    const element = parseTag(isEmpty ? inside.slice(0, -1) : inside);
    elements++;
    top.children.push(element);
    if (!isEmpty && open.length < DEEPEST) open.push(element);
  }
  return root;
}

/** Comments, instructions, document types and unparsed text; undefined: it is a tag. */
function passSpecial(text: string, at: number): { text: string; end: number } | undefined {
  const until = (mark: string): number => {
    const found = text.indexOf(mark, at);
    return found < 0 ? text.length : found;
  };
  if (text.startsWith('<!--', at)) return { text: '', end: until('-->') + 3 };
  if (text.startsWith('<![CDATA[', at)) {
    const end = until(']]>');
    return { text: text.slice(at + 9, end), end: end + 3 };
  }
  if (text.startsWith('<?', at)) return { text: '', end: until('?>') + 2 };
  if (!text.startsWith('<!', at)) return undefined;
  const bracket = text.indexOf('[', at);
  const end = until('>');
  return { text: '', end: bracket >= 0 && bracket < end ? until(']>') + 2 : end + 1 };
}

/** The `>` of a tag: not one in a value. */
function endOfTag(text: string, start: number): number {
  let quote = '';
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at] as string;
    if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at;
  }
  return text.length;
}

/** Ends the innermost element of that name, and those in it; nothing where there is none. */
function close(open: XmlElement[], name: string): void {
  const index = open.findLastIndex((element) => element.name === name);
  if (index > 0) open.length = index;
}

function parseTag(inside: string): XmlElement {
  const name = /^[^\s=]*/.exec(inside)?.[0] ?? '';
  const attributes = new Map<string, string>();
  for (const [, key = '', double, single] of inside
    .slice(name.length)
    .matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    attributes.set(localName(key), decode(double ?? single ?? ''));
  }
  return { name: localName(name), attributes, children: [], text: '' };
}

function localName(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1);
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

function decode(text: string): string {
  return text.replace(/&(#x[\da-f]{1,6}|#\d{1,7}|[a-z]{2,4});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const isHex = name[1] === 'x' || name[1] === 'X';
    const code = Number.parseInt(name.slice(isHex ? 2 : 1), isHex ? 16 : 10);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}

/** All elements of that name in it, however deep. */
export function descendants(element: XmlElement, name: string): XmlElement[] {
  const found: XmlElement[] = [];
  for (const child of element.children) {
    if (child.name === name) found.push(child);
    found.push(...descendants(child, name));
  }
  return found;
}

/** The text of the first element of that name in it, without white space around it. */
export function textOf(element: XmlElement | undefined, name: string): string {
  return element?.children.find((child) => child.name === name)?.text.trim() ?? '';
}
