import { createLuksVolume, MemoryStorage } from '../../src/engine/index.ts';
import { mutationSuite } from './format-mutations.ts';

const PASSPHRASE = 'a passphrase';

mutationSuite('luks', async () => {
  const storage = new MemoryStorage({ name: 'image' });
  const files = { main: storage, beside: () => Promise.reject(new Error('one file')) };
  const options = {
    mode: 'cbc',
    vectors: 'plain64',
    vectorHash: undefined,
    hash: 'sha256',
    keyBytes: 16,
    iterTime: 1,
  } as const;
  const passphrase = new TextEncoder().encode(PASSPHRASE);
  const writer = await createLuksVolume(files, 2 ** 20, options, passphrase);
  await writer.zero(0, 2 ** 20);
  await writer.write(4096, new Uint8Array(8192).fill(3));
  await writer.flush();
  const bytes = new Uint8Array(storage.size);
  await storage.read(0, bytes);
  // A damaged header may want minutes of key derivation: whoever opens it is asked first.
  const unlock = ({ attempt, seconds }: { attempt: number; seconds: number }) =>
    Promise.resolve(
      attempt === 0 && seconds < 0.2 ? new TextEncoder().encode(PASSPHRASE) : undefined,
    );
  const metadata = [{ offset: 0, length: 600 }];
  return [{ name: 'unlocked', bytes, metadata, options: { unlock } }];
});
