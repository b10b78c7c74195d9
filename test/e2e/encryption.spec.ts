import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { legacyEncrypted, overlayOn } from './chain-images.ts';
import { convertAndDownload, openImage, runLine, sha256, showPanel, start } from './page.ts';

const PASSPHRASE = 'Grün, 密码 & "more"';
const SECRET = ['--object', `secret,id=s,data=${PASSPHRASE.replaceAll(',', ',,')}`];

let folder: string;

test.beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'locked-'));
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

/** An image in LUKS by the real program, and what it holds; undefined where there is none. */
function luksImage(name = 'luks.qcow2'): { path: string; content: Buffer } | undefined {
  const path = join(folder, name);
  const raw = join(folder, 'content.raw');
  const content = Buffer.alloc(1_000_448, 'some text that is to be kept secret ');
  writeFileSync(raw, content);
  const options = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10';
  const from = ['convert', ...SECRET, '-f', 'raw', '-O', 'qcow2', '-o', options, raw, path];
  for (let attempt = 0; ; attempt++) {
    try {
      run('qemu-img', ...from);
      return { path, content };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      // Where processor time is counted in ticks, timing the key derivation fails now and then.
      if (attempt === 20 || !String(error).includes('accurate CPU usage')) throw error;
    }
  }
}

async function unlock(page: Page, passphrase: string): Promise<void> {
  await page.getByTestId('passphrase').fill(passphrase);
  await page.getByTestId('passphrase-unlock').click();
}

/** Nothing that outlives the question, and nothing on the page, holds the passphrase. */
async function expectNoTrace(page: Page, passphrase: string): Promise<void> {
  const kept = await page.evaluate(async () => {
    const names = await indexedDB.databases();
    const values = [...document.querySelectorAll('input')].map((input) => input.value);
    const page = document.documentElement.outerHTML;
    const stored = JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]);
    return [page, location.href, document.title, stored, JSON.stringify(names), ...values].join();
  });
  expect(kept).not.toContain(passphrase);
}

test('LUKS: a wrong passphrase, then the right one; the copy is right', async ({ page }) => {
  test.setTimeout(120_000);
  const image = luksImage();
  test.skip(image === undefined, 'there is no qemu-img');
  if (image === undefined) return;
  await start(page);
  await openImage(page, image.path);
  await expect(page.getByTestId('locked')).toContainText('aes-xts-plain64, 512 bits');
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toContainText('Healthy');
  await showPanel(page, 'Convert');
  await expect(page.getByTestId('convert-start')).toBeDisabled();
  await page.getByTestId('convert-unlock').click();

  const field = page.getByTestId('passphrase');
  await expect(field).toBeFocused();
  await expect(field).toHaveAttribute('type', 'password');
  await unlock(page, 'wrong');
  const problem = page.getByTestId('passphrase-problem');
  await expect(problem).toContainText('does not open “luks.qcow2”', { timeout: 30_000 });
  await expect(field).toBeFocused();
  await page.getByTestId('passphrase-show').click();
  await expect(field).toHaveAttribute('type', 'text');
  await unlock(page, PASSPHRASE);
  await expect(page.getByRole('dialog')).toHaveCount(0, { timeout: 30_000 });

  await expect(page.getByTestId('convert-gap')).toHaveCount(0);
  await expect(page.getByTestId('convert-command')).toContainText('file=passphrase.txt');
  expect(await sha256(await convertAndDownload(page))).toBe(hashOf(image.content));
  await expectNoTrace(page, PASSPHRASE);
});

test('the key is forgotten when the image is closed', async ({ page }) => {
  const { file } = legacyEncrypted('secret');
  await start(page);
  await openImage(page, file);
  await page.getByTestId('unlock').click();
  await unlock(page, 'secret');
  await expect(page.getByTestId('locked')).toHaveCount(0);
  await page.getByRole('button', { name: 'Close legacy.qcow2' }).click();
  await openImage(page, file);
  await expect(page.getByTestId('locked')).toBeVisible();
});

