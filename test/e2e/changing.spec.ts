import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { writeChain } from './chain-images.ts';
import { SAMPLE } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

const hasQemu = spawnSync('qemu-img', ['--version']).error === undefined;

let folder: string;

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'changing-'));
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface RealInfo {
  'virtual-size': number;
  'backing-filename'?: string;
  'backing-filename-format'?: string;
  'format-specific': { data: { compat: string; 'lazy-refcounts'?: boolean } };
}

function realInfo(path: string): RealInfo {
  const json = execFileSync('qemu-img', ['info', '--output=json', path], { stdio: 'pipe' });
  return JSON.parse(json.toString()) as RealInfo;
}

/** Throws what the real program says where they are different. */
function expectSameContent(a: string, b: string): void {
  execFileSync('qemu-img', ['compare', '-f', 'qcow2', a, b], { cwd: folder, stdio: 'pipe' });
}

async function openForm(page: Page, kind: string): Promise<void> {
  await showPanel(page, 'Changes');
  await page.getByTestId(`change-${kind}`).locator('summary').click();
}

async function saveCopy(page: Page, name: string): Promise<string> {
  await page.getByTestId('way-browser').check();
  await page.getByTestId('copy-name').fill(name);
  await page.getByTestId('save-changes').click();
  const download = page.waitForEvent('download');
  await page.getByTestId('download-copy').click();
  const path = join(folder, name);
  await (await download).saveAs(path);
  return path;
}

/** The picker answers with files of private storage, which may be written like one's own. */
async function openByPicker(page: Page, files: string[]): Promise<void> {
  const given = files.map((path) => [
    path.slice(path.lastIndexOf('/') + 1),
    readFileSync(path).toString('base64'),
  ]);
  await page.evaluate(async (list) => {
    const root = await navigator.storage.getDirectory();
    const handles: FileSystemFileHandle[] = [];
    for (const [name, content] of list) {
      const handle = await root.getFileHandle(name ?? '', { create: true });
      const stream = await handle.createWritable();
      await stream.write(Uint8Array.from(atob(content ?? ''), (one) => one.charCodeAt(0)));
      await stream.close();
      handles.push(handle);
    }
    Object.defineProperty(window, 'showOpenFilePicker', {
      configurable: true,
      value: () => Promise.resolve(handles),
    });
  }, given);
  await page.getByTestId('open').click();
  await page.getByTestId('overview').waitFor();
}

/** What private storage has of a file now, in the folder. */
async function readBack(page: Page, name: string): Promise<string> {
  const content = await page.evaluate(async (file) => {
    const root = await navigator.storage.getDirectory();
    const blob = await (await root.getFileHandle(file)).getFile();
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const parts: string[] = [];
    for (let at = 0; at < bytes.length; at += 32768) {
      parts.push(String.fromCharCode(...bytes.subarray(at, at + 32768)));
    }
    return btoa(parts.join(''));
  }, name);
  const path = join(folder, name);
  writeFileSync(path, Buffer.from(content, 'base64'));
  return path;
}

test('a disk without a base: resized, its options changed, taken back and made again', async ({
  page,
}) => {
  await start(page);
  await openImage(page, SAMPLE);
  await openForm(page, 'resize');
  await page.getByTestId('resize-amount').fill('96');
  await expect(page.getByTestId('resize-command')).toHaveText(
    'qemu-img resize -f qcow2 sample.qcow2 100663296',
  );
  await page.getByTestId('resize-go').click();
  await expect(page.getByTestId('pending')).toContainText('Grow the disk');
  await openForm(page, 'options');
  await page.getByTestId('options-lazy').selectOption('on');
  await page.getByTestId('options-bits').selectOption('32');
  await expect(page.getByTestId('options-command')).toContainText(
    'qemu-img amend -o lazy_refcounts=on,refcount_bits=32',
  );
  await page.getByTestId('options-go').click();
  await expect(page.getByTestId('pending').getByRole('listitem')).toHaveCount(2);

  await page.getByTestId('undo-last').click();
  await expect(page.getByTestId('pending').getByRole('listitem')).toHaveCount(1);
  await page.getByTestId('redo').click();
  await expect(page.getByTestId('pending').getByRole('listitem')).toHaveCount(2);
  await expect(page.getByTestId('pending-command')).toHaveCount(2);

  const copy = await saveCopy(page, 'other.qcow2');
  if (!hasQemu) return;
  const info = realInfo(copy);
  expect(info['virtual-size']).toBe(96 * 1024 * 1024);
  expect(info['format-specific'].data['lazy-refcounts']).toBe(true);
  // The same by the real program, of a copy of the sample.
  const real = join(folder, 'real.qcow2');
  copyFileSync(SAMPLE, real);
  execFileSync('qemu-img', ['resize', '-f', 'qcow2', real, '96M'], { stdio: 'pipe' });
  expectSameContent(real, copy);
  // The leak that the sample has, and nothing else.
  expect(spawnSync('qemu-img', ['check', copy]).status).toBe(3);
});

