import { execFileSync } from 'node:child_process';
import { expect, test, type Page } from '@playwright/test';
import { SAMPLE, SAMPLE_FACTS } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

// High enough for all clusters of the sample's disk at once.
test.use({ viewport: { width: 1280, height: 900 } });

/** What the real program says; undefined where it is not to be had. */
function byQemuImg<Answer>(...args: string[]): Answer | undefined {
  try {
    return JSON.parse(
      execFileSync('qemu-img', [...args, SAMPLE], { stdio: 'pipe' }).toString(),
    ) as Answer;
  } catch (error) {
    // Leaks end with the exit code 3, the answer is there all the same.
    const { code, stdout } = error as NodeJS.ErrnoException & { stdout?: Buffer };
    if (code === 'ENOENT') return undefined;
    if (stdout === undefined || stdout.length === 0) throw error;
    return JSON.parse(stdout.toString()) as Answer;
  }
}

/** Bytes of each kind, as the legend has them. */
async function legend(page: Page): Promise<Record<string, number>> {
  const rows = await page.getByTestId('map-legend').locator('[data-bytes]').all();
  const entries = rows.map(async (row) => {
    const id = (await row.getAttribute('data-testid')) ?? '';
    return [id.replace('legend-', ''), Number(await row.getAttribute('data-bytes'))] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0);

async function showMap(page: Page): Promise<void> {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Map');
  await expect(page.getByTestId('map-summary')).toHaveAccessibleName(/192 KiB: Data 38 %/);
}

test('the map of a file finds the leak, says what it is, and leads to its bytes', async ({
  page,
}) => {
  await showMap(page);
  const found = await legend(page);
  expect(sum(Object.values(found))).toBe(SAMPLE_FACTS.size);
  const check = byQemuImg<{ leaks: number }>('check', '--output=json');
  expect((found['leaked'] ?? 0) / 8192).toBe(check?.leaks ?? 1);

  await page.getByTestId('next-leaked').click();
  await expect(page.getByTestId('place-kind')).toHaveText('Leaked');
  await expect(page.getByTestId('place-range')).toHaveText('0x2e000–0x2ffff');
  await expect(page.getByTestId('place-refcount')).toHaveText(/^Counted 1 time, but used 0 times/);
  await expect(page).toHaveURL(/#\/map\?at=0x2e000$/);

  await page.getByTestId('legend-l2').click();
  await expect(page.getByTestId('legend-l2')).toHaveAttribute('aria-pressed', 'true');
  await page.getByTestId('next-of-kind').click();
  await expect(page.getByTestId('place-kind')).toHaveText('L2 table');

  await page.getByTestId('map-address').fill('0x2e000');
  await page.getByTestId('map-address').press('Enter');
  await expect(page.getByTestId('place-kind')).toHaveText('Leaked');
  await page.getByTestId('show-bytes').click();
  await expect(page.getByRole('tab', { name: 'Structure' })).toHaveAttribute(
    'aria-selected',
    'true',
  );
  await expect(page).toHaveURL(/#\/structure\?at=0x2e000$/);
});

test('the map of the disk holds what qemu-img map says, by keyboard and as a table', async ({
  page,
}) => {
  await showMap(page);
  await page.getByText('Disk', { exact: true }).click();
  await expect(page.getByTestId('map-summary')).toHaveAccessibleName(
    /^The disk in sample.qcow2, 64 MiB/,
  );
  const found = await legend(page);
  const map = byQemuImg<{ start: number; length: number; data: boolean; offset?: number }[]>(
    'map',
    '--output=json',
  );
  const data = sum((map ?? []).filter((run) => run.data).map(({ length }) => length));
  expect(sum(Object.values(found))).toBe(64 * 2 ** 20);
  if (map !== undefined) expect((found['data'] ?? 0) + (found['compressed'] ?? 0)).toBe(data);

  // Zooming in and back, and a walk by keyboard: the second cluster of the second MiB.
  await page.getByTestId('zoom-in').click();
  await expect(page.getByTestId('map-seen')).toBeVisible();
  await page.getByTestId('zoom-whole').click();
  await expect(page.getByTestId('map-seen')).toBeHidden();
  await page.getByTestId('map-view').focus();
  await page.keyboard.press('Home');
  await expect(page.getByTestId('place-range')).toHaveText('0x0–0x1fff');
  await page.keyboard.press('ArrowDown');
  await expect(page.getByTestId('place-range')).toHaveText('0x100000–0x101fff');
  await expect(page.getByTestId('place-uses')).toContainText('in the file at 0x1c000');
  await page.keyboard.press('+');
  await expect(page.getByTestId('map-seen')).toBeVisible();

  await page.getByText('Table', { exact: true }).click();
  const rows = page.getByTestId('map-table').locator('tbody tr');
  const first = map?.find((run) => run.offset !== undefined);
  const row = rows.filter({ hasText: `0x${(first?.start ?? 0x100000).toString(16)}` });
  await expect(row).toContainText(`0x${(first?.offset ?? 0x1c000).toString(16)}`);
  await expect(row).toContainText('Data');
  await row.getByRole('button').click();
  await page.getByTestId('show-other').click();
  await expect(page.getByTestId('place-range')).toHaveText('0x1c000–0x1dfff');
  await expect(page.getByTestId('map-command')).toHaveText(/^qemu-img check/);
});
