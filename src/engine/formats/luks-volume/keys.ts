/** The key slots of a LUKS volume that is open for a change. */
import { ImageError } from '../../errors.ts';
import { changeKeys, type KeyChange } from '../luks-keys.ts';
import { luksReader, type LuksVolume } from './image.ts';

/**
 * Adds a passphrase, or takes some away. Only the header changes; it is written into the storage of
 * the volume, which is to be an overlay.
 * @returns the slots that changed
 * @throws ImageError key-slot, wrong-passphrase, invalid-header, too-large, unsupported-feature and
 * those of reading; nothing is written then
 */
export function changeVolumeKeys(
  { storage, payloadOffset }: LuksVolume,
  change: KeyChange,
): Promise<number[]> {
  const store = {
    name: storage.name,
    read: luksReader(storage),
    write: async (offset: number, bytes: Uint8Array) => {
      if (offset + bytes.length > payloadOffset) {
        throw new ImageError('internal', { reason: 'key slots lie outside of the LUKS header' });
      }
      await storage.write(offset, bytes);
    },
  };
  return changeKeys(store, change);
}
