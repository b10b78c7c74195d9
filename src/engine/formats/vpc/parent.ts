/** What a differencing disk says of its parent. Specification: «Parent Locator Entries». */
import { SECTOR } from '../../binary/units.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import type { Header, Locator } from './header.ts';
import { fromLetters } from './layout.ts';

/** Names that are longer than this are none. Bytes. */
const LONGEST_NAME = 64 * 1024;

type Decoder = (bytes: Uint8Array) => string;

/** How names are written, those that hold wherever the files were moved together first. */
const PLATFORMS: readonly (readonly [platform: string, decode: Decoder])[] = [
  ['W2ru', utf16('utf-16le')],
  ['Wi2r', oneByte],
  ['W2ku', utf16('utf-16le')],
  ['Wi2k', oneByte],
  ['MacX', fileOfUrl],
];

/**
 * Names of the parent, the likeliest first: relative ones, absolute ones, and the bare name from
 * the header. With slashes, as they are everywhere but in the place where they come from.
 */
export async function parentNames(storage: Storage, header: Header): Promise<string[]> {
  const names: string[] = [];
  for (const [platform, decode] of PLATFORMS) {
    const code = fromLetters(platform);
    for (const locator of header.locators) {
      // Letters that are old: both cases occur.
      if (!isSamePlatform(locator.platform, code)) continue;
      const bytes = await readName(storage, locator);
      if (bytes !== undefined) names.push(portable(decode(bytes)));
    }
  }
  names.push(portable(utf16('utf-16be')(header.parentName)));
  return [...new Set(names)].filter((name) => name !== '');
}

const LOWER_CASE = 0x20202020;

function isSamePlatform(a: number, b: number): boolean {
  return (a | LOWER_CASE) === (b | LOWER_CASE);
}

async function readName(
  storage: Storage,
  { offset, length }: Locator,
): Promise<Uint8Array | undefined> {
  if (length === 0 || length > LONGEST_NAME || offset < SECTOR) return undefined;
  if (offset + length > storage.size) return undefined;
  return readPadded(storage, offset, length);
}

function utf16(encoding: 'utf-16le' | 'utf-16be'): Decoder {
  return (bytes) => upToEnd(new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes));
}

function oneByte(bytes: Uint8Array): string {
  return upToEnd(new TextDecoder('windows-1252').decode(bytes));
}

/** `file://host/folder/name`, UTF-8 with escapes. */
function fileOfUrl(bytes: Uint8Array): string {
  const url = upToEnd(new TextDecoder().decode(bytes));
  const path = url.replace(/^file:\/\/[^/]*/, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** What a name has behind its end is nothing. */
function upToEnd(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** `.\folder\name` is `folder/name`; names from the root of a drive stay what they are. */
function portable(name: string): string {
  if (/^[a-z]:|^\\\\/i.test(name)) return name;
  return name.replaceAll('\\', '/').replace(/^(?:\.\/)+/, '');
}
