import { execFileSync, spawnSync } from 'node:child_process';
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
function byQemuImg(image: Buffer, snapshot = 'snapshot.id=1'): Buffer | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'snapshot-'));
  const [source, result] = [join(folder, 'a.qcow2'), join(folder, 'a.raw')];
  try {
    writeFileSync(source, image);
    const which = snapshot === '' ? [] : ['-l', snapshot];
    execFileSync('qemu-img', ['convert', ...which, '-O', 'raw', source, result], { stdio: 'pipe' });
    return readFileSync(result);
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
  await showPanel(page, 'Snapshots');
  await expect(page.getByTestId('snapshots')).toContainText('before the upgrade');
  await page.getByRole('button', { name: 'Convert the snapshot before the upgrade…' }).click();
  await expect(page.getByTestId('convert-name')).toHaveValue('kept-before_the_upgrade.raw');
  await expect(page.getByTestId('convert-command')).toContainText('-l snapshot.id=1');
  await expect(page.getByTestId('forecast')).toContainText('128 KiB');
  const download = await convertAndDownload(page);
  await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
  const hash = await sha256(download);
  expect(hash).toBe(hashOf(KEPT.then));
  const real = byQemuImg(image);
  if (real !== undefined) expect(hash).toBe(hashOf(real));

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

/** Ranges of sectors that are different, as `0x10000 65536`. */
function differences(a: Buffer, b: Buffer): string[] {
  const ranges: [number, number][] = [];
  for (let at = 0; at < a.length; at += 512) {
    if (a.subarray(at, at + 512).equals(b.subarray(at, at + 512))) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last[0] + last[1] === at) last[1] += 512;
    else ranges.push([at, 512]);
  }
  return ranges.map(([offset, length]) => `0x${offset.toString(16)} ${length / 1024} KiB`);
}

test('two states are compared: the ranges are those of the bytes', async ({ page }) => {
  await start(page);
  await openImage(page, made('kept.qcow2', keptImage().bytes));
  await showPanel(page, 'Snapshots');
  await expect(page.getByTestId('snapshot-frees')).toHaveText(/KiB/);
  await page.getByTestId('compare-snapshot').click();
  await expect(page.getByTestId('compare-command').first()).toContainText('-l snapshot.id=1');
  await page.getByTestId('compare-go').click();
  await expect(page.getByTestId('comparison')).toHaveAttribute('data-identical', 'false');
  const rows = await page.getByTestId('compare-range').allInnerTexts();
  const shown = rows.map((row) => row.split(/\s+/).slice(0, 3).join(' '));
  expect(shown).toEqual(differences(KEPT.then, KEPT.now));
  await page.getByTestId('compare-first').selectOption('Now');
  await expect(page.getByTestId('compare-go')).toBeDisabled();
});

test('taken, gone back to, deleted, saved: the real program reads the same', async ({ page }) => {
  const image = keptImage().bytes;
  // Bitmaps forbid going back.
  await start(page);
  await openImage(page, made('kept.qcow2', image));
  await showPanel(page, 'Changes');
  for (const count of [1, 0]) {
    if (count === 1) await page.getByTestId('change-bitmaps').locator('summary').click();
    await page.getByTestId('remove-bitmap').first().click();
    await expect(page.getByTestId('pending').getByRole('listitem')).toHaveCount(2 - count);
  }
  await showPanel(page, 'Snapshots');
  await page.getByTestId('create-snapshot').click();
  await page.getByTestId('snapshot-name').fill('new state');
  await expect(page.getByTestId('snapshot-command')).toHaveText(
    "qemu-img snapshot -c 'new state' kept.qcow2",
  );
  await page.getByTestId('snapshot-go').click();
  await expect(page.getByTestId('snapshot')).toHaveCount(2);
  await page.getByTestId('apply-snapshot').first().click();
  await page.getByTestId('keep-now').uncheck();
  await page.getByTestId('snapshot-go').click();
  await expect(page.getByTestId('changes-tray')).toContainText('4 changes');
  await page.getByTestId('delete-snapshot').first().click();
  await page.getByTestId('snapshot-go').click();
  await expect(page.getByTestId('snapshot')).toHaveCount(1);

  await page.getByTestId('tray-review').click();
  await expect(page.getByTestId('pending-command')).toHaveCount(5);
  await page.getByTestId('way-browser').check();
  await page.getByTestId('save-changes').click();
  const download = page.waitForEvent('download');
  await page.getByTestId('download-copy').click();
  const path = await (await download).path();
  const copy = readFileSync(path);
  const check = spawnSync('qemu-img', ['check', '-f', 'qcow2', path]);
  if (check.error !== undefined) return;
  expect(check.status).toBe(0);
  expect(byQemuImg(copy, '')?.equals(KEPT.then)).toBe(true);
  expect(byQemuImg(copy, 'new state')?.equals(KEPT.now)).toBe(true);
});
