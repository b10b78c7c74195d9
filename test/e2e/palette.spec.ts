import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { SAMPLE } from './images.ts';
import { openImage, start } from './page.ts';

async function find(page: Page, words: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await expect(page.getByTestId('palette-input')).toBeFocused();
  await page.keyboard.type(words);
}

function chosen(page: Page) {
  return page.getByTestId('palette').getByRole('option', { selected: true });
}

test('everything is found by a few letters and done without a pointer', async ({ page }) => {
  await start(page);
  await page.keyboard.press('Control+k');
  await expect(page.getByTestId('palette-input')).toBeFocused();
  await expect(page.getByRole('option', { name: /Overview/ })).toHaveCount(0);
  await page.keyboard.type('sample');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('overview')).toBeVisible();

  await find(page, 'vdi');
  await expect(chosen(page)).toContainText('Convert to VDI');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('format-vdi')).toBeChecked();

  await find(page, 'rsz');
  await expect(chosen(page)).toContainText('Resize the disk');
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('palette')).toBeHidden();

  await find(page, 'check');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('check-verdict')).toBeVisible();

  await find(page, 'qqqq');
  await expect(page.getByTestId('palette-none')).toContainText('qqqq');
  await page.keyboard.press('Escape');

  await find(page, 'chinese');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('tab', { name: '检查', exact: true })).toBeVisible();
  await find(page, 'english');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('tab', { name: 'Check', exact: true })).toBeVisible();
});

test('settings change what is shown at once, and stay', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await expect(page.getByTestId('summary')).toContainText('64 MiB');
  await page.getByTestId('menu').click();
  await page.getByTestId('settings').click();
  await page.getByText('kB, MB, GB').click();
  await page.getByText('Less', { exact: true }).click();
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('summary')).toContainText('67.1 MB');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-motion', 'less');
  await openImage(page, SAMPLE);
  await expect(page.getByTestId('summary')).toContainText('67.1 MB');
});

test('a report of the whole image holds what is known of it', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await expect(page.getByTestId('health')).toHaveText(/1/);
  const saved = page.waitForEvent('download');
  await find(page, 'save report');
  await page.keyboard.press('Enter');
  const download = await saved;
  expect(download.suggestedFilename()).toBe('sample.qcow2-report.md');
  const report = readFileSync(await download.path(), 'utf8');
  expect(report).toContain('# Image report: sample.qcow2');
  expect(report).toContain('| Virtual size | 64 MiB (67,108,864 bytes) |');
  expect(report).toContain('before-upgrade');
  expect(report).toContain('- Leaks: 1');
  expect(report).toContain('nothing of what is on the disk');
});
