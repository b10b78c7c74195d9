import { ftruncateSync, openSync, writeSync, closeSync, mkdtempSync, rmSync } from 'node:fs';
import { appendFileSync, copyFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { largeImage, SAMPLE, SAMPLE_FACTS } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

let folder: string;

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'e2e-'));
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** An image of `clusters` times 64 KiB, whose data is a hole of the file. */
function writeLargeImage(clusters: number, change?: (head: Buffer) => void): string {
  const path = join(folder, 'large.qcow2');
  const { head, size } = largeImage(clusters);
  change?.(head);
  const file = openSync(path, 'w');
  writeSync(file, head);
  ftruncateSync(file, size);
  closeSync(file);
  return path;
}

/** The save picker answers with a file of the browser's private storage, as a folder would. */
async function stubSavePicker(page: Page): Promise<void> {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'showSaveFilePicker', {
      value: async (options: { suggestedName: string }) => {
        const root = await navigator.storage.getDirectory();
        return await root.getFileHandle(`chosen-${options.suggestedName}`, { create: true });
      },
    });
  });
}

test('into a place that the person chose, verified', async ({ page }) => {
  await stubSavePicker(page);
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Convert');
  await page.getByTestId('where-place').check();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('convert-done')).toContainText('In the place you chose');
  await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
  const hash = await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const file = await (await root.getFileHandle('chosen-sample.raw')).getFile();
    const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(
      '',
    );
  });
  expect(hash).toBe(SAMPLE_FACTS.raw.sha256);
});

test('a save that was called off writes nothing and says so', async ({ page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'showSaveFilePicker', {
      value: () => Promise.reject(new DOMException('The user aborted a request.', 'AbortError')),
    });
  });
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Convert');
  await page.getByTestId('where-place').check();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('not-chosen')).toHaveText(/nothing was written/);
  await expect(page.getByTestId('convert-start')).toBeEnabled();
});

test('without pickers everything works by plain dialogs and downloads', async ({ page }) => {
  await page.addInitScript(() => {
    for (const name of ['showOpenFilePicker', 'showSaveFilePicker', 'showDirectoryPicker']) {
      Object.defineProperty(window, name, { value: undefined });
    }
  });
  await start(page);
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('open').click();
  await (await chooser).setFiles(SAMPLE);
  await page.getByTestId('overview').waitFor();
  await showPanel(page, 'Convert');
  await expect(page.getByTestId('where-place')).toBeDisabled();
  await expect(page.getByTestId('where-browser')).toBeChecked();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('convert-done')).toBeVisible();
});

/** Bytes: not even an empty file fits; some of the result fits. */
for (const quotaSize of [500_000, 20_000_000]) {
  test(`no room for the result with ${quotaSize} bytes: says how much is needed, and leaves nothing`, async ({
    page,
    baseURL,
  }) => {
    await start(page);
    await openImage(page, writeLargeImage(1600));
    const devtools = await page.context().newCDPSession(page);
    const origin = new URL(baseURL ?? '').origin;
    await devtools.send('Storage.overrideQuotaForOrigin', { origin, quotaSize });
    await showPanel(page, 'Convert');
    await page.getByTestId('where-browser').check();
    await page.getByTestId('convert-start').click();
    const error = page.getByTestId('error');
    await expect(error).toHaveAttribute('data-code', 'disk-full', { timeout: 20_000 });
    await expect(error).toContainText('No room left for the result: 100 MiB needed.');
    await expect(error).toContainText('Your original was not changed.');
    await devtools.send('Storage.overrideQuotaForOrigin', { origin });
    await page.getByRole('button', { name: 'Start screen' }).click();
    await expect(page.getByTestId('stored-file')).toHaveCount(0);
  });
}

