import { createQed, MemoryStorage } from '../../src/engine/index.ts';
import { mutationSuite, type MutationSeed } from './format-mutations.ts';

/** Data, zeros and holes, in small clusters. */
async function seed(backingName: string): Promise<MutationSeed> {
  const storage = new MemoryStorage({ name: 'image' });
  const files = { main: storage, beside: () => Promise.reject(new Error('one file')) };
  const options = { clusterSize: 4096, tableSize: 2, backingName, backingFormat: 'raw' };
  const writer = await createQed(files, 12 * 2 ** 20, options);
  await writer.write(5000 * 512, new Uint8Array(9 * 512).fill(7));
  await writer.write(512, new Uint8Array(70 * 512).fill(3));
  await writer.zero(64 * 1024, 64 * 1024);
  await writer.write(11 * 2 ** 20, new Uint8Array(4096).fill(9));
  await writer.flush();
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  const l2 = new DataView(bytes.buffer).getUint32(4096, true);
  const metadata = [
    { offset: 0, length: 96 },
    { offset: 4096, length: 64 },
    { offset: l2, length: 512 },
  ];
  const below =
    backingName === '' ? {} : { files: { [backingName]: new Uint8Array(70_000).fill(5) } };
  return { name: backingName === '' ? 'alone' : 'with a base', bytes, metadata, ...below };
}

mutationSuite('qed', async () => [await seed(''), await seed('base.raw')]);
