import { expect, test, type Page } from '@playwright/test';
import { made, SAMPLE, SAMPLE_FACTS } from './images.ts';
import { convertAndDownload, openImage, runLine, sha256, showPanel, start } from './page.ts';

test('the first minute, and the same again without network', async ({ page, context }) => {
  test.setTimeout(120_000);
  await start(page);
  await expect(page.getByTestId('offline-ready')).toBeVisible({ timeout: 20_000 });

  for (const network of ['with', 'without']) {
    await test.step(`${network} network`, async () => {
      await page.getByTestId('sample').click();
      await expect(page.getByTestId('summary')).toHaveText(
        'qcow2 v3 · 64 MiB disk · 192 KiB file · 1 snapshot',
      );
      await expect(page.getByTestId('health')).toContainText('Wasted space (1 cluster)');
      // The address still names the panel of before.
      await showPanel(page, 'Overview');
      await expect(page.getByTestId('in-short')).toContainText('1 partition: ext4', {
        timeout: 20_000,
      });

      await showPanel(page, 'Check');
      await expect(page.getByTestId('check-verdict')).toContainText('Wasted space (1 cluster)');
      const finding = page.getByTestId('finding');
      await expect(finding).toContainText('counted as used, but nothing uses them');
      await expect(finding).toContainText('0x2e000');
      await expect(page.locator('[data-count=leaks]')).toHaveText('1');
      await expect(page.locator('[data-count=exit]')).toHaveText('3');

      const copy = `mended-${network}.qcow2`;
      await page.getByTestId('plan-repair').click();
      await page.getByTestId('add-repair').click();
      await page.getByTestId('way-browser').check();
      await page.getByTestId('copy-name').fill(copy);
      await page.getByTestId('save-changes').click();
      await page.getByTestId('open-copy').click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(copy);
      await expect(page.getByTestId('health')).toContainText('Healthy');

      const download = await convertAndDownload(page);
      expect(download.suggestedFilename()).toBe(`mended-${network}.raw`);
      expect(await sha256(download)).toBe(SAMPLE_FACTS.raw.sha256);
      await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
    });
    if (network === 'with') {
      await context.setOffline(true);
      await page.reload();
      await page.getByTestId('menu').waitFor();
    }
  }
});

test('the overview gives all facts, to be read and to be copied', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await start(page);
  await openImage(page, SAMPLE);
  const fact = (id: string) => page.locator(`[data-fact=${id}]`);
  await expect(fact('virtual-size')).toHaveText(/64 MiB\s*67,108,864 bytes/);
  await expect(fact('file-size')).toHaveText(/192 KiB\s*196,608 bytes/);
  await expect(fact('format')).toContainText('qcow2 version 3');
  await expect(fact('cluster-size')).toContainText('8 KiB');
  await expect(fact('compression')).toHaveText('zlib (deflate)');
  await expect(fact('refcount-bits')).toHaveText('16 bits');
  await expect(fact('encryption')).toHaveText('None');
  await expect(fact('data')).toHaveText('296 KiB of 64 MiB (< 1 %)');
  await expect(page.getByTestId('snapshot-summary')).toContainText('before-upgrade');

  await page.getByRole('button', { name: 'Copy: Virtual size' }).click();
  expect(await clipboard(page)).toBe('67108864');
  await page.getByTestId('copy-all').click();
  expect(await clipboard(page)).toContain('Virtual size: 64 MiB (67,108,864 bytes)');
  await page.getByRole('button', { name: 'Copy as JSON' }).click();
  await expect.poll(() => clipboard(page)).toContain('"virtual-size": 67108864');
});

test('a check report is copied in three forms', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Check');
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('check-verdict')).toBeVisible();
  await page.getByTestId('copy-text').click();
  expect(await clipboard(page)).toContain('Leaks: 1');
  await page.getByTestId('copy-markdown').click();
  expect(await clipboard(page)).toContain('## Wasted space (1)');
  await page.getByTestId('copy-json').click();
  const report = JSON.parse(await clipboard(page)) as { leaks: number };
  expect(report.leaks).toBe(1);
});

test('a result opens as an image of its own, and stays until it is deleted', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await convertAndDownload(page);
  await page.getByTestId('open-result').click();
  await expect(page.getByTestId('summary')).toHaveText('raw · 64 MiB disk');
  await showPanel(page, 'Check');
  await expect(page.getByText('A raw disk has nothing to check')).toBeVisible();

  await page.getByRole('button', { name: 'Start screen' }).click();
  await expect(page.getByTestId('stored-file')).toContainText('sample.raw');
  await page.getByRole('button', { name: 'Delete sample.raw' }).click();
  await page.getByRole('button', { name: 'Delete “sample.raw”' }).click();
  await expect(page.getByTestId('stored-file')).toHaveCount(0);
});

test('several images are open at once, and the console knows them all', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await openImage(page, made('disk.img', partitionedDisk()));
  await expect(page.getByTestId('summary')).toContainText('raw');
  const files = page.getByRole('navigation', { name: 'Open images' });
  await files.getByRole('button', { name: 'sample.qcow2', exact: true }).click();
  await expect(page.getByTestId('summary')).toContainText('qcow2 v3');
  await showPanel(page, 'Console');
  expect(await runLine(page, 'qemu-img info disk.img')).toContain('file format: raw');
  await files.getByRole('button', { name: 'Close disk.img' }).click();
  await expect(files.getByRole('listitem')).toHaveCount(1);
});

/** An empty disk with a partition table: what makes a raw disk look like one. */
function partitionedDisk(): Buffer {
  const disk = Buffer.alloc(1 << 20);
  disk.writeUInt8(0x83, 446 + 4);
  disk.writeUInt32LE(64, 446 + 8);
  disk.writeUInt32LE(1024, 446 + 12);
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

async function clipboard(page: Page): Promise<string> {
  return await page.evaluate(() => navigator.clipboard.readText());
}