test('after the engine died the files are there again, the passphrases are not', async ({
  page,
}) => {
  const { file } = legacyEncrypted('secret');
  await start(page);
  await openImage(page, [file, overlayOn('legacy.qcow2', 'qcow2')]);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('overlay.qcow2');
  const base = page.getByTestId('chain-link').nth(1);
  await expect(base).toHaveAttribute('data-state', 'locked');
  await base.getByTestId('unlock').click();
  await unlock(page, 'secret');
  await expect(base).toHaveAttribute('data-state', 'open');
  const [worker] = page.workers();
  await worker?.evaluate(() => self.close());
  await showPanel(page, 'Check');
  await page.getByTestId('run-check').click();
  await expect(page.getByTestId('engine-died')).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Start again' }).click();
  await showPanel(page, 'Overview');
  await expect(base).toHaveAttribute('data-state', 'locked');
});

test('the old AES says that it cannot tell, and gives what the passphrase gives', async ({
  page,
}) => {
  const { file, content } = legacyEncrypted('0123456789abcdefXYZ');
  await start(page);
  await openImage(page, file);
  await page.getByTestId('unlock').click();
  const dialog = page.getByRole('dialog', { name: 'Unlock legacy.qcow2' });
  await expect(dialog).toContainText('cannot tell a wrong passphrase from the right one');
  // Sixteen bytes are the key; more are not looked at.
  await page.getByTestId('passphrase').pressSequentially('0123456789abcdef');
  await page.keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);
  await expect(page.getByTestId('unlocked')).toContainText('The disk begins with nothing');
  expect(await sha256(await convertAndDownload(page))).toBe(hashOf(content));
});

test('Escape closes the question and empties the field', async ({ page }) => {
  await start(page);
  await openImage(page, legacyEncrypted('secret').file);
  await page.getByTestId('unlock').click();
  await page.getByTestId('passphrase').fill('secret');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByTestId('unlock')).toBeFocused();
  await page.getByTestId('unlock').click();
  await expect(page.getByTestId('passphrase')).toHaveValue('');
  await expect(page.getByTestId('passphrase-unlock')).toBeDisabled();
});

test('a key file counts with every byte', async ({ page }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'showOpenFilePicker', { value: undefined });
  });
  const { file, content } = legacyEncrypted('line\n');
  const key = join(folder, 'key');
  writeFileSync(key, 'line\n');
  await start(page);
  await openImage(page, file);
  await page.getByTestId('unlock').click();
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Use a key file…' }).click();
  await (await chooser).setFiles(key);
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(await sha256(await convertAndDownload(page))).toBe(hashOf(content));
});

test('the console keeps no passphrase, in its history neither', async ({ page }) => {
  await start(page);
  await openImage(page, legacyEncrypted('hunter2').file);
  await showPanel(page, 'Console');
  const line = 'qemu-img info --object secret,id=s,data=hunter2 legacy.qcow2';
  const output = await runLine(page, line);
  expect(output).toContain('data=•••');
  await page.getByTestId('console-input').press('ArrowUp');
  await expect(page.getByTestId('console-input')).toHaveValue(line.replace('hunter2', '•••'));
  await expectNoTrace(page, 'hunter2');
});

test('an encrypted base asks for its own passphrase', async ({ page }) => {
  test.setTimeout(120_000);
  const image = luksImage('base.qcow2');
  test.skip(image === undefined, 'there is no qemu-img');
  if (image === undefined) return;
  const top = join(folder, 'top.qcow2');
  const size = String(image.content.length);
  run(
    'qemu-img',
    ...['create', '-q', '-u', '-f', 'qcow2', '-b', 'base.qcow2', '-F', 'qcow2'],
    top,
    size,
  );
  await start(page);
  await page.getByTestId('file-input').setInputFiles([image.path, top]);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('top.qcow2');
  const base = page.getByTestId('chain-link').nth(1);
  await expect(base).toHaveAttribute('data-state', 'locked');
  await base.getByTestId('unlock').click();
  await unlock(page, PASSPHRASE);
  await expect(base).toHaveAttribute('data-state', 'open', { timeout: 30_000 });
  expect(await sha256(await convertAndDownload(page))).toBe(
    hashOf(readFileSync(join(folder, 'content.raw'))),
  );
});
