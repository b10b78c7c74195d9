import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { largeImage, SAMPLE } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

const folder = mkdtempSync(join(tmpdir(), 'jobs-'));
test.afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An image whose digest takes many seconds, and which takes no room: its data is a hole. */
function longImage(): string {
  const path = join(folder, 'long.qcow2');
  const { head, size } = largeImage(250_000);
  writeFileSync(path, head);
  truncateSync(path, size);
  return path;
}

function progress(page: Page): Promise<number> {
  return page.locator('progress').evaluate((bar: HTMLProgressElement) => bar.value);
}

test('long work is paused, found from elsewhere, and may be told of at its end', async ({
  page,
  context,
}) => {
  test.setTimeout(120_000);
  await context.grantPermissions(['notifications']);
  await start(page);
  await openImage(page, longImage());
  await showPanel(page, 'Checksum');
  await page.getByTestId('checksum-file').click();
  await expect.poll(() => progress(page)).toBeGreaterThan(0);

  await page.getByTestId('pause').click();
  await expect(page.getByTestId('progress')).toContainText('Paused.');
  // What was on its way arrives; after that nothing moves.
  await page.waitForTimeout(500);
  const before = await progress(page);
  await page.waitForTimeout(1500);
  expect(await progress(page)).toBe(before);
  await page.getByTestId('pause').click();
  await expect.poll(() => progress(page)).toBeGreaterThan(before);

  await page.getByTestId('notify').check();
  await expect(page.getByTestId('notify')).toBeChecked();
  await expect(page.getByTestId('elsewhere')).toHaveCount(0);
  await showPanel(page, 'Overview');
  await expect(page.getByTestId('elsewhere')).toHaveAccessibleName(
    /checksum of long\.qcow2, \d+ %/,
  );
  await openImage(page, SAMPLE);
  await page.getByTestId('elsewhere').click();
  await expect(page.getByTestId('progress')).toBeVisible();
  await expect(page.getByRole('heading', { name: 'long.qcow2' })).toBeVisible();

  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(page.getByTestId('progress')).toHaveCount(0);
});
