import { randomBytes } from './random.ts';

/** A new identifier, version 4, as the 16 bytes of a GUID (its first three groups little-endian). */
export function randomGuid(): Uint8Array<ArrayBuffer> {
  const bytes = randomBytes(16);
  bytes[7] = ((bytes[7] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