test('of very many findings the first are shown, and how many there are', async ({ page }) => {
  await start(page);
  const twice = writeLargeImage(4000, (head) => {
    // Behind header and refcount table comes the block with the counts, two bytes each.
    for (let cluster = 100; cluster < 4000; cluster++) head.writeUInt16BE(2, 131072 + cluster * 2);
  });
  await openImage(page, twice);
  await showPanel(page, 'Check');
  await expect(page.getByText(/^The first 1,000 of [\d,]{5,}$/)).toBeVisible();
  await expect(page.locator('[data-count=leaks]')).toHaveText('3,900');
  const leaks = page.locator('[data-testid=finding][data-kind=leak]');
  await expect(leaks.locator('tbody tr')).toHaveCount(10);
  await leaks.getByRole('button', { name: /more$/ }).click();
  await expect(leaks.locator('tbody tr')).toHaveCount(110);
});

test('cancelling a conversion ends it before it is done and says what is left', async ({
  page,
}) => {
  await start(page);
  await openImage(page, writeLargeImage(15_000));
  await showPanel(page, 'Convert');
  await page.getByTestId('where-browser').check();
  await page.getByTestId('convert-start').click();
  const cancel = page.getByTestId('progress').getByRole('button', { name: 'Cancel' });
  await cancel.click();
  await expect(page.getByTestId('cancelled')).toBeVisible();
  await expect(page.getByTestId('cancelled')).toContainText('Your file was not changed.');
  await expect(page.getByTestId('cancelled')).toContainText('The unfinished copy was removed.');
});

test('a file that changes while it is open is noticed, and nothing is made of it', async ({
  page,
}) => {
  const path = join(folder, 'moving.qcow2');
  copyFileSync(SAMPLE, path);
  await start(page);
  await openImage(page, path);
  await expect(page.getByTestId('health')).toContainText('Wasted space');
  appendFileSync(path, Buffer.alloc(8192, 1));
  await showPanel(page, 'Check');
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('error')).toHaveAttribute('data-code', 'file-changed');
  await expect(page.getByTestId('file-changed')).toContainText('moving.qcow2');
});

test('a file that disappears is named', async ({ page }) => {
  const path = join(folder, 'leaving.qcow2');
  copyFileSync(SAMPLE, path);
  await start(page);
  await openImage(page, path);
  await expect(page.getByTestId('health')).toContainText('Wasted space');
  rmSync(path);
  await showPanel(page, 'Convert');
  await page.getByTestId('where-browser').check();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('error')).toContainText('leaving.qcow2');
  await expect(page.getByTestId('error')).toHaveAttribute(
    'data-code',
    /^(file-gone|file-changed|read-failed)$/,
  );
});

test('a picked file: remembered, watched, read again', async ({ page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'showOpenFilePicker', {
      value: async () => {
        const root = await navigator.storage.getDirectory();
        return [await root.getFileHandle('picked.qcow2')];
      },
    });
  });
  await start(page);
  const sample = [...readFileSync(SAMPLE)];
  const write = (bytes: number[]): Promise<void> =>
    page.evaluate(async (content) => {
      const root = await navigator.storage.getDirectory();
      const handle = await root.getFileHandle('picked.qcow2', { create: true });
      const writable = await handle.createWritable();
      await writable.write(new Uint8Array(content));
      await writable.close();
    }, bytes);
  await write(sample);
  await page.keyboard.press('Control+o');
  await page.getByTestId('overview').waitFor();
  await expect(page.getByTestId('file-changed')).toHaveCount(0);

  await write([...sample, ...new Array<number>(8192).fill(0)]);
  await page.evaluate(() => window.dispatchEvent(new Event('focus')));
  await expect(page.getByTestId('file-changed')).toContainText('picked.qcow2');
  await page.getByRole('button', { name: 'Read again' }).click();
  await expect(page.getByTestId('file-changed')).toHaveCount(0);
  await expect(page.locator('[data-fact=file-size]')).toContainText('200 KiB');

  await page.getByRole('button', { name: 'Start screen' }).click();
  await expect(page.getByRole('button', { name: 'Open picked.qcow2 again' })).toBeVisible();
});
