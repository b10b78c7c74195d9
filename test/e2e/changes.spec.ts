import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Download, type Page } from '@playwright/test';
import { damagedSample, largeImage, SAMPLE } from './images.ts';
import { choose, openImage, showPanel, start } from './page.ts';

let folder: string;

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'changes-'));
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What the real check says, as its exit code; undefined where it is not to be had. */
function realCheck(path: string): number | undefined {
  const { status, error } = spawnSync('qemu-img', ['check', path], { stdio: 'pipe' });
  if (error !== undefined) return undefined;
  return status ?? -1;
}

/** Names of the snapshots by the real program. */
function realSnapshots(path: string): string[] | undefined {
  const { stdout, error } = spawnSync('qemu-img', ['info', '--output=json', path]);
  if (error !== undefined) return undefined;
  const info = JSON.parse(stdout.toString()) as { snapshots?: { name: string }[] };
  return (info.snapshots ?? []).map(({ name }) => name);
}

async function keep(download: Download, name: string): Promise<string> {
  const path = join(folder, name);
  await download.saveAs(path);
  return path;
}

/**
 * The open picker answers with a file of the browser's private storage that has this content: a
 * handle that may be written, as the person's own files may once they have allowed it.
 */
async function openByPicker(
  page: Page,
  name: string,
  content?: Buffer,
  size?: number,
): Promise<void> {
  if (content !== undefined) await writeBehind(page, name, content, size);
  await page.evaluate((wanted) => {
    Object.defineProperty(window, 'showOpenFilePicker', {
      configurable: true,
      value: async () => {
        const root = await navigator.storage.getDirectory();
        return [await root.getFileHandle(wanted)];
      },
    });
  }, name);
  await page.getByTestId('open').click();
  await page.getByTestId('overview').waitFor();
}

/** Writes it as another program would: the app is not told. What is behind is a hole. */
async function writeBehind(
  page: Page,
  name: string,
  content: Buffer,
  size = content.length,
): Promise<void> {
  await page.evaluate(
    async ([file, base64, length]) => {
      const root = await navigator.storage.getDirectory();
      const stream = await (await root.getFileHandle(file, { create: true })).createWritable();
      await stream.write(Uint8Array.from(atob(base64), (one) => one.charCodeAt(0)));
      await stream.truncate(length);
      await stream.close();
    },
    [name, content.toString('base64'), size] as const,
  );
}

/** The content of that file now, in a file for the real program. Pieces of zeros become holes. */
async function readBehind(page: Page, name: string): Promise<string> {
  const { size, pieces } = await page.evaluate(async (file) => {
    const root = await navigator.storage.getDirectory();
    const blob = await (await root.getFileHandle(file)).getFile();
    const found: [number, string][] = [];
    for (let at = 0; at < blob.size; at += 65536) {
      const bytes = new Uint8Array(await blob.slice(at, at + 65536).arrayBuffer());
      if (bytes.every((byte) => byte === 0)) continue;
      found.push([at, btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))]);
    }
    return { size: blob.size, pieces: found };
  }, name);
  const path = join(folder, name);
  const copy = openSync(path, 'w');
  for (const [at, base64] of pieces) writeSync(copy, Buffer.from(base64, 'base64'), 0, null, at);
  ftruncateSync(copy, size);
  closeSync(copy);
  return path;
}

async function takeSnapshot(page: Page, name: string): Promise<void> {
  await showPanel(page, 'Snapshots');
  await page.getByTestId('create-snapshot').click();
  await page.getByTestId('snapshot-name').fill(name);
  await page.getByTestId('snapshot-go').click();
  await expect(page.getByTestId('changes-tray')).toBeVisible();
}

async function review(page: Page): Promise<void> {
  await page.getByTestId('tray-review').click();
  await page.getByTestId('save-form').waitFor();
}

async function saveIntoFile(page: Page): Promise<void> {
  await review(page);
  await page.getByTestId('way-file').check();
  await page.getByTestId('save-changes').click();
}

test('a repair, from the finding to a copy that the real check calls clean', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toContainText('Wasted space');
  await page.getByTestId('plan-repair').click();
  await expect(page.getByTestId('repair-safe')).toContainText('Clusters that nothing uses');
  await expect(page.getByTestId('class-safe')).toBeChecked();
  await expect(page.getByTestId('class-guess')).not.toBeChecked();
  await expect(page.getByTestId('repair-findings')).toHaveText('1 leak → none');
  await page.getByTestId('add-repair').click();
  await expect(page.getByTestId('pending')).toContainText('Repair');
  await expect(page.getByTestId('pending-numbers')).toContainText('1 leak → none');
  await expect(page.getByTestId('health')).toContainText('Healthy');
  await page.getByTestId('way-browser').check();
  await page.getByTestId('copy-name').fill('mended.qcow2');
  await page.getByTestId('save-changes').click();
  await expect(page.getByTestId('save-done')).toContainText('“mended.qcow2” is saved');
  const download = page.waitForEvent('download');
  await page.getByTestId('download-copy').click();
  const copy = await keep(await download, 'mended.qcow2');
  expect(realCheck(SAMPLE) ?? 3).toBe(3);
  expect(realCheck(copy) ?? 0).toBe(0);
  const compare = ['compare', SAMPLE, copy];
  if (realCheck(copy) !== undefined) execFileSync('qemu-img', compare, { stdio: 'pipe' });
  await page.getByTestId('open-copy').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('mended.qcow2');
  await expect(page.getByTestId('health')).toContainText('Healthy');
});

