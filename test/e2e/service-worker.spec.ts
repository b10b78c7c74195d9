import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { expect, test } from '@playwright/test';
import type { Page } from '@playwright/test';
import { SAMPLE } from './images.ts';

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

/** What a system does that shares files with the app, as a page outside of it. */
const SHARE_FORM = `<form action="/app/share" method="post" enctype="multipart/form-data">
  <input type="file" name="images" multiple /><button>Share</button></form>`;

/** The built app on a plain static host: no policy in the headers, and answers that vary. */
class PlainHost {
  readonly folder = mkdtempSync(join(tmpdir(), 'plain-host-'));
  /** Paths that were asked for. */
  requests: string[] = [];
  readonly #server: Server;

  constructor() {
    cpSync('dist/app', this.folder, { recursive: true });
    this.#server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      if (pathname === '/share.html') {
        response.writeHead(200, { 'content-type': 'text/html' }).end(SHARE_FORM);
        return;
      }
      this.requests.push(pathname);
      const name = pathname === '/app/' ? 'index.html' : pathname.replace('/app/', '');
      readFile(join(this.folder, name)).then(
        (bytes) => {
          const type = TYPES[extname(name)] ?? 'application/octet-stream';
          response.writeHead(200, { 'content-type': type, vary: 'Origin' }).end(bytes);
        },
        () => response.writeHead(404).end(),
      );
    });
  }

  /** Resolves to the app's address. */
  start(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => {
        const { port } = this.#server.address() as AddressInfo;
        resolve(`http://127.0.0.1:${port}/app/`);
      });
    });
  }

  /** What a new release changes: the page, and with it the version of the service worker. */
  release(title: string): void {
    const replace = (name: string, from: string | RegExp, to: string): void => {
      const file = join(this.folder, name);
      const before = readFileSync(file, 'utf8');
      const after = before.replace(from, to);
      expect(after).not.toBe(before);
      writeFileSync(file, after);
    };
    replace('index.html', '</head>', `<meta name="release" content="${title}" /></head>`);
    replace('sw.js', /app-[0-9a-f]{16}/, 'app-00000000aaaaaaaa');
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let host: PlainHost;
let address: string;

test.beforeEach(async ({ page }) => {
  host = new PlainHost();
  address = await host.start();
  await page.goto(address);
  await page.evaluate(async () => navigator.serviceWorker.ready);
  await expect.poll(() => isControlled(page)).toBe(true);
});

test.afterEach(async () => {
  await host.stop();
  host.remove();
});

test('after the first visit the app comes without the host', async ({ page }) => {
  await host.stop();
  await page.reload();
  await expect(page.getByTestId('file-input')).toBeAttached();
  await page.goto(`${address}?source=shortcut`);
  await expect(page.getByTestId('file-input')).toBeAttached();
});

test('every built file is kept, and the host is not asked again', async ({ page }) => {
  host.requests = [];
  await page.reload();
  await expect(page.getByTestId('file-input')).toBeAttached();
  await expect.poll(() => page.workers().length).toBeGreaterThan(0);
  expect(host.requests.filter((path) => path !== '/app/sw.js')).toEqual([]);
});

test('a new version waits, takes over when asked, and is there without the host', async ({
  page,
}) => {
  host.release('two');
  await page.evaluate(async () => (await navigator.serviceWorker.ready).update());
  await expect.poll(() => isWaiting(page)).toBe(true);
  await page.reload();
  expect(await release(page), 'a reload alone changes nothing').toBeUndefined();
  await page.evaluate(async () => {
    (await navigator.serviceWorker.ready).waiting?.postMessage({ type: 'SKIP_WAITING' });
  });
  await expect.poll(() => isWaiting(page)).toBe(false);
  await host.stop();
  await page.goto(address);
  expect(await release(page)).toBe('two');
});

test('the policy reaches the workers, though the host does not send it', async ({ page }) => {
  await page.reload();
  await expect.poll(() => page.workers().length).toBeGreaterThan(0);
  const outcome = await page.workers()[0]?.evaluate(async () => {
    try {
      await fetch('./index.html');
      return 'fetched';
    } catch {
      return 'refused';
    }
  });
  expect(outcome).toBe('refused');
});

test('shared images are opened, once, and none of it reaches the host', async ({ page }) => {
  host.requests = [];
  await share(page, [SAMPLE]);
  await expect(page.getByTestId('overview')).toBeVisible();
  await expect(page.getByTestId('summary')).toContainText('64 MiB');
  expect(new URL(page.url()).search).toBe('');
  expect(host.requests.filter((path) => path.includes('share'))).toEqual([]);
  await page.reload();
  await expect(page.getByTestId('start')).toBeVisible();
});

test('shared nothing, and too much, say what to do instead', async ({ page }) => {
  await share(page, []);
  await expect(page.getByTestId('share-trouble')).toContainText('did not arrive');
  await page.goto(`${address}?shared=large`);
  await expect(page.getByTestId('share-trouble')).toContainText('512 MiB');
  await page.getByTestId('share-trouble').getByRole('button').click();
  await expect(page.getByTestId('share-trouble')).toHaveCount(0);
});

async function share(page: Page, files: string[]): Promise<void> {
  await page.goto(new URL('/share.html', address).href);
  await page.locator('input').setInputFiles(files);
  await page.getByRole('button', { name: 'Share' }).click();
}

function isControlled(page: Page): Promise<boolean> {
  return page.evaluate(() => navigator.serviceWorker.controller !== null);
}

/** Retried by the callers: the page may be reloading itself. */
async function isWaiting(page: Page): Promise<boolean | undefined> {
  try {
    return await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      return registration?.waiting !== null;
    });
  } catch {
    return undefined;
  }
}

/** Which release the page is of; undefined for the first. */
async function release(page: Page): Promise<string | undefined> {
  const meta = page.locator('meta[name="release"]');
  return (await meta.count()) === 0
    ? undefined
    : ((await meta.getAttribute('content')) ?? undefined);
}
