/** Where the parent of a differencing image is, and who it is. [MS-VHDX] section 2.6.2.6. */
import { guidText } from '../../binary/guid.ts';
import { struct, u16le, u32le } from '../../binary/struct.ts';
import { fault, UNSUPPORTED } from './faults.ts';
import { PARENT_VHDX } from './layout.ts';

export interface ParentLocator {
  /** Names of its file, the likeliest first. */
  readonly names: readonly string[];
  /** It is the image that has one of these as its «data write» identity. */
  readonly linkages: readonly string[];
}

const LOCATOR_HEADER = struct({
  count: u16le(18, 'How many keys and values there are'),
});
const LOCATOR_HEADER_BYTES = 20;
const LOCATOR_ENTRY = struct({
  keyOffset: u32le(0, 'Where the key is', 'offset'),
  valueOffset: u32le(4, 'Where the value is', 'offset'),
  keyLength: u16le(8, 'Length of the key', 'bytes'),
  valueLength: u16le(10, 'Length of the value', 'bytes'),
});

/** The keys with names, in the order in which they are to be tried. */
const NAMES = ['relative_path', 'volume_path', 'absolute_win32_path'] as const;
const LINKAGES = ['parent_linkage', 'parent_linkage2'] as const;

/**
 * @param bytes the metadata item
 * @throws ImageError invalid-image
 */
export function parseLocator(bytes: Uint8Array): ParentLocator {
  const kind = guidText(bytes);
  if (kind !== PARENT_VHDX) fault('descriptor', 'parent locator', kind, UNSUPPORTED);
  const { count } = LOCATOR_HEADER.read(bytes);
  if (LOCATOR_HEADER_BYTES + count * LOCATOR_ENTRY.size > bytes.length) {
    fault('descriptor', 'parent locator', count);
  }
  const values = new Map<string, string>();
  // Texts do not lie over one another: all of them are no longer than what they are in.
  let left = bytes.length;
  for (let index = 0; index < count; index++) {
    const entry = LOCATOR_ENTRY.read(bytes, LOCATOR_HEADER_BYTES + index * LOCATOR_ENTRY.size);
    left -= entry.keyLength + entry.valueLength;
    if (left < 0) fault('descriptor', 'parent locator', index);
    const key = textAt(bytes, entry.keyOffset, entry.keyLength);
    if (!values.has(key)) values.set(key, textAt(bytes, entry.valueOffset, entry.valueLength));
  }
  const found = (keys: readonly string[]) =>
    keys.flatMap((key) => values.get(key) ?? []).filter((value) => value !== '');
  const relative = values.get('relative_path') ?? '';
  const names = found(NAMES).map((name) => (name === relative ? portable(name) : name));
  const linkages = found(LINKAGES).map((value) => value.replace(/^\{|\}$/g, '').toLowerCase());
  if (names.length === 0) fault('descriptor', 'parent locator');
  return { names: [...new Set(names)], linkages };
}

/** UTF-16, without an end of its own. */
function textAt(bytes: Uint8Array, offset: number, length: number): string {
  if (offset + length > bytes.length) fault('descriptor', 'parent locator', offset);
  return new TextDecoder('utf-16le', { ignoreBOM: true }).decode(
    bytes.subarray(offset, offset + length),
  );
}

/** `.\folder\name` is `folder/name` everywhere but in the place where it comes from. */
function portable(name: string): string {
  return name.replaceAll('\\', '/').replace(/^(?:\.\/)+/, '');
}