test('changes are collected, taken back with Ctrl+Z, discarded, and asked about', async ({
  page,
}) => {
  await start(page);
  await openImage(page, SAMPLE);
  await takeSnapshot(page, 'one');
  await showPanel(page, 'Overview');
  await page.getByTestId('resize').click();
  await page.getByTestId('resize-amount').fill('48');
  await page.getByTestId('resize-go').click();
  await expect(page.getByTestId('changes-tray')).toContainText('2 changes');
  await expect(page.locator('[data-fact=virtual-size]')).toContainText('48 MiB');
  await page.keyboard.press('Control+z');
  await expect(page.getByTestId('changes-tray')).toContainText('1 change,');
  await page.keyboard.press('Control+Shift+z');
  await expect(page.getByTestId('changes-tray')).toContainText('2 changes');
  await page.keyboard.press('Control+z');
  await expect(page.getByTestId('changes-tray')).toContainText('1 change,');
  await showPanel(page, 'Snapshots');
  await expect(page.getByTestId('snapshots')).toContainText('one');

  await page.getByRole('button', { name: 'Close sample.qcow2' }).click();
  await expect(page.getByRole('dialog')).toContainText('1 change is not saved');
  await page.getByRole('button', { name: 'Keep it open' }).click();
  const leaving = page.waitForEvent('dialog');
  const closed = page.close({ runBeforeUnload: true });
  const dialog = await leaving;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.dismiss();
  await closed;

  await review(page);
  await page.getByTestId('discard-all').click();
  await expect(page.getByTestId('no-changes')).toBeVisible();
  await page.getByRole('button', { name: 'Close sample.qcow2' }).click();
  await expect(page.getByTestId('start')).toBeVisible();
});

test('snapshots: going back keeps the present state, deleting says what it frees', async ({
  page,
}) => {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Snapshots');
  await page.getByTestId('delete-snapshot').first().click();
  await expect(page.getByTestId('would-free')).toContainText(/Frees .+ inside the file/);
  await page.keyboard.press('Escape');
  await page.getByTestId('apply-snapshot').first().click();
  await page.getByTestId('snapshot-name').fill('present');
  await page.getByTestId('snapshot-go').click();
  await expect(page.getByTestId('changes-tray')).toContainText('2 changes');
  await review(page);
  await expect(page.getByTestId('pending')).toContainText('Take the snapshot “present”');
  await expect(page.getByTestId('pending')).toContainText('Go back to the snapshot');
  await page.getByTestId('way-browser').check();
  await page.getByTestId('save-changes').click();
  const download = page.waitForEvent('download');
  await page.getByTestId('download-copy').click();
  const copy = await keep(await download, 'back.qcow2');
  expect(realSnapshots(copy) ?? ['present']).toContain('present');
  // The leak of the sample is still there, and nothing else.
  expect(realCheck(copy) ?? 3).toBe(3);
});

test('into the file itself and back again, byte for byte', async ({ page }) => {
  await start(page);
  await openByPicker(page, 'disk.qcow2', readFileSync(SAMPLE));
  await takeSnapshot(page, 'local');
  await saveIntoFile(page);
  await expect(page.getByTestId('save-done')).toContainText('“disk.qcow2” is changed');
  await expect(page.getByTestId('undo-kept')).toContainText('.undo');
  const changed = await readBehind(page, 'disk.qcow2');
  expect(realSnapshots(changed) ?? ['local']).toContain('local');
  expect(realCheck(changed) ?? 3).toBe(3);
  await page.getByTestId('take-back').click();
  await expect(page.getByTestId('save-done')).toContainText('as it was before');
  const back = readFileSync(await readBehind(page, 'disk.qcow2'));
  expect(back.equals(readFileSync(SAMPLE))).toBe(true);
});

test('a file that changed meanwhile is not written', async ({ page }) => {
  await start(page);
  await openByPicker(page, 'disk.qcow2', readFileSync(SAMPLE));
  await takeSnapshot(page, 'late');
  const other = Buffer.concat([readFileSync(SAMPLE), Buffer.alloc(512)]);
  await writeBehind(page, 'disk.qcow2', other);
  await saveIntoFile(page);
  await expect(page.getByTestId('error')).toHaveAttribute('data-code', 'file-changed');
  await expect(page.getByTestId('file-changed')).toBeVisible();
  expect(readFileSync(await readBehind(page, 'disk.qcow2')).equals(other)).toBe(true);
  await page.getByTestId('file-changed').getByRole('button', { name: 'Read again' }).click();
  await expect(page.getByTestId('lost-changes')).toContainText('1 change was not saved');
  await page.getByRole('button', { name: 'Make it again' }).click();
  await expect(page.getByTestId('pending')).toContainText('Take the snapshot “late”');
});

