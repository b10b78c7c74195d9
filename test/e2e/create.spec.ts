import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { SAMPLE } from './images.ts';
import { openImage, start } from './page.ts';

let folder: string;

test.beforeEach(({ page }) => {
  folder = mkdtempSync(join(tmpdir(), 'create-'));
  return page.addInitScript(() => {
    for (const name of ['showOpenFilePicker', 'showSaveFilePicker', 'showDirectoryPicker']) {
      Object.defineProperty(window, name, { value: undefined });
    }
  });
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Makes what is chosen and downloads the first file. */
async function makeAndDownload(page: Page): Promise<Buffer> {
  await page.getByTestId('create-start').click();
  await expect(page.getByTestId('created')).toBeVisible({ timeout: 30_000 });
  const download = page.waitForEvent('download');
  await page.getByTestId('created-download').click();
  return readFileSync(await (await download).path());
}

/** Runs the command line that the page shows, with the real program. */
function runShown(line: string | null): void {
  execFileSync('sh', ['-c', line ?? 'false'], { cwd: folder, stdio: 'pipe' });
}

test('a new image has the bytes of the command that is shown', async ({ page }) => {
  await start(page);
  await page.getByTestId('new').click();
  const note = page.getByTestId('create-size-note');
  await page.getByTestId('create-size').fill('20 apples');
  await expect(note).toHaveText(/This is no size/);
  await expect(page.getByTestId('create-start')).toBeDisabled();
  await page.getByTestId('create-size').fill('1.5 T');
  await expect(note).toHaveText(/= 1.5 TiB/);
  await page.getByTestId('create-cluster_size').selectOption('128k');
  await page.getByTestId('create-more').locator('summary').click();
  await page.getByTestId('create-refcount_bits').selectOption('8');
  const command = page.getByTestId('create-command');
  const line = 'qemu-img create -f qcow2 -o cluster_size=128k,refcount_bits=8 disk.qcow2 1536G';
  await expect(command).toHaveText(line);
  const made = await makeAndDownload(page);
  runShown(line);
  expect(made.equals(readFileSync(join(folder, 'disk.qcow2')))).toBe(true);
  await page.getByTestId('created-open').click();
  await expect(page.locator('[data-fact=virtual-size]')).toContainText('1.5 TiB');
});

test('a layer over an open image, and a disk for VirtualBox by the keyboard', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await page.getByTestId('menu').click();
  await page.getByTestId('menu-new').click();
  await page.getByTestId('create-base').selectOption({ index: 1 });
  await expect(page.getByTestId('create-size-note')).toHaveText(/as large as the image below/);
  await page.getByTestId('create-name').fill('layer.qcow2');
  const line = await page.getByTestId('create-command').textContent();
  expect(line).toBe('qemu-img create -f qcow2 -b sample.qcow2 -F qcow2 layer.qcow2');
  const made = await makeAndDownload(page);
  execFileSync('cp', [SAMPLE, join(folder, 'sample.qcow2')]);
  runShown(line);
  expect(made.equals(readFileSync(join(folder, 'layer.qcow2')))).toBe(true);

  await page.getByTestId('created-again').press('Enter');
  await page.getByTestId('preset-virtualbox').focus();
  await page.keyboard.press('Space');
  await expect(page.getByTestId('create-format-vdi')).toBeChecked();
  await page.getByTestId('create-size').fill('64M');
  await expect(page.getByTestId('create-name')).toHaveValue('layer.vdi');
  await page.getByTestId('create-size').press('Enter');
  await expect(page.getByTestId('created')).toBeVisible({ timeout: 30_000 });
  await page.getByTestId('created-open').press('Enter');
  await expect(page.locator('[data-fact=format]')).toContainText('VDI');
});

test('a passphrase that was typed twice opens the image', async ({ page }) => {
  await start(page);
  await page.goto('./#/new');
  await page.getByTestId('create-size').fill('8M');
  await page.getByTestId('create-encrypted').check();
  await page.getByTestId('create-passphrase').fill('open sesame');
  await page.getByTestId('create-again').fill('open sesam');
  await page.getByTestId('create-start').click();
  await expect(page.getByText('The two are different.')).toBeVisible();
  await page.getByTestId('create-again').fill('open sesame');
  const made = await makeAndDownload(page);
  const file = join(folder, 'made.qcow2');
  writeFileSync(file, made);
  const secret = ['--object', 'secret,id=k,data=open sesame'];
  const image = `driver=qcow2,encrypt.key-secret=k,file.filename=${file}`;
  const args = ['convert', ...secret, '--image-opts', image, '-O', 'raw', `${file}.raw`];
  execFileSync('qemu-img', args, { stdio: 'pipe' });
  expect(readFileSync(`${file}.raw`).every((byte) => byte === 0)).toBe(true);
});
