/** Identifiers of 16 bytes whose first three groups are little-endian numbers, as GUIDs are kept. */

const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** As text, in small letters. */
export function guidText(bytes: Uint8Array, at = 0): string {
  const hex = ORDER.map((index) => (bytes[at + index] ?? 0).toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export const NULL_GUID = '00000000-0000-0000-0000-000000000000';
