/** Identifiers of 16 bytes as text. */

/** The first three groups are little-endian numbers where they are kept as GUIDs. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** A GUID, in small letters. */
export function guidText(bytes: Uint8Array, at = 0): string {
  return uuidText(Uint8Array.from(ORDER, (index) => bytes[at + index] ?? 0));
}

/** A UUID, in small letters: the bytes in their order. */
export function uuidText(bytes: Uint8Array, at = 0): string {
  const part = bytes.subarray(at, at + 16);
  const hex = Array.from(part, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

export const NULL_GUID = '00000000-0000-0000-0000-000000000000';
