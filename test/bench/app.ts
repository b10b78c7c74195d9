import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium } from '@playwright/test';
import type { BrowserContext, Page } from '@playwright/test';
import { listenLocally, staticFiles } from '../../scripts/lib/server.mjs';
import { chromiumOptions } from '../chromium.ts';
import { watchMemory } from './memory.ts';
import { privateFiles } from './private-files.ts';

const FIRST_PORT = 4500;

/** What one job cost. */
export interface JobCost {
  seconds: number;
  /** How much the renderer grew at most over what it held before the file was chosen, MiB. */
  memory: number;
  /** The longest that the page did not listen, milliseconds; 0: never more than 50. */
  longestTask: number;
}

/** What a person does: opens files and waits for something. Gives seconds. */
export type Job = (page: Page) => Promise<number>;

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
      viewport: { width: 1280, height: 900 },
      locale: 'en-US',
    });
    // The dialog of the save picker cannot be driven: results go to private storage.
    await context.addInitScript(() => {
      Reflect.deleteProperty(window, 'showSaveFilePicker');
    });
    await context.addInitScript(watchTasks);
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

  /**
   * Does a job on a new page.
   * @param look at the files that it left in the private storage, before they are removed
   */
  async run(job: Job, look?: (files: string[]) => void): Promise<JobCost> {
    const page = await this.#context.newPage();
    await page.goto(this.#address);
    await page.getByTestId('file-input').waitFor({ state: 'attached' });
    // The worker starts behind the start screen; a person takes longer to choose a file.
    await page.waitForTimeout(1000);
    try {
      const memory = await watchMemory(this.#context);
      await page.evaluate(() => {
        window.benchLongestTask = 0;
      });
      const seconds = await job(page);
      const longestTask = await page.evaluate(() => window.benchLongestTask ?? 0);
      look?.(privateFiles(this.#profile));
      return { seconds, memory: memory.stop(), longestTask };
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
    /** Milliseconds; set by {@link watchTasks}. */
    benchLongestTask?: number;
  }
}

/** Runs in the page: notes the longest task. Those below 50 ms are not told of. */
function watchTasks(): void {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      window.benchLongestTask = Math.max(window.benchLongestTask ?? 0, duration);
    }
  }).observe({ type: 'longtask' });
}
