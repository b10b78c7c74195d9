import { createQcow, MemoryStorage } from '../../src/engine/index.ts';
import { deflateCluster } from '../../src/engine/codecs/deflate.ts';
import { mutationSuite, type MutationSeed } from './format-mutations.ts';

const PASSPHRASE = 'a passphrase';

/** Data, packed clusters and holes. */
async function seed(
  name: string,
  backingName: string,
  isEncrypted: boolean,
): Promise<MutationSeed> {
  const storage = new MemoryStorage({ name: 'image' });
  const files = { main: storage, beside: () => Promise.reject(new Error('one file')) };
  const passphrase = isEncrypted ? new TextEncoder().encode(PASSPHRASE) : undefined;
  const writer = await createQcow(files, 12 * 2 ** 20, { backingName, passphrase });
  await writer.write(5000 * 512, new Uint8Array(9 * 512).fill(7));
  if (!isEncrypted) {
    const packed = deflateCluster(new Uint8Array(writer.clusterSize).fill(6));
    if (packed !== undefined) await writer.writePacked(2 ** 20, new Uint8Array(packed));
  }
  await writer.write(512, new Uint8Array(70 * 512).fill(3));
  await writer.write(11 * 2 ** 20, new Uint8Array(4096).fill(9));
  await writer.flush();
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  const l1 = new DataView(bytes.buffer).getUint32(44);
  const l2 = new DataView(bytes.buffer).getUint32(l1 + 4);
  const metadata = [
    { offset: 0, length: 56 },
    { offset: l1, length: 48 },
    { offset: l2, length: 4096 },
  ];
  const below =
    backingName === '' ? {} : { files: { [backingName]: new Uint8Array(70_000).fill(5) } };
  const unlock = ({ attempt }: { attempt: number }) =>
    Promise.resolve(attempt === 0 ? new TextEncoder().encode(PASSPHRASE) : undefined);
  return { name, bytes, metadata, ...below, ...(isEncrypted ? { options: { unlock } } : {}) };
}

mutationSuite('qcow', async () => [
  await seed('alone', '', false),
  await seed('with a base', 'base.raw', false),
  await seed('encrypted', '', true),
]);
