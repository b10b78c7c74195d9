import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';
import { HEADER, SAMPLE } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

const file = readFileSync(SAMPLE);
const hex = (offset: number | bigint): string => `0x${offset.toString(16)}`;
const L1 = Number(file.readBigUInt64BE(HEADER.l1Offset));

/** The disk as the real program has it; undefined where that is not to be had. */
function diskByQemuImg(): Buffer | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'structure-'));
  try {
    const raw = join(folder, 'disk.raw');
    execFileSync('qemu-img', ['convert', '-O', 'raw', SAMPLE, raw], { stdio: 'pipe' });
    return readFileSync(raw);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function placesOf(text: string, disk: Buffer): number[] {
  const places: number[] = [];
  for (let at = disk.indexOf(text); at >= 0; at = disk.indexOf(text, at + text.length)) {
    places.push(at);
  }
  return places;
}

async function showStructure(page: Page): Promise<void> {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Structure');
  await expect(page.getByTestId('node-label')).toHaveText('header');
}

async function goTo(page: Page, address: string): Promise<void> {
  await page.keyboard.press('Control+g');
  await page.getByTestId('goto-address').fill(address);
  await page.getByTestId('goto-address').press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

/** The bytes of a row on the screen, by the address at its beginning. */
async function rowAt(page: Page, offset: number): Promise<string> {
  const cells = page.locator(`[data-row="${offset}"] [data-column]`);
  await expect(cells.first()).not.toHaveText('··');
  return (await cells.allInnerTexts()).join('').trim();
}

test('fields lead to bytes, bytes to fields, pointers to what they point to', async ({ page }) => {
  await showStructure(page);
  expect(await rowAt(page, 0)).toBe(file.subarray(0, 16).toString('hex'));

  await page.locator('[data-node="header/cluster_bits"]').click();
  await expect(page.getByTestId('node-value')).toContainText('13');
  await expect(page.getByTestId('node-meaning')).toContainText(/cluster/i);
  await expect(page.getByTestId('place')).toContainText('4 B at 0x14');

  await page.locator('[data-node="header/l1_table_offset"]').click();
  await page.getByTestId('node-follow').click();
  await expect(page.getByTestId('place')).toContainText(hex(L1));
  await expect(page.getByTestId('place-path')).toHaveText(/l1\s*›\s*0$/);
  expect(await rowAt(page, L1)).toBe(file.subarray(L1, L1 + 16).toString('hex'));
  await page.getByTestId('hex-back').click();
  await expect(page.getByTestId('place')).toContainText('8 B at 0x28');

  // A byte is named: the second of the refcount order's four.
  await page.locator('[data-row="96"] [data-column="1"]').click();
  await expect(page.getByTestId('place-path')).toHaveText(/header\s*›\s*refcount_order$/);
  await expect(page.locator('[data-node="header/refcount_order"]')).toHaveAttribute(
    'aria-selected',
    'true',
  );
  await expect(page).toHaveURL(/#\/structure\?at=0x61$/);

  // An address that was kept leads there again.
  await page.evaluate(() => (location.hash = '#/structure?at=0x100000&in=guest'));
  await expect(page.getByTestId('hex')).toHaveAccessibleName('Bytes of the disk');
  await expect(page.getByTestId('place')).toContainText('0x100000');
});

test('text on the disk is found where the real program has it, and its bytes in the file', async ({
  page,
}) => {
  await showStructure(page);
  await page.getByText('Disk', { exact: true }).click();
  await page.getByText('Find', { exact: true }).click();
  await page.getByTestId('find-text').fill('VERSION_ID=');
  await page.getByTestId('find-start').click();
  await expect(page.getByTestId('find-count')).toHaveText(/^\d+ match/);
  const matches = await page.getByTestId('match').all();
  const found = await Promise.all(matches.map((match) => match.getAttribute('data-offset')));
  const disk = diskByQemuImg();
  if (disk !== undefined) expect(found.map(Number)).toEqual(placesOf('VERSION_ID=', disk));
  expect(found.length).toBeGreaterThan(0);
  await expect(page.getByTestId('match').first()).toContainText('VERSION_ID=');

  // From the disk into the file, where the very bytes are.
  await page.getByTestId('place-other').first().click();
  await expect(page.getByTestId('hex')).toHaveAccessibleName('Bytes of the file');
  await expect(page.getByTestId('place-other').first()).toContainText('on the disk at');
  const cursor = page.locator('[data-column].cursor');
  await expect(cursor).toHaveText('56');

  await page.getByText('Bytes', { exact: true }).last().click();
  await page.getByTestId('find-text').fill('51 46 49 fb');
  await page.getByTestId('find-text').press('Enter');
  await expect(page.getByTestId('find-count')).toHaveText('1 match');
  await expect(page.getByTestId('place')).toContainText('4 B at 0x0');
  await page.getByTestId('find-text').fill('51 464');
  await expect(page.getByText('A byte has two digits')).toBeVisible();
});

test('by keyboard only: the tree, the bytes, an address', async ({ page }) => {
  await showStructure(page);
  const tree = page.getByTestId('tree');
  const details = page.getByTestId('node-label');
  await page.keyboard.press('/');
  await page.keyboard.type('l1_table');
  await expect(page.getByTestId('tree-line')).toHaveCount(2);
  await page.keyboard.press('Escape');
  await expect(tree).toBeFocused();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await expect(details).toHaveText('header › magic');
  await page.keyboard.press('ArrowLeft');
  await expect(details).toHaveText('header');
  await page.keyboard.press('ArrowLeft');
  await expect(page.locator('[data-node=header]')).toHaveAttribute('aria-expanded', 'false');
  await page.keyboard.press('l');
  await expect(details).toHaveText('l1');

  await goTo(page, 'cluster 1');
  const grid = page.getByTestId('hex');
  await expect(grid).toBeFocused();
  await expect(page.getByTestId('place')).toContainText('0x2000');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Shift+ArrowDown');
  await expect(page.getByTestId('place')).toContainText('17 B at 0x2001');
  await page.keyboard.press('Control+End');
  await expect(page.getByTestId('place')).toContainText(hex(file.length - 1));
  await page.keyboard.press('PageUp');
  await page.keyboard.press('Home');
  await expect(page.locator('[data-column].cursor')).toHaveAttribute('data-column', '0');
  await goTo(page, '-0x10');
  await page.keyboard.press('Control+g');
  await page.getByTestId('goto-address').fill('1G');
  await expect(page.getByTestId('goto-says')).toContainText('behind the end');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});
