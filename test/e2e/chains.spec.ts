import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, test, type Locator, type Page } from '@playwright/test';
import { type Chain, overlayOn, suspiciousChain, writeChain } from './chain-images.ts';
import { made, SAMPLE } from './images.ts';
import { choose, convertAndDownload, openImage, sha256, showPanel, start } from './page.ts';

let folder: string;
let chain: Chain;

test.beforeEach(({ page }) => {
  folder = mkdtempSync(join(tmpdir(), 'chain-'));
  chain = writeChain(folder);
  // Plain dialogs, which a test can answer.
  return page.addInitScript(() => {
    for (const name of ['showOpenFilePicker', 'showSaveFilePicker', 'showDirectoryPicker']) {
      Object.defineProperty(window, name, { value: undefined });
    }
  });
});

test.afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const links = (page: Page): Locator => page.getByTestId('chain-link');

/** The states of the files of the chain, from the image down. */
async function expectStates(page: Page, ...states: string[]): Promise<void> {
  await expect(links(page)).toHaveCount(states.length);
  for (const [index, state] of states.entries()) {
    await expect(links(page).nth(index)).toHaveAttribute('data-state', state);
  }
}

/** Presses a button that asks for files or a folder, and gives them. */
async function give(page: Page, button: Locator, path: string): Promise<void> {
  const chooser = page.waitForEvent('filechooser');
  await button.click();
  await (await chooser).setFiles(path);
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The same by the real program; undefined where it is not to be had. */
function hashByQemuImg(image: string): string | undefined {
  const result = join(folder, 'by-qemu-img.raw');
  try {
    execFileSync('qemu-img', ['convert', '-O', 'raw', image, result], { stdio: 'pipe' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return hashOf(readFileSync(result));
}

/** Drops files and folders of this computer onto an element. */
async function dropOn(page: Page, target: Locator, files: string[]): Promise<void> {
  const box = await target.boundingBox();
  const devtools = await page.context().newCDPSession(page);
  const x = (box?.x ?? 0) + 40;
  const y = (box?.y ?? 0) + 20;
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    const data = { items: [], files, dragOperationsMask: 16 + 2 + 1 };
    await devtools.send('Input.dispatchDragEvent', { type, x, y, data });
  }
}

test('a missing base is chosen, then the next one, and the disk is that of all', async ({
  page,
}) => {
  await start(page);
  await openImage(page, chain.top);
  await expectStates(page, 'open', 'missing');
  await expect(page.getByTestId('chain')).toContainText('1 file is missing');
  await expect(page.getByTestId('usage')).toContainText('Unknown 896 KiB');
  await showPanel(page, 'Convert');
  await expect(page.getByTestId('convert-gap')).toContainText('“middle.qcow2”');
  await expect(page.getByTestId('convert-start')).toBeDisabled();
  await expect(page.getByTestId('forecast-unknown')).toContainText('896 KiB');

  await showPanel(page, 'Overview');
  await give(page, page.getByTestId('choose-file'), chain.middle);
  await expectStates(page, 'open', 'open', 'missing');
  await give(page, page.getByTestId('choose-file'), chain.base);
  await expectStates(page, 'open', 'open', 'open');
  await expect(page.getByTestId('chain')).toContainText('All files are open');
  await expect(page.getByTestId('usage')).not.toContainText('Unknown');
  const download = await convertAndDownload(page);
  await expect(page.getByTestId('convert-verified')).toHaveText(/identical/);
  expect(await sha256(download)).toBe(hashOf(chain.content));
  expect(hashByQemuImg(chain.top) ?? hashOf(chain.content)).toBe(hashOf(chain.content));
});

test('a folder is looked through, to its depths', async ({ page }) => {
  const deep = join(folder, 'backup', 'vm', 'disks');
  mkdirSync(deep, { recursive: true });
  for (const path of [chain.middle, chain.base]) {
    copyFileSync(path, join(deep, basename(path)));
    rmSync(path);
  }
  await start(page);
  await openImage(page, chain.top);
  await give(page, page.getByTestId('choose-folder'), folder);
  await expectStates(page, 'open', 'open', 'open');
  await expect(page.getByTestId('search-result')).toHaveText('2 files found and opened');
});

test('files of one name are not guessed at, and what is not there is said', async ({ page }) => {
  mkdirSync(join(folder, 'other'));
  writeFileSync(join(folder, 'other', 'middle.qcow2'), readFileSync(SAMPLE));
  rmSync(chain.base);
  // Were it in the folder, its place there would tell which is meant.
  const elsewhere = made('elsewhere.qcow2', readFileSync(chain.top));
  await start(page);
  await openImage(page, elsewhere);
  await give(page, page.getByTestId('choose-folder'), folder);
  await expect(page.getByTestId('search-result')).toContainText(
    'Several files in there have this name',
  );
  await expectStates(page, 'open', 'missing');
  await give(page, page.getByTestId('choose-file'), chain.middle);
  await give(page, page.getByTestId('choose-folder'), folder);
  await expect(page.getByTestId('search-result')).toContainText('“base.raw”');
  await expectStates(page, 'open', 'open', 'missing');
});

for (const way of ['handles', 'entries']) {
  test(`a folder that is dropped on the chain gives its files, by ${way}`, async ({ page }) => {
    // Other browsers have no handles.
    await page.addInitScript((keep) => {
      const name = 'getAsFileSystemHandle';
      if (!keep) Object.defineProperty(DataTransferItem.prototype, name, { value: undefined });
    }, way === 'handles');
    await start(page);
    await openImage(page, chain.top);
    await dropOn(page, page.getByTestId('chain'), [folder]);
    await expectStates(page, 'open', 'open', 'open');
    // It was not opened as an image beside.
    const files = page.getByRole('navigation', { name: 'Open images' });
    await expect(files.getByRole('listitem')).toHaveCount(1);
  });
}

test('a file that is dropped on its place is taken, whatever it is called', async ({ page }) => {
  const renamed = join(folder, 'copy of middle');
  copyFileSync(chain.middle, renamed);
  await start(page);
  await openImage(page, chain.top);
  await dropOn(page, links(page).nth(1), [renamed]);
  await expectStates(page, 'open', 'open', 'missing');
  await expect(links(page).nth(1).locator('[data-remark=other-name]')).toContainText(
    'The image asks for “middle.qcow2”, this file is called “copy of middle”.',
  );
});

test('files that are opened together are taken for a chain', async ({ page }) => {
  await start(page);
  await page.getByTestId('file-input').setInputFiles([chain.base, chain.middle, chain.top]);
  const files = page.getByRole('navigation', { name: 'Open images' });
  await expect(files.getByRole('listitem')).toHaveCount(3);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('top.qcow2');
  await expectStates(page, 'open', 'open', 'open');
});

test('a folder that is dropped on the first screen opens as a chain', async ({ page }) => {
  await start(page);
  await dropOn(page, page.getByTestId('start'), [folder]);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('top.qcow2');
  await expectStates(page, 'open', 'open', 'open');
});

test('an open image of the right name is offered, never taken by itself', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await choose(page, overlayOn('/var/lib/images/sample.qcow2'));
  await expectStates(page, 'open', 'missing');
  await expect(page.getByTestId('chain')).toContainText('/var/lib/images/sample.qcow2');
  await page.getByTestId('use-open').click();
  await expectStates(page, 'open', 'open');
  await expect(links(page).nth(1)).toContainText('no format recorded');
  await page.getByTestId('detach').click();
  await expectStates(page, 'open', 'missing');
});

test('what is suspicious is said, what cannot be is refused', async ({ page }) => {
  await start(page);
  await page.getByTestId('file-input').setInputFiles(suspiciousChain());
  const base = links(page).nth(1);
  await expect(base.locator('[data-remark=same-file]')).toContainText('a copy of it');
  await expect(base.locator('[data-remark=format]')).toContainText('qemu-img rebase -u -F qcow2');
  await expect(base.locator('[data-remark=base-smaller]')).toBeVisible();
  await expect(page.getByTestId('chain')).toContainText('1 is suspicious');
  await showPanel(page, 'Convert');
  await expect(page.getByTestId('convert-suspicious')).toBeVisible();
  await expect(page.getByTestId('convert-start')).toBeEnabled();

  await openImage(page, chain.top);
  await give(page, page.getByTestId('choose-file'), chain.top);
  await expectStates(page, 'open', 'loop');
  await expect(links(page).nth(1)).toContainText('An image cannot be its own base.');
  await give(page, page.getByTestId('choose-other'), chain.base);
  await expectStates(page, 'open', 'wrong');
  await expect(links(page).nth(1)).toContainText('says that this file is qcow2. It is not.');
  await showPanel(page, 'Convert');
  await expect(page.getByTestId('convert-gap')).toContainText('cannot be used');
  await showPanel(page, 'Overview');
  await give(page, page.getByTestId('choose-other'), chain.middle);
  await expectStates(page, 'open', 'open', 'missing');
});

test('names that are no files are shown in full and not followed', async ({ page }) => {
  const requests: string[] = [];
  page.on('request', (request) => requests.push(request.url()));
  await start(page);
  const before = requests.length;
  const name = 'json:{"driver":"raw","file":{"driver":"https","url":"https://host.test/a.raw"}}';
  await openImage(page, overlayOn(name, 'raw'));
  await expect(links(page).nth(1)).toContainText(name);
  await expect(links(page).nth(1)).toContainText('never followed');
  await expect(links(page).nth(1)).toContainText('raw, https: https://host.test/a.raw');
  await openImage(page, overlayOn('nbd://host.test/disk'));
  await expect(links(page).nth(1)).toContainText('An address (nbd)');
  expect(requests.slice(before).filter((url) => url.includes('host.test'))).toEqual([]);
});

test('without a pointer: to the place, the file, and on', async ({ page }) => {
  await start(page);
  await openImage(page, chain.top);
  const button = page.getByRole('button', { name: 'Choose the file for middle.qcow2' });
  for (let step = 0; step < 20; step++) {
    await page.keyboard.press('Tab');
    if (await button.evaluate((element) => element === document.activeElement)) break;
  }
  const chooser = page.waitForEvent('filechooser');
  await page.keyboard.press('Enter');
  await (await chooser).setFiles(chain.middle);
  await expectStates(page, 'open', 'open', 'missing');
});

test.describe('in a Chinese browser', () => {
  test.use({ locale: 'zh-CN' });

  test('the chain speaks Chinese', async ({ page }) => {
    await start(page);
    await openImage(page, chain.top);
    await give(page, page.getByTestId('choose-file'), chain.top);
    await expect(page.getByTestId('chain')).toContainText('形成循环');
    // Elsewhere on the page are names of products, which are the same in every language.
    const text = await page.getByTestId('chain').innerText();
    expect(text.replace(/qemu-img[^。]*/g, '')).not.toMatch(/[a-z]{4,} [a-z]{3,}/i);
  });
});
