/** Encrypting an image that is being made. «Header», crypt_method; «Full disk encryption header». */
import { alignUp } from '../../../binary/units.ts';
import { formatLuks, type LuksOptions } from '../../luks-format.ts';
import { counting, legacyCipher } from '../../content-cipher.ts';
import { LEGACY_AES, LUKS } from '../unlock.ts';
import type { Qcow2Writer } from './writer.ts';

/** How, and with which passphrase, which is overwritten with zeros once it has been used. */
export type Encryption = { passphrase: Uint8Array<ArrayBuffer> } & (
  { method: 'aes' } | { method: 'luks'; options: LuksOptions }
);

/**
 * Makes a new image an encrypted one: from here on, what is written has to go through
 * {@link Qcow2Writer.encode}. Clusters that have their places already read as noise, as in QEMU.
 * @throws ImageError too-large as formatLuks
 */
export async function encryptNew(writer: Qcow2Writer, encryption: Encryption): Promise<void> {
  const { fields } = writer.header;
  if (encryption.method === 'aes') {
    fields.cryptMethod = LEGACY_AES;
    writer.cipher = counting('guest', await legacyCipher(encryption.passphrase));
    return;
  }
  const luks = await formatLuks(encryption.options, encryption.passphrase);
  const { clusterSize, storage } = writer;
  const room = alignUp(luks.length, clusterSize);
  const offset = await writer.refcounts.allocate(room / clusterSize);
  // Slots that are not in use are zeros; the file may hold something there that is no longer used.
  const old = Math.min(room, storage.size - offset);
  if (old > 0) await storage.write(offset, new Uint8Array(old));
  if (offset + room > storage.size) await storage.resize(offset + room);
  for (const piece of luks.pieces) await storage.write(offset + piece.offset, piece.bytes);
  fields.cryptMethod = LUKS;
  writer.header.luks = { offset, length: luks.length };
  writer.cipher = counting('host', luks.cipher);
}