test('patch and script: sh makes of the original what the copy is', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await takeSnapshot(page, 'by script');
  await review(page);
  await page.getByTestId('way-browser').check();
  await page.getByTestId('copy-name').fill('copy.qcow2');
  await page.getByTestId('save-changes').click();
  let download = page.waitForEvent('download');
  await page.getByTestId('download-copy').click();
  const copy = await keep(await download, 'copy.qcow2');
  await page.getByTestId('way-patch').check();
  await page.getByTestId('save-changes').click();
  await expect(page.getByTestId('save-done')).toContainText('Patch and scripts are ready');
  for (const name of ['sample.qcow2.patch', 'sample.qcow2.patch.sh', 'sample.qcow2.patch.ps1']) {
    download = page.waitForEvent('download');
    await page.getByRole('button', { name: `Download “${name}”` }).click();
    await keep(await download, name);
  }
  const target = join(folder, 'sample.qcow2');
  copyFileSync(SAMPLE, target);
  execFileSync('sh', ['./sample.qcow2.patch.sh'], { cwd: folder, stdio: 'pipe' });
  expect(readFileSync(target).equals(readFileSync(copy))).toBe(true);
});

test('two tabs: one writes, the other is told and reads again', async ({ page, context }) => {
  await start(page);
  await openByPicker(page, 'disk.qcow2', readFileSync(SAMPLE));
  const other = await context.newPage();
  await start(other);
  await openByPicker(other, 'disk.qcow2');
  await takeSnapshot(page, 'first');
  await saveIntoFile(page);
  await expect(page.getByTestId('save-done')).toBeVisible();
  const notice = other.getByTestId('file-changed');
  await expect(notice).toBeVisible();
  await notice.getByRole('button', { name: 'Read again' }).click();
  await showPanel(other, 'Snapshots');
  await expect(other.getByTestId('snapshots')).toContainText('first');
  await expect(notice).toHaveCount(0);
});

test('the page is killed in the middle of a change', async ({ page, context }) => {
  const { head, size } = largeImage(3200);
  await start(page);
  await openByPicker(page, 'large.qcow2', head, size);
  await takeSnapshot(page, 'killed');
  await saveIntoFile(page);
  await expect(page.getByTestId('progress')).toContainText(/Preparing|Writing|Finishing/);
  await page.close();

  const again = await context.newPage();
  await start(again);
  await expect(again.getByTestId('interrupted')).toContainText('large.qcow2');
  const image = await readBehind(again, 'large.qcow2');
  const names = realSnapshots(image);
  if (names !== undefined) expect([[], ['killed']]).toContainEqual(names);
  expect(realCheck(image) ?? 0).toBe(0);
  await again.getByTestId('interrupted').getByRole('button', { name: 'Dismiss' }).click();
  await again.reload();
  await again.getByTestId('menu').waitFor();
  await expect(again.getByTestId('interrupted')).toHaveCount(0);
});

test('the engine dies while changes are pending: they are offered to be made again', async ({
  page,
}) => {
  await start(page);
  await openImage(page, SAMPLE);
  await takeSnapshot(page, 'again');
  const [worker] = page.workers();
  await worker?.evaluate(() => self.close());
  await showPanel(page, 'Check');
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('engine-died')).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Start again' }).click();
  await expect(page.getByTestId('engine-died')).toHaveCount(0);
  await page.getByRole('tab', { name: 'Changes' }).click();
  await expect(page.getByTestId('lost-changes')).toContainText('1 change was not saved');
  await page.getByRole('button', { name: 'Make it again' }).click();
  await expect(page.getByTestId('pending')).toContainText('Take the snapshot “again”');
});

test('a badly damaged image says what it would give up before it does', async ({ page }) => {
  // The first table entry of the disk points between two clusters.
  const broken = damagedSample('broken.qcow2', (image) => {
    const l1 = Number(image.readBigUInt64BE(40));
    image.writeUInt32BE(image.readUInt32BE(l1 + 4) | 0x200, l1 + 4);
  });
  await start(page);
  await choose(page, broken);
  await page.getByRole('tab', { name: 'Check', exact: true }).click();
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('check-verdict')).toContainText(/Damaged|Could not/);
  await page.getByTestId('plan-repair').click();
  await expect(page.getByTestId('repair-safe')).toBeVisible();
  await expect(page.getByTestId('class-safe')).toBeChecked();
  for (const group of ['guess', 'drops', 'loses']) {
    await expect(page.getByTestId(`class-${group}`)).not.toBeChecked();
  }
});
