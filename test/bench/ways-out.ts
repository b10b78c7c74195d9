import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import type { Job } from './app.ts';
import { whole } from './jobs.ts';

const MIB = 2 ** 20;
/** Bytes that go through the service worker, or into a writable, at once. */
const PIECE = 4 * MIB;
const FILE = 'bench-out';

/** The ways in which a page gets a file out of private storage, with nothing of ours. */
const WAYS = {
  'download of a private file': 'download',
  '… streamed through the service worker': 'stream',
  '… createWritable (its target is private: not checked by the browser)': 'writable',
} as const;
type Way = (typeof WAYS)[keyof typeof WAYS];

/**
 * Measures every way for a file of `size` bytes, which is there before the clock starts.
 * @param measure gives the seconds of a job
 * @returns seconds of the fastest that ends on the person's disk
 */
export async function ways(
  size: number,
  measure: (name: string, job: Job) => Promise<number>,
): Promise<number> {
  const host = await serve();
  try {
    let fastest = Infinity;
    for (const [name, way] of Object.entries(WAYS)) {
      const seconds = await measure(name, (page) => take(page, host.address, way, size));
      if (way !== 'writable') fastest = Math.min(fastest, seconds);
    }
    return fastest;
  } finally {
    host.close();
  }
}

async function take(page: Page, address: string, way: Way, size: number): Promise<number> {
  await page.goto(address);
  await page.evaluate(prepare, { name: FILE, size });
  // The disk still writes what was made.
  await page.waitForTimeout(1000);
  const start = performance.now();
  const wanted = { way, name: FILE, piece: PIECE };
  if (way === 'writable') await page.evaluate(give, wanted);
  else {
    const begins = page.waitForEvent('download');
    await page.evaluate(give, wanted);
    await whole(await begins, size);
  }
  const seconds = (performance.now() - start) / 1000;
  await page.evaluate(async (name) => {
    const folder = await navigator.storage.getDirectory();
    for (const made of [name, `${name}-target`]) {
      await folder.removeEntry(made).catch(() => undefined);
    }
  }, FILE);
  return seconds;
}

/** A place of its own: page, worker and service worker. */
function serve(): Promise<{ address: string; close: () => void }> {
  const scripts: Record<string, string> = {
    '/worker.js': `(${worker.toString()})()`,
    '/sw.js': `(${serviceWorker.toString()})()`,
  };
  const server = createServer(({ url = '/' }, response) => {
    const script = scripts[url];
    const type = script === undefined ? 'text/html' : 'text/javascript';
    response.writeHead(200, { 'content-type': type }).end(script ?? '<title>Ways</title>');
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      const close = (): void => {
        server.close();
        server.closeAllConnections();
      };
      resolve({ address: `http://127.0.0.1:${port}/`, close });
    });
  });
}

declare global {
  interface Window {
    benchWorker?: Worker;
  }
}

/** Runs in the page: its workers are there, and the file. */
async function prepare({ name, size }: { name: string; size: number }): Promise<void> {
  const { serviceWorker: container } = navigator;
  const controlled = new Promise<void>((resolve) => {
    if (container.controller !== null) resolve();
    container.addEventListener('controllerchange', () => resolve(), { once: true });
  });
  await container.register('./sw.js');
  await controlled;
  const started = new Worker('./worker.js');
  window.benchWorker = started;
  await new Promise<void>((resolve, reject) => {
    started.onmessage = () => resolve();
    started.onerror = ({ message }) => reject(new Error(message));
    started.postMessage({ kind: 'fill', name, size });
  });
}

