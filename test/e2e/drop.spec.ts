import { resolve } from 'node:path';
import { expect, test, type CDPSession, type Page } from '@playwright/test';
import { SAMPLE } from './images.ts';
import { start } from './page.ts';

/** Drags real files over the window, as the file manager does. */
async function drag(
  devtools: CDPSession,
  type: 'dragEnter' | 'dragOver' | 'dragCancel' | 'drop',
  files: string[],
) {
  await devtools.send('Input.dispatchDragEvent', {
    type,
    x: 200,
    y: 200,
    data: { items: [], files: files.map((file) => resolve(file)), dragOperationsMask: 1 },
  });
}

async function drop(page: Page, files: string[]): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await drag(devtools, 'dragEnter', files);
  await drag(devtools, 'dragOver', files);
  await expect(page.getByTestId('drop-overlay')).toBeVisible();
  await drag(devtools, 'drop', files);
  await expect(page.getByTestId('drop-overlay')).toHaveCount(0);
}

test('a dropped file opens, and can be opened again from the list', async ({ page }) => {
  await start(page);
  await drop(page, [SAMPLE]);
  await expect(page.getByTestId('summary')).toContainText('qcow2 v3');

  // The handle that came with the drop is kept: after a reload one click is enough.
  await page.reload();
  await page.getByRole('button', { name: 'Open sample.qcow2 again' }).click();
  await expect(page.getByTestId('summary')).toContainText('qcow2 v3');

  await page.getByRole('button', { name: 'Start screen' }).click();
  await page.getByRole('button', { name: 'Remove sample.qcow2 from the list' }).click();
  await expect(page.getByRole('button', { name: 'Open sample.qcow2 again' })).toHaveCount(0);
});

test('a drag that is called off leaves nothing on the screen', async ({ page }) => {
  await start(page);
  const devtools = await page.context().newCDPSession(page);
  await drag(devtools, 'dragEnter', [SAMPLE]);
  await drag(devtools, 'dragOver', [SAMPLE]);
  await expect(page.getByTestId('drop-overlay')).toBeVisible();
  await drag(devtools, 'dragCancel', [SAMPLE]);
  await expect(page.getByTestId('drop-overlay')).toHaveCount(0);
});

test('several dropped files open side by side, the whole window takes them', async ({ page }) => {
  await start(page);
  await drop(page, [SAMPLE]);
  await page.getByTestId('overview').waitFor();
  await drop(page, ['public/icons/icon-512.png', 'public/icons/icon-192.png']);
  const files = page.getByRole('navigation', { name: 'Open images' });
  await expect(files.getByRole('listitem')).toHaveCount(3);
});
