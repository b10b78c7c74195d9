import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, ftruncateSync, openSync, writeSync } from 'node:fs';
import { chromium, expect, test } from '@playwright/test';
import { chromiumOptions } from '../chromium.ts';
import { largeImage, SAMPLE } from './images.ts';
import { openImage, sha256, showPanel, start } from './page.ts';

const hasQemu = spawnSync('qemu-img', ['--version']).error === undefined;

test('what is too long for the browser’s check is made here and downloaded by itself', async ({
  baseURL,
}, info) => {
  test.slow();
  if (baseURL === undefined) throw new Error('The tests have an address in their configuration.');
  // Bytes: 256 MiB, all of it data.
  const { head, size } = largeImage(4096);
  const image = info.outputPath('large.qcow2');
  const file = openSync(image, 'w');
  writeSync(file, head);
  ftruncateSync(file, size);
  closeSync(file);
  // Private storage is in memory elsewhere, and then a place is the better offer.
  const context = await chromium.launchPersistentContext(info.outputPath('profile'), {
    ...(await chromiumOptions()),
    ...{ baseURL, locale: 'en-US', acceptDownloads: true },
  });
  try {
    const page = await context.newPage();
    await start(page);
    await openImage(page, image);
    await showPanel(page, 'Convert');
    await expect(page.getByTestId('where-browser')).toBeChecked();
    await expect(page.getByTestId('convert-downloads')).toBeChecked();
    await expect(page.getByTestId('time-place')).toContainText(/About \d+ s/);
    await expect(page.getByTestId('time-browser')).toContainText(/About \d+ s/);
    const begins = page.waitForEvent('download', { timeout: 50_000 });
    await page.getByTestId('convert-start').click();
    const download = await begins;
    await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
    expect(download.suggestedFilename()).toBe('large.raw');
    const made = await sha256(download);
    // The copy here is still there for who wants it: nobody knows that the download has ended.
    await expect(page.getByTestId('convert-download')).toBeVisible();
    if (!hasQemu) return;
    const real = info.outputPath('real.raw');
    execFileSync('qemu-img', ['convert', '-O', 'raw', image, real]);
    const hash = createHash('sha256');
    for await (const piece of createReadStream(real)) hash.update(piece as Buffer);
    expect(made).toBe(hash.digest('hex'));
  } finally {
    await context.close();
  }
});

test('a result is kept without a download when that is wished', async ({ page }) => {
  let downloads = 0;
  page.on('download', () => downloads++);
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Convert');
  await page.getByTestId('where-browser').check();
  await page.getByTestId('convert-downloads').uncheck();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('convert-done')).toBeVisible();
  await expect(page.getByTestId('convert-done')).not.toContainText('download has begun');
  const begins = page.waitForEvent('download');
  await page.getByTestId('convert-download').click();
  await begins;
  expect(downloads).toBe(1);
});
