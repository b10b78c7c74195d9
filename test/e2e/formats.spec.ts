import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Download, type Page } from '@playwright/test';
import { choose, expectNoSidewaysScroll, openImage, showPanel, start } from './page.ts';

const MIB = 1024 * 1024;
const hasQemuImg = ((): boolean => {
  try {
    execFileSync('qemu-img', ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
})();

test.skip(!hasQemuImg, 'needs the real qemu-img');

let folder: string;

test.beforeEach(({ page }) => {
  folder = mkdtempSync(join(tmpdir(), 'formats-'));
  return page.addInitScript(() => {
    for (const name of ['showOpenFilePicker', 'showSaveFilePicker', 'showDirectoryPicker']) {
      Object.defineProperty(window, name, { value: undefined });
    }
  });
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function qemuImg(...args: string[]): string {
  return execFileSync('qemu-img', args, { cwd: folder, encoding: 'utf8' });
}

/** A raw disk of `size` bytes with something in its beginning, middle and end. */
function writeDisk(name: string, size: number): string {
  const content = Buffer.alloc(size);
  for (const place of [0, Math.floor(size / 2), size - 5000]) {
    for (let at = 0; at < 4096; at++) content[place + at] = (at * 31 + place) & 0xff;
  }
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

async function convertAndSave(page: Page): Promise<string[]> {
  await page.getByTestId('where-browser').check();
  // Nobody is asked this of several files.
  const byItself = page.getByTestId('convert-downloads');
  if (await byItself.isVisible()) await byItself.uncheck();
  await page.getByTestId('convert-start').click();
  await expect(page.getByTestId('convert-done')).toBeVisible({ timeout: 30_000 });
  await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
  const downloads: Download[] = [];
  page.on('download', (download) => downloads.push(download));
  const files = Math.max(1, await page.getByTestId('convert-files').locator('li').count());
  await page.getByTestId('convert-download').click();
  await expect.poll(() => downloads.length).toBe(files);
  const names: string[] = [];
  for (const download of downloads) {
    const name = download.suggestedFilename();
    await download.saveAs(join(folder, 'made', name));
    names.push(name);
  }
  return names;
}

const madeFile = (name: string): Buffer => readFileSync(join(folder, 'made', name));

test('a VHD: what it is, who takes it, and its check', async ({ page }) => {
  writeDisk('disk.raw', 5 * MIB + 512 * 3);
  qemuImg('convert', '-O', 'vpc', 'disk.raw', 'web.vhd');
  await start(page);
  await openImage(page, join(folder, 'web.vhd'));
  await expect(page.locator('[data-fact=format]')).toContainText('VHD (Virtual PC, Hyper-V');
  await expect(page.locator('[data-fact^=subformat]')).toContainText('Dynamic');
  const card = page.getByTestId('destinations');
  await expect(card.locator('li')).toHaveCount(5);
  const azure = card.locator('[data-destination=azure]');
  await expect(azure).toHaveAttribute('data-verdict', 'no');
  await expect(azure).toContainText('only disks of fixed size');
  await expect(azure).toContainText('multiple of 1 MiB');
  await page.getByTestId('all-destinations').click();
  await expect(card.locator('li')).toHaveCount(16);
  const verdicts = await card
    .locator('li')
    .evaluateAll((items) => items.map((item) => item.getAttribute('data-verdict')));
  const order = ['yes', 'care', 'no'];
  expect(verdicts).toEqual(
    [...verdicts].sort((a, b) => order.indexOf(a ?? '') - order.indexOf(b ?? '')),
  );
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toHaveAttribute('data-tone', 'good');
});

test('a qcow2 for Azure: as qemu-img makes it of the longer disk', async ({ page }) => {
  writeDisk('disk.raw', 21 * MIB + 512 * 5);
  qemuImg('convert', '-O', 'qcow2', 'disk.raw', 'web.qcow2');
  await start(page);
  await openImage(page, join(folder, 'web.qcow2'));
  await page.getByTestId('destinations').getByLabel('Convert for Microsoft Azure…').click();
  await expect(page.getByTestId('to-azure')).toBeChecked();
  await expect(page.getByTestId('forecast-disk')).toContainText('22 MiB');
  await expect(page.getByTestId('forecast-disk')).toContainText('multiple of 1 MiB, as Microsoft');
  await expect(page.getByTestId('convert-name')).toHaveValue('web.vhd');
  await expect(page.getByTestId('convert-after')).toContainText(
    `--upload-size-bytes ${22 * MIB + 512}`,
  );
  await expect(page.getByTestId('convert-command').nth(1)).toHaveText(
    `qemu-img resize -f raw disk.raw ${22 * MIB}`,
  );
  expect(await convertAndSave(page)).toEqual(['web.vhd']);
  qemuImg('resize', '-f', 'raw', 'disk.raw', String(22 * MIB));
  const options = 'subformat=fixed,force_size=on';
  qemuImg('convert', '-f', 'raw', '-O', 'vpc', '-o', options, 'disk.raw', 'theirs.vhd');
  const theirs = readFileSync(join(folder, 'theirs.vhd'));
  const ours = madeFile('web.vhd');
  // Time stamp, checksum and identifier are each program's own.
  for (const file of [ours, theirs]) {
    const footer = file.length - 512;
    file.fill(0, footer + 24, footer + 28).fill(0, footer + 64, footer + 84);
  }
  expect(ours.length).toBe(theirs.length);
  expect(ours.equals(theirs)).toBe(true);
  expect(qemuImg('info', '-f', 'vpc', join('made', 'web.vhd'))).toContain('22 MiB');
});

test('a VMDK in parts, made and dropped together, opens as one image', async ({ page }) => {
  writeDisk('disk.raw', 9 * MIB);
  qemuImg('convert', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
  await start(page);
  await openImage(page, join(folder, 'disk.qcow2'));
  await showPanel(page, 'Convert');
  await page.getByTestId('format-vmdk').check({ force: true });
  await page.getByTestId('option-vmdk').selectOption('twoGbMaxExtentSparse');
  await expect(page.getByTestId('convert-several')).toBeVisible();
  const names = await convertAndSave(page);
  expect(names).toEqual(['disk.vmdk', 'disk-s001.vmdk']);
  const made = join(folder, 'made');
  qemuImg('compare', '-f', 'raw', '-F', 'vmdk', 'disk.raw', join('made', 'disk.vmdk'));

  await page.getByRole('button', { name: 'Start screen' }).click();
  await page.getByTestId('file-input').setInputFiles(readdirSync(made).map((n) => join(made, n)));
  const links = page.getByTestId('chain-link');
  await expect(links).toHaveCount(2);
  await expect(links.nth(1)).toHaveAttribute('data-state', 'open');
  await expect(page.getByRole('button', { name: 'Close disk-s001.vmdk' })).toHaveCount(0);
  await expect(page.locator('[data-fact^=subformat]')).toContainText('parts of at most 2 GiB');
});

test('a VMDK without one of its parts says which, and is not converted', async ({ page }) => {
  writeDisk('disk.raw', 9 * MIB);
  qemuImg('convert', '-O', 'vmdk', '-o', 'subformat=monolithicFlat', 'disk.raw', 'web.vmdk');
  await start(page);
  await openImage(page, join(folder, 'web.vmdk'));
  const links = page.getByTestId('chain-link');
  await expect(links.nth(1)).toHaveAttribute('data-state', 'missing');
  await expect(links.nth(1)).toContainText('web-flat.vmdk');
  await showPanel(page, 'Convert');
  await expect(page.getByTestId('convert-start')).toBeDisabled();
  await expect(page.getByTestId('convert-gap')).toContainText('web-flat.vmdk');
  await showPanel(page, 'Overview');
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('choose-file').click();
  await (await chooser).setFiles(join(folder, 'web-flat.vmdk'));
  await expect(links.nth(1)).toHaveAttribute('data-state', 'open');
  await showPanel(page, 'Convert');
  expect(await convertAndSave(page)).toEqual(['web.raw']);
  expect(madeFile('web.raw').equals(readFileSync(join(folder, 'disk.raw')))).toBe(true);
});

test('every format that is offered can be made, and qemu-img reads it', async ({ page }) => {
  test.setTimeout(120_000);
  writeDisk('disk.raw', 9 * MIB);
  qemuImg('convert', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
  await start(page);
  await openImage(page, join(folder, 'disk.qcow2'));
  for (const format of ['qcow2', 'vmdk', 'vpc', 'vhdx', 'vdi', 'qed', 'parallels', 'qcow']) {
    await showPanel(page, 'Convert');
    await page.getByTestId(`format-${format}`).check({ force: true });
    const [name = ''] = await convertAndSave(page);
    qemuImg('compare', '-f', 'raw', '-F', format, 'disk.raw', join('made', name));
    await page.getByRole('button', { name: 'Convert again' }).click();
  }
});

test('every destination gets what it takes', async ({ page }) => {
  test.setTimeout(180_000);
  writeDisk('disk.raw', 9 * MIB);
  qemuImg('convert', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
  await start(page);
  await openImage(page, join(folder, 'disk.qcow2'));
  await showPanel(page, 'Convert');
  await page.getByText('For a destination').click();
  for (const id of ['esxi', 'esxi-disk', 'aws', 'hyper-v', 'virtualbox', 'xcp-ng', 'qemu-old']) {
    await page.getByTestId(`to-${id}`).check({ force: true });
    const names = await convertAndSave(page);
    expect(names).toHaveLength(id === 'esxi-disk' ? 2 : 1);
    await page.getByRole('button', { name: 'Convert again' }).click();
  }
});

for (const width of [360, 320]) {
  test(`nothing is wider than ${width} px`, async ({ page }) => {
    await page.setViewportSize({ width, height: 740 });
    writeDisk('disk.raw', 9 * MIB);
    qemuImg('convert', '-O', 'vpc', 'disk.raw', 'web.vhd');
    await start(page);
    await choose(page, join(folder, 'web.vhd'));
    await page.getByTestId('destinations').waitFor();
    await page.getByTestId('all-destinations').click();
    await expectNoSidewaysScroll(page);
    await page.getByTestId('convert-for').first().click();
    await page.getByTestId('convert-after').first().waitFor();
    await expectNoSidewaysScroll(page);
  });
}