/** Runs in the page. */
async function give({
  way,
  name,
  piece,
}: {
  way: Way;
  name: string;
  piece: number;
}): Promise<void> {
  const link = document.createElement('a');
  const folder = await navigator.storage.getDirectory();
  const started = window.benchWorker;
  if (way === 'download') {
    link.href = URL.createObjectURL(await (await folder.getFileHandle(name)).getFile());
    link.download = name;
    link.click();
  } else if (way === 'stream') {
    const { port1, port2 } = new MessageChannel();
    const { port1: here, port2: there } = new MessageChannel();
    started?.postMessage({ kind: 'feed', name, piece, port: port1 }, [port1]);
    await new Promise<void>((resolve) => {
      here.onmessage = () => resolve();
      navigator.serviceWorker.controller?.postMessage({ feed: port2, ready: there }, [
        port2,
        there,
      ]);
    });
    // With the attribute for downloads, the request would pass the service worker by.
    link.href = './given';
    link.click();
  } else {
    await new Promise<void>((resolve) => {
      if (started !== undefined) started.onmessage = () => resolve();
      started?.postMessage({ kind: 'write', name, piece });
    });
  }
}

/** Runs in the service worker: one answer, of what comes through a port when it is asked for. */
function serviceWorker(): void {
  const scope = self as unknown as ServiceWorkerGlobalScope;
  let feed: MessagePort | undefined;
  scope.addEventListener('install', () => void scope.skipWaiting());
  scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()));
  scope.addEventListener('message', ({ data }) => {
    const given = data as { feed: MessagePort; ready: MessagePort };
    feed = given.feed;
    given.ready.postMessage('ready');
  });
  scope.addEventListener('fetch', (event) => {
    const port = feed;
    if (!event.request.url.endsWith('/given') || port === undefined) return;
    let asked: (() => void) | undefined;
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        start: (controller) => {
          port.onmessage = ({ data }: MessageEvent<ArrayBuffer | null>) => {
            if (data === null) controller.close();
            else controller.enqueue(new Uint8Array(data));
            asked?.();
          };
        },
        pull: () => {
          port.postMessage('more');
          return new Promise<void>((resolve) => (asked = resolve));
        },
      },
      { highWaterMark: 2 },
    );
    const headers = { 'content-disposition': 'attachment; filename="given"' };
    event.respondWith(new Response(body, { headers }));
  });
}

/** Runs in a worker. */
function worker(): void {
  interface Order {
    kind: 'fill' | 'feed' | 'write';
    name: string;
    size: number;
    piece: number;
    port: MessagePort;
  }

  async function fill({ name, size }: Order): Promise<void> {
    const handle = await open(name);
    const bytes = new Uint8Array(Math.min(size, 4 * 2 ** 20));
    for (let at = 0; at < bytes.length; at += 4) bytes[at] = (at >>> 2) * 31;
    for (let at = 0; at < size; at += bytes.length) handle.write(bytes, { at });
    handle.flush();
    handle.close();
  }

  async function feed({ name, piece, port }: Order): Promise<void> {
    const handle = await open(name);
    const size = handle.getSize();
    let at = 0;
    port.onmessage = () => {
      if (at >= size) {
        port.postMessage(null);
        handle.close();
        return;
      }
      const bytes = new Uint8Array(Math.min(piece, size - at));
      at += handle.read(bytes, { at });
      port.postMessage(bytes.buffer, [bytes.buffer]);
    };
  }

  async function write({ name, piece }: Order): Promise<void> {
    const handle = await open(name);
    const folder = await navigator.storage.getDirectory();
    const target = await folder.getFileHandle(`${name}-target`, { create: true });
    const stream = await target.createWritable();
    const data = new Uint8Array(piece);
    for (let position = 0; position < handle.getSize(); position += piece) {
      handle.read(data, { at: position });
      await stream.write({ type: 'write', position, data });
    }
    await stream.close();
    handle.close();
  }

  async function open(name: string): Promise<FileSystemSyncAccessHandle> {
    const folder = await navigator.storage.getDirectory();
    return (await folder.getFileHandle(name, { create: true })).createSyncAccessHandle();
  }

  self.onmessage = async ({ data }: MessageEvent<Order>) => {
    if (data.kind === 'fill') await fill(data);
    else if (data.kind === 'feed') await feed(data);
    else await write(data);
    self.postMessage('done');
  };
}