test('another image below, under another name: the guest reads the same', async ({ page }) => {
  const { top, middle, base } = writeChain(folder);
  await start(page);
  await openByPicker(page, [top, middle, base]);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('top.qcow2');
  // Nothing but the person knows that its bytes are a disk.
  await page.getByRole('button', { name: 'base.raw', exact: true }).click();
  await page.getByRole('button', { name: 'Open as a raw disk' }).click();
  await page.getByTestId('overview').waitFor();
  await page.getByRole('button', { name: 'top.qcow2', exact: true }).click();
  await openForm(page, 'rebase');
  await page.getByTestId('rebase-onto').selectOption({ label: 'base.raw (raw)' });
  await expect(page.getByTestId('foreseen')).toContainText('Takes over');
  await expect(page.getByTestId('rebase-command')).toHaveText(
    'qemu-img rebase -b base.raw -F raw -f qcow2 top.qcow2',
  );
  await page.getByTestId('rebase-go').click();
  await expect(page.getByTestId('pending')).toContainText('Rebase onto “base.raw”');
  await openForm(page, 'backing');
  await page.getByTestId('backing-name').fill('./base.raw');
  await expect(page.getByTestId('backing-command')).toHaveText(
    'qemu-img rebase -u -b ./base.raw -F raw -f qcow2 top.qcow2',
  );
  await page.getByTestId('backing-go').click();
  await expect(page.getByTestId('pending')).toContainText('Record “./base.raw”');
  await page.getByRole('tab', { name: 'Changes' }).focus();
  await page.keyboard.press('Control+z');
  await expect(page.getByTestId('pending').getByRole('listitem')).toHaveCount(1);
  await page.getByTestId('redo').click();
  await expect(page.getByTestId('pending').getByRole('listitem')).toHaveCount(2);
  const copy = await saveCopy(page, 'rebased.qcow2');
  if (!hasQemu) return;
  expect(realInfo(copy)).toMatchObject({
    'backing-filename': './base.raw',
    'backing-filename-format': 'raw',
  });
  expectSameContent(top, copy);
  expect(spawnSync('qemu-img', ['check', copy]).status).toBe(0);
});

test('an overlay goes into its base, and is emptied when that is saved', async ({ page }) => {
  const { top, middle, base, content } = writeChain(folder);
  await start(page);
  await openByPicker(page, [top, middle, base]);
  await openForm(page, 'commit');
  await page.getByTestId('commit-down').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('middle.qcow2');
  await expect(page.getByTestId('pending')).toContainText('Commit “top.qcow2” into this image');
  await expect(page.getByTestId('pending-command')).toHaveText(
    'qemu-img commit -d -f qcow2 top.qcow2',
  );
  await page.getByTestId('way-file').check();
  await page.getByTestId('save-changes').click();
  await expect(page.getByTestId('save-done')).toContainText('“middle.qcow2” is changed');
  await page.getByTestId('empty-overlay').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('top.qcow2');
  await expect(page.getByTestId('pending')).toContainText('Empty the image');
  await page.getByTestId('way-file').check();
  await page.getByTestId('save-changes').click();
  await expect(page.getByTestId('save-done')).toContainText('“top.qcow2” is changed');
  const files = [await readBack(page, 'top.qcow2'), await readBack(page, 'middle.qcow2')];
  if (!hasQemu) return;
  for (const path of files) {
    expect(spawnSync('qemu-img', ['check', path]).status).toBe(0);
    const raw = `${path}.raw`;
    execFileSync('qemu-img', ['convert', '-O', 'raw', path, raw], { stdio: 'pipe' });
    expect(readFileSync(raw).equals(content)).toBe(true);
  }
});
