/** The program `qemu-img` under Node. */
import { isMainThread } from 'node:worker_threads';
import { offerUnpacker } from '../../engine/index.ts';
import { runCommand } from '../run.ts';
import { serveThread, ThreadPool } from './codec-threads.ts';
import { NodeHost } from './host.ts';
import { nodeInflate } from './inflate.ts';

/** What a shell says of a process that ended by a signal is 128 and its number. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

async function main(): Promise<void> {
  const controller = new AbortController();
  let signalled: number | undefined;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      // Who asks a second time does not want to wait for a tidy end.
      if (signalled !== undefined) process.exit(exitCode);
      signalled = exitCode;
      controller.abort();
    });
  }

  // `qemu-img map ... | head`: the reader has seen enough, and that is no error.
  process.stdout.on('error', () => process.exit(0));

  const pool = new ThreadPool(new URL(import.meta.url));
  const host = new NodeHost(
    (text) => process.stdout.write(text),
    (text) => process.stderr.write(text),
    pool,
  );
  const exitCode = await runCommand(process.argv.slice(2), host, controller.signal);
  pool.close();
  process.exitCode = signalled ?? exitCode;
}

offerUnpacker('zlib', nodeInflate);
// Threads that pack and unpack run this program, too: it is one file.
if (isMainThread) await main();
else serveThread();
