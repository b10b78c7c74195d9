import { readFileSync } from 'node:fs';
import type { BrowserContext } from '@playwright/test';

const SAMPLE_MS = 20;

/** Ids of the browser's renderer processes: the page and its workers live in one of them. */
async function renderers(context: BrowserContext): Promise<number[]> {
  const session = await context.browser()?.newBrowserCDPSession();
  if (session === undefined) throw new Error('The browser is gone.');
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
}

/** MiB that a process holds for itself (no program code, no files), or undefined when it is gone. */
function held(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kib = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    return (kib('RssAnon') + kib('RssShmem')) / 1024;
  } catch {
    return undefined;
  }
}

/** Watches how much the fullest renderer grows over what it held at the start. Linux only. */
export async function watchMemory(context: BrowserContext): Promise<{ stop: () => number }> {
  const pids = await renderers(context);
  const before = new Map(pids.map((pid) => [pid, held(pid) ?? 0]));
  let peak = 0;
  const timer = setInterval(() => {
    for (const [pid, start] of before) peak = Math.max(peak, (held(pid) ?? 0) - start);
  }, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return peak;
    },
  };
}
