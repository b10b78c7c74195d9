/** The content's id: 32 random bits, new with the first write, by which an image knows its parent. */
import { alignUp, SECTOR } from '../../binary/units.ts';
import { randomBytes } from '../../codecs/crypto/random.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { DESCRIPTOR_BYTES } from './descriptor.ts';

const DIGITS = 8;
const LEAST = 0x10000000;

/** A new id of eight digits, never that of «no parent». */
export function newContentId(): number {
  const bytes = randomBytes(4);
  const value = new DataView(bytes.buffer).getUint32(0) & 0x7fffffff;
  return LEAST + value;
}

/**
 * Gives the content another id. A file of text takes whole sectors afterwards, which is how QEMU
 * leaves it.
 * @param at where the descriptor is, bytes
 */
export async function changeContentId(storage: Storage, at: number): Promise<void> {
  const block = await readPadded(storage, at, DESCRIPTOR_BYTES);
  const end = block.indexOf(0);
  const used = end < 0 ? block.length : end;
  let text = '';
  for (const byte of block.subarray(0, used)) text += String.fromCharCode(byte);
  const found = /CID.\s*(?:0x)?([0-9a-f]+)/i.exec(text);
  const digits = found?.[1];
  if (found === null || digits === undefined) return;
  const start = found.index + found[0].length - digits.length;
  const hasRoom = end >= 0 && used + DIGITS - digits.length < block.length;
  const width = hasRoom ? DIGITS : Math.min(DIGITS, digits.length);
  const id = newContentId().toString(16).slice(-width);
  // As wide as before where nothing can be moved.
  const fresh = hasRoom ? id : id.padStart(digits.length, '0');
  const changed = text.slice(0, start) + fresh + text.slice(start + digits.length);
  block.fill(0, 0, used);
  for (let i = 0; i < changed.length; i++) block[i] = changed.charCodeAt(i);
  const sectors = alignUp(Math.max(storage.size, changed.length), SECTOR);
  const length = at === 0 ? Math.min(sectors, block.length) : Math.max(used, changed.length);
  await storage.write(at, block.subarray(0, length));
}
