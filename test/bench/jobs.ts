import { statSync } from 'node:fs';
import type { Download, Page } from '@playwright/test';
import type { Job } from './app.ts';
import { PASSPHRASE } from './images.ts';

const LONGEST_MS = 300_000;
const WAIT = { timeout: LONGEST_MS };

/** Seconds from the choice of a file to the frame that shows its overview. */
export function overview(image: string): Job {
  return async (page) => {
    await page.evaluate(watchForOverview);
    await open(page, image);
    return page.evaluate(() => window.benchOverview ?? NaN);
  };
}

/** A whole check, from the click to the verdict. */
export function check(image: string): Job {
  return async (page) => {
    await open(page, image);
    await goTo(page, 'check');
    await page.getByTestId('run-check').waitFor();
    // The button is away while it works; a small image has been checked already.
    return timed(page, { click: 'run-check', shows: 'run-check' });
  };
}

/** What a conversion is to make. */
export interface Target {
  format: 'raw' | 'qcow2';
  compression?: 'zlib' | 'zstd';
  /** Compared with the source afterwards, as the app does unless it is told otherwise. */
  verify?: boolean;
  /** Opens the source. */
  passphrase?: string;
}

/** Conversion into private storage, from the click to the result. */
export function convert(image: string, target: Target): Job {
  return async (page) => {
    await wish(page, image, target);
    await page.getByTestId('convert-downloads').uncheck();
    return timed(page, { click: 'convert-start', shows: 'convert-done' });
  };
}

/** The same, and out to the person's disk: until the download is whole. */
export function convertOut(image: string, target: Target): Job {
  return async (page) => {
    await wish(page, image, target);
    await page.getByTestId('convert-downloads').check();
    const begins = page.waitForEvent('download', WAIT);
    const start = performance.now();
    await page.getByTestId('convert-start').click();
    await whole(await begins, statSync(image).size);
    return (performance.now() - start) / 1000;
  };
}

/** Waits until a download is on the disk, and removes it. @param least bytes that it must have */
export async function whole(download: Download, least: number): Promise<void> {
  const { size } = statSync(await download.path());
  await download.delete();
  if (size < least) throw new Error(`A download has ${size} bytes instead of ${least}.`);
}

async function wish(page: Page, image: string, target: Target): Promise<void> {
  await open(page, image, target.passphrase);
  await goTo(page, 'convert');
  await page.getByTestId(`format-${target.format}`).check({ force: true });
  if (target.compression !== undefined) {
    await page.getByTestId('option-compression').selectOption(target.compression);
  }
  await page.getByTestId('convert-verify').setChecked(target.verify === true);
}

/** A line of the console over open files, from Enter to its exit code. */
export function command(images: string[], line: string): Job {
  return async (page) => {
    await open(page, images);
    await goTo(page, 'console');
    await page.getByTestId('console-input').fill(line);
    return timed(page, { click: 'console-run', shows: 'console-output', text: 'exit code 0' });
  };
}

/** The digest of a file as it is. */
export function checksum(image: string): Job {
  return async (page) => {
    await open(page, image);
    await goTo(page, 'checksum');
    return timed(page, { click: 'checksum-file', shows: 'digest-file' });
  };
}

/** Looks for a text that is nowhere on the disk. */
export function search(image: string): Job {
  return async (page) => {
    await open(page, image);
    await goTo(page, 'structure');
    await page.getByText('Find', { exact: true }).click();
    await page.getByTestId('find-text').fill('NOWHERE-ON-THIS-DISK');
    return timed(page, { click: 'find-start', shows: 'find-count' });
  };
}

/** A diagnosis that reads all of the content. */
export function deepLook(image: string): Job {
  return async (page) => {
    await open(page, image);
    await goTo(page, 'diagnose');
    await page.getByTestId('diagnosis-verdict').waitFor(WAIT);
    // The button is away while it works.
    return timed(page, { click: 'run-deep', shows: 'run-deep' });
  };
}

/** From the choice of the panel to the picture of the file. */
export function map(image: string): Job {
  return async (page) => {
    await open(page, image);
    return timed(page, { panel: 'map', shows: 'map-summary' });
  };
}

/** What begins a job, and what shows that it has ended; by test ids. */
interface Clocked {
  click?: string;
  panel?: Panel;
  shows: string;
  text?: string;
}

/**
 * Seconds from the click to the frame that shows the result, by the page's own clock: Playwright
 * looks only every half a second when it waits.
 */
async function timed(page: Page, wanted: Clocked): Promise<number> {
  if (wanted.click !== undefined) await page.getByTestId(wanted.click).waitFor();
  page.setDefaultTimeout(LONGEST_MS);
  return page.evaluate(
    async ({ click, panel, shows, text = '', longest }) => {
      const find = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
      // What is clicked and comes again is another element then.
      const before = click === shows ? find(shows) : null;
      const isThere = (): boolean => {
        const now = find(shows);
        return now !== null && now !== before && now.textContent.includes(text);
      };
      const frame = (): Promise<unknown> => new Promise((next) => requestAnimationFrame(next));
      if (isThere()) throw new Error(`${shows} is there already`);
      const start = performance.now();
      if (panel !== undefined) location.hash = `#/${panel}`;
      if (click !== undefined) find(click)?.click();
      while (!isThere()) {
        if (performance.now() - start > longest) throw new Error(`${shows} does not come`);
        await frame();
      }
      return (performance.now() - start) / 1000;
    },
    { ...wanted, longest: LONGEST_MS },
  );
}

async function open(page: Page, images: string | string[], passphrase?: string): Promise<void> {
  await page.getByTestId('file-input').setInputFiles(images);
  // A disk without any partition is taken for a raw one when the person says so.
  const [shown, unknown] = [page.getByTestId('overview'), page.getByTestId('open-raw')];
  await shown.or(unknown).waitFor();
  if (await unknown.isVisible()) await unknown.click();
  await shown.waitFor();
  if (passphrase === undefined) return;
  await page.getByTestId('unlock').first().click();
  await page.getByTestId('passphrase').fill(passphrase);
  await page.getByTestId('passphrase-unlock').click();
  await page.getByTestId('passphrase').waitFor({ ...WAIT, state: 'detached' });
}

/** Opens the images that the bench has encrypted. */
export const UNLOCKED = { passphrase: PASSPHRASE };

type Panel = 'check' | 'convert' | 'console' | 'checksum' | 'structure' | 'diagnose' | 'map';

async function goTo(page: Page, panel: Panel): Promise<void> {
  await page.evaluate((name) => {
    location.hash = `#/${name}`;
  }, panel);
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
