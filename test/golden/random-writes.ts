/** The same writes in random order by the real qemu-io and by the engine. */
import { readFileSync } from 'node:fs';
import { editDisk, MemoryStorage, openImage, type FormatName } from '../../src/engine/index.ts';
import { randomFor } from '../images/wounds.ts';

const SECTOR = 512;
const WRITES = 25;

/**
 * Writes into a copy of an image.
 * @returns the commands that do the same with qemu-io, and what the image is afterwards
 */
export async function writeAtRandom(format: FormatName, path: string) {
  const storage = new MemoryStorage({ content: readFileSync(path) });
  const disk = await openImage(storage, { format });
  const writer = await editDisk(disk);
  const random = randomFor(disk.size);
  const commands: string[] = [];
  const sectors = disk.size / SECTOR;
  for (let i = 1; i <= WRITES; i++) {
    const at = random(sectors);
    const count = 1 + random(Math.min(4000, sectors - at));
    const [offset, length] = [at * SECTOR, count * SECTOR];
    commands.push(`write -P ${i} ${offset} ${length}`);
    await writer.write(offset, new Uint8Array(length).fill(i));
    if (i % 10 === 0) await writer.flush();
  }
  await writer.flush();
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  return { commands, bytes };
}
