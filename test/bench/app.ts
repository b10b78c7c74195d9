import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium } from '@playwright/test';
import type { BrowserContext, Page } from '@playwright/test';
import { listenLocally, staticFiles } from '../../scripts/lib/server.mjs';
import { chromiumOptions } from '../chromium.ts';
import { watchMemory } from './memory.ts';

const FIRST_PORT = 4500;
const LONGEST_JOB_MS = 600_000;

/** What one job cost. */
export interface JobCost {
  seconds: number;
  /** How much the renderer grew at most over what it held before the file was chosen, MiB. */
  memory: number;
}

/** The built app in Chromium, with private storage on disk, driven as a person would. */
export class BenchApp {
  readonly #context: BrowserContext;
  readonly #profile: string;
  readonly #address: string;
  readonly #closeServer: () => void;

  private constructor(
    context: BrowserContext,
    profile: string,
    server: { port: number; close: () => void },
  ) {
    this.#context = context;
    this.#profile = profile;
    this.#address = `http://localhost:${server.port}/`;
    this.#closeServer = server.close;
  }

  static async start(): Promise<BenchApp> {
    const server = await listenLocally(staticFiles(resolve('dist/app'), '/'), FIRST_PORT);
    const profile = mkdtempSync(join(tmpdir(), 'bench-profile-'));
    const context = await chromium.launchPersistentContext(profile, {
      ...(await chromiumOptions()),
      acceptDownloads: false,
    });
    // The dialog of the save picker cannot be driven: results go to private storage.
    await context.addInitScript(() => {
      Reflect.deleteProperty(window, 'showSaveFilePicker');
    });
    return new BenchApp(context, profile, server);
  }

  get version(): string {
    return this.#context.browser()?.version() ?? '';
  }

  async stop(): Promise<void> {
    await this.#context.close();
    this.#closeServer();
    rmSync(this.#profile, { recursive: true, force: true });
  }

  /** Seconds from the choice of a file to the frame that shows its overview. */
  overview(image: string): Promise<number> {
    return this.#withPage(async (page) => {
      await page.evaluate(watchForOverview);
      await this.#open(page, image);
      return page.evaluate(() => window.benchOverview ?? NaN);
    });
  }

  /** A whole check, from the click to the verdict. */
  check(image: string): Promise<JobCost> {
    return this.#withPage(async (page) => {
      const memory = await watchMemory(this.#context);
      await this.#open(page, image);
      await goTo(page, 'check');
      const start = performance.now();
      await page.getByTestId('run-check').click();
      await page.getByTestId('check-verdict').waitFor({ timeout: LONGEST_JOB_MS });
      return { seconds: (performance.now() - start) / 1000, memory: memory.stop() };
    });
  }

  /** Conversion to raw in private storage, from the click to the result. */
  convert(image: string, verify: boolean): Promise<JobCost> {
    return this.#withPage(async (page) => {
      const memory = await watchMemory(this.#context);
      await this.#open(page, image);
      await goTo(page, 'convert');
      await page.getByTestId('convert-verify').setChecked(verify);
      const start = performance.now();
      await page.getByTestId('convert-start').click();
      await page.getByTestId('convert-done').waitFor({ timeout: LONGEST_JOB_MS });
      const seconds = (performance.now() - start) / 1000;
      return { seconds, memory: memory.stop() };
    });
  }

  async #open(page: Page, image: string): Promise<void> {
    await page.getByTestId('file-input').setInputFiles(image);
    await page.getByTestId('overview').waitFor();
  }

  async #withPage<T>(work: (page: Page) => Promise<T>): Promise<T> {
    const page = await this.#context.newPage();
    await page.goto(this.#address);
    await page.getByTestId('file-input').waitFor({ state: 'attached' });
    // The worker starts behind the start screen; a person takes longer to choose a file.
    await page.waitForTimeout(1000);
    try {
      return await work(page);
    } finally {
      await page.close();
      await this.#emptyPrivateStorage();
    }
  }

  async #emptyPrivateStorage(): Promise<void> {
    const page = await this.#context.newPage();
    await page.goto(this.#address);
    await page.evaluate(async () => {
      const folder = await navigator.storage.getDirectory();
      for await (const name of folder.keys()) await folder.removeEntry(name, { recursive: true });
    });
    await page.close();
  }
}

declare global {
  interface Window {
    /** Seconds from the choice of the file to the overview; set by {@link watchForOverview}. */
    benchOverview?: number;
  }
}

/** Runs in the page: a clock from the input's `change` to the frame after the overview appears. */
function watchForOverview(): void {
  document.addEventListener(
    'change',
    () => {
      const start = performance.now();
      const look = (): void => {
        if (document.querySelector('[data-testid="overview"]') === null)
          requestAnimationFrame(look);
        else window.benchOverview = (performance.now() - start) / 1000;
      };
      requestAnimationFrame(look);
    },
    { capture: true, once: true },
  );
}

async function goTo(page: Page, panel: 'check' | 'convert'): Promise<void> {
  await page.evaluate((name) => {
    location.hash = `#/${name}`;
  }, panel);
}
