import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { KEPT, keptImage } from './chain-images.ts';
import { made } from './images.ts';
import { convertAndDownload, openImage, sha256, showPanel, start } from './page.ts';

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The snapshot by the real program; undefined where that is not to be had. */
function hashByQemuImg(image: Buffer): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
  const [source, result] = [join(folder, 'a.qcow2'), join(folder, 'a.raw')];
  try {
    writeFileSync(source, image);
    const args = ['convert', '-l', 'snapshot.id=1', '-O', 'raw', source, result];
    execFileSync('qemu-img', args, { stdio: 'pipe' });
    return hashOf(readFileSync(result));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a snapshot is converted as it was, verified', async ({ page }) => {
  const image = keptImage().bytes;
  await start(page);
  await openImage(page, made('kept.qcow2', image));
  await expect(page.getByTestId('snapshots')).toContainText('before the upgrade');
  await page.getByRole('button', { name: 'Convert the snapshot before the upgrade…' }).click();
  await expect(page.getByTestId('convert-name')).toHaveValue('kept-before_the_upgrade.raw');
  await expect(page.getByTestId('convert-command')).toContainText('-l snapshot.id=1');
  await expect(page.getByTestId('forecast')).toContainText('128 KiB');
  const download = await convertAndDownload(page);
  await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
  const hash = await sha256(download);
  expect(hash).toBe(hashOf(KEPT.then));
  expect(hash).toBe(hashByQemuImg(image) ?? hash);

  await page.getByRole('button', { name: 'Convert again' }).click();
  await page.getByTestId('convert-which').selectOption('The disk as it is now');
  await expect(page.getByTestId('convert-name')).toHaveValue('kept.raw');
  expect(await sha256(await convertAndDownload(page))).toBe(hashOf(KEPT.now));
});

test('a bitmap says what it is and what it marks', async ({ page }) => {
  await start(page);
  await openImage(page, made('kept.qcow2', keptImage().bytes));
  const bitmaps = page.getByTestId('bitmaps');
  await expect(bitmaps).toContainText('Not saved cleanly');
  await page.getByRole('button', { name: 'Show what monday marks' }).click();
  await expect(page.getByTestId('bitmap-marked')).toContainText('256 KiB (25 %)');
  await bitmaps.getByText('1 range').click();
  await expect(bitmaps).toContainText('0xc0000: 256 KiB');
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toContainText('Healthy');
});
