import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { expect, type Download, type Page } from '@playwright/test';
import type { MadeFile } from './images.ts';

/** Opens the app and waits until all of it is there, not only the first screen. */
export async function start(page: Page): Promise<void> {
  await page.goto('./');
  await page.getByTestId('menu').waitFor();
}

/** Chooses a file as a person does in a browser without pickers. */
export async function choose(page: Page, file: string | MadeFile | MadeFile[]): Promise<void> {
  await page.getByTestId('file-input').setInputFiles(file);
}

/** Opens an image and waits for its overview. */
export async function openImage(page: Page, file: string | MadeFile | MadeFile[]): Promise<void> {
  await choose(page, file);
  await page.getByTestId('overview').waitFor();
}

export async function showPanel(
  page: Page,
  name:
    | 'Overview'
    | 'Map'
    | 'Structure'
    | 'Check'
    | 'Diagnose'
    | 'Convert'
    | 'Snapshots'
    | 'Changes'
    | 'Checksum'
    | 'Console',
): Promise<void> {
  await page.getByRole('tab', { name, exact: true }).click();
}

/** Converts the image on the screen into the browser's storage and downloads the result. */
export async function convertAndDownload(page: Page): Promise<Download> {
  await showPanel(page, 'Convert');
  await page.getByTestId('where-browser').check();
  await page.getByTestId('convert-downloads').uncheck();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('convert-done')).toBeVisible({ timeout: 30_000 });
  const download = page.waitForEvent('download');
  await page.getByTestId('convert-download').click();
  return await download;
}

/** SHA-256 of a downloaded file. */
export async function sha256(download: Download): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(await download.path())) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Types a line into the console and waits until it has ended. */
export async function runLine(page: Page, line: string): Promise<string> {
  const output = page.getByTestId('console-output');
  const ends = await output.getByText(/exit code \d/).count();
  await page.getByTestId('console-input').fill(line);
  await page.getByTestId('console-input').press('Enter');
  await expect(output.getByText(/exit code \d/)).toHaveCount(ends + 1, { timeout: 20_000 });
  return await output.innerText();
}

/** Nothing is wider than the window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const [content, window] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  expect(content).toBeLessThanOrEqual(window ?? 0);
}
