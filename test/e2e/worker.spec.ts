import { expect, test } from '@playwright/test';
import { SAMPLE } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

test('a dead engine is noticed, said, and started again', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await expect(page.getByTestId('health')).toContainText('Wasted space');
  await showPanel(page, 'Check');
  const [worker] = page.workers();
  await worker?.evaluate(() => self.close());
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('engine-died')).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Start again' }).click();
  await expect(page.getByTestId('engine-died')).toHaveCount(0);
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('check-verdict')).toContainText('Wasted space (1 cluster)');
});

test('the title says what is open and what is shown', async ({ page }) => {
  await start(page);
  await expect(page).toHaveTitle('qcow2 workbench');
  await openImage(page, SAMPLE);
  await expect(page).toHaveTitle('sample.qcow2 · Overview · qcow2 workbench');
  await page.keyboard.press('4');
  await expect(page).toHaveTitle('sample.qcow2 · Check · qcow2 workbench');
  expect(new URL(page.url()).hash).toBe('#/check');
});
