import type { Page } from '@playwright/test';
import type { Job } from './app.ts';

const MIB = 2 ** 20;
/** Bytes of one small read, and how many of them are made. */
const SMALL = 65_536;
const READS = 1000;

/** What the browser itself can do, with nothing of ours: what is slower than that is ours. */
export function readAll(image: string): Job {
  return (page) => inWorker(page, image, { kind: 'stream', size: SMALL, count: 0 });
}

/** The same in pieces that are asked for one by one, several at once. */
export function readPieces(image: string): Job {
  return (page) => inWorker(page, image, { kind: 'pieces', size: 4 * MIB, count: 0 });
}

/** Seconds of one read of 64 KiB somewhere in the file, on the average of a thousand. */
export function readAnywhere(image: string): Job {
  return async (page) => {
    const seconds = await inWorker(page, image, { kind: 'random', size: SMALL, count: READS });
    return seconds / READS;
  };
}

/** A file of this size (bytes) written to private storage. */
export function writePrivate(size: number): Job {
  return (page) =>
    inWorker(page, undefined, { kind: 'write', size: 4 * MIB, count: size / (4 * MIB) });
}

interface Order {
  kind: 'stream' | 'pieces' | 'random' | 'write';
  /** Bytes of one request. */
  size: number;
  count: number;
}

/** A place of its own, that is served by nobody: the app's policy lets no worker in but its own. */
const ORIGIN = 'http://localhost:4499/';

async function inWorker(page: Page, image: string | undefined, order: Order): Promise<number> {
  await page.route(`${ORIGIN}**`, (route) => {
    const isScript = route.request().url().endsWith('.js');
    return route.fulfill(
      isScript
        ? { contentType: 'text/javascript', body: `(${worker.toString()})()` }
        : { contentType: 'text/html', body: '<input type="file">' },
    );
  });
  await page.goto(ORIGIN);
  if (image !== undefined) await page.locator('input').setInputFiles(image);
  return page.evaluate(
    (wanted) =>
      new Promise<number>((done, fail) => {
        const started = new Worker('/worker.js');
        started.onmessage = ({ data }: MessageEvent<number>) => done(data);
        started.onerror = (event) => fail(new Error(event.message));
        const file = document.querySelector('input')?.files?.[0];
        started.postMessage({ ...wanted, file });
      }),
    order,
  );
}

/** Runs in a worker: nothing from outside it can be used here. */
function worker(): void {
  const LANES = 4;

  async function stream(file: File, size: number): Promise<void> {
    const reader = file.stream().getReader({ mode: 'byob' });
    let buffer = new ArrayBuffer(size);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) return;
      buffer = value.buffer;
    }
  }

  async function pieces(file: File, size: number): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < file.size) {
        const start = next;
        next += size;
        await file.slice(start, start + size).arrayBuffer();
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  async function random(file: File, size: number, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const at = Math.floor((Math.random() * (file.size - size)) / size) * size;
      await file.slice(at, at + size).arrayBuffer();
    }
  }

  async function write(size: number, count: number): Promise<void> {
    const folder = await navigator.storage.getDirectory();
    const entry = await folder.getFileHandle('bench', { create: true });
    const handle = await entry.createSyncAccessHandle();
    const bytes = new Uint8Array(size).fill(1);
    for (let index = 0; index < count; index++) handle.write(bytes, { at: index * size });
    handle.close();
    await folder.removeEntry('bench');
  }

  self.onmessage = async ({ data }: MessageEvent<Order & { file: File }>) => {
    const { kind, file, size, count } = data;
    const start = performance.now();
    if (kind === 'stream') await stream(file, size);
    else if (kind === 'pieces') await pieces(file, size);
    else if (kind === 'random') await random(file, size, count);
    else await write(size, count);
    self.postMessage((performance.now() - start) / 1000);
  };
}
