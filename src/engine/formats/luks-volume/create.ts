/** New LUKS volumes. */
import type { DiskWriter, NewFiles } from '../format.ts';
import { counting } from '../content-cipher.ts';
import { formatLuks, type LuksOptions } from '../luks-format.ts';
import { LuksWriter } from './writer.ts';

/**
 * Makes a volume that the passphrase opens. Its content is noise until it is written.
 * @param size of the disk, bytes, whole sectors
 * @param passphrase stays as it is
 * @throws ImageError too-large and those of writing
 */
export async function createLuksVolume(
  { main }: NewFiles,
  size: number,
  options: LuksOptions,
  passphrase: Uint8Array<ArrayBuffer>,
): Promise<DiskWriter> {
  const { length, pieces, cipher } = await formatLuks(options, passphrase);
  await main.resize(length + size);
  for (const { offset, bytes } of pieces) await main.write(offset, bytes);
  return new LuksWriter(main, length, counting('guest', cipher));
}
