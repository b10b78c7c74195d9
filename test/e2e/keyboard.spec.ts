import { expect, test, type Page } from '@playwright/test';
import { SAMPLE } from './images.ts';
import { openImage, start } from './page.ts';

/** Presses Tab until an element with that name has the focus, as a person would. */
async function tabTo(page: Page, name: string | RegExp, limit = 40): Promise<void> {
  for (let step = 0; step < limit; step++) {
    await page.keyboard.press('Tab');
    const label = await page.evaluate(() => {
      const element = document.activeElement;
      const labels = element instanceof HTMLInputElement ? element.labels : null;
      return (
        element?.getAttribute('aria-label') ??
        labels?.[0]?.textContent ??
        element?.textContent ??
        ''
      );
    });
    if (label.trim().replace(/\s+/g, ' ').match(name) !== null) return;
  }
  throw new Error(`the focus never reached ${String(name)}`);
}

test('from the first screen to a verified copy without a pointer', async ({ page }) => {
  await start(page);
  await tabTo(page, /^Try a sample/);
  await page.keyboard.press('Enter');
  await page.getByTestId('overview').waitFor();
  await page.keyboard.press('4');
  await expect(page.getByTestId('check-verdict')).toBeVisible();
  await page.keyboard.press('6');
  await expect(page.getByTestId('convert-start')).toBeVisible();
  await tabTo(page, /^To a place that you choose/);
  await page.keyboard.press('ArrowDown');
  await expect(page.getByTestId('where-browser')).toBeChecked();
  await tabTo(page, /^Convert$/);
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('convert-done')).toBeVisible();
  await page.keyboard.press('0');
  await tabTo(page, /^Command line$/);
  await page.keyboard.type('qemu-img in');
  await page.keyboard.press('Tab');
  await page.keyboard.type('sam');
  await page.keyboard.press('Tab');
  await expect(page.getByTestId('console-input')).toHaveValue('qemu-img info sample.');
  await page.keyboard.type('q');
  await page.keyboard.press('Tab');
  await expect(page.getByTestId('console-input')).toHaveValue('qemu-img info sample.qcow2 ');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('console-output')).toContainText('exit code 0');
  await page.keyboard.press('ArrowUp');
  await expect(page.getByTestId('console-input')).toHaveValue('qemu-img info sample.qcow2');
});

test('keys: help, dialogs close by Esc, digits are digits in a field', async ({ page }) => {
  await start(page);
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);

  await openImage(page, SAMPLE);
  await page.keyboard.press('6');
  await page.getByTestId('convert-name').fill('');
  await page.getByTestId('convert-name').pressSequentially('disk-2.raw');
  await expect(page.getByTestId('convert-name')).toHaveValue('disk-2.raw');
  await expect(page.getByTestId('convert-command')).toContainText('disk-2.raw');
});

test('single keys can be turned off', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await page.getByTestId('menu').click();
  await page.getByTestId('settings').click();
  await page.getByRole('checkbox', { name: /Single-key/ }).uncheck();
  await page.keyboard.press('Escape');
  await page.keyboard.press('4');
  await expect(page.getByTestId('overview')).toBeVisible();
});

test('the tabs move by arrows', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await page.getByRole('tab', { name: 'Overview' }).focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByRole('tab', { name: 'Map', exact: true })).toBeFocused();
  await page.keyboard.press('End');
  await expect(page.getByRole('tab', { name: 'Console' })).toBeFocused();
  await expect(page.getByTestId('console-input')).toBeVisible();
});

test('saving, undoing and making again by keys', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await page.keyboard.press('Control+s');
  await expect(page.getByTestId('convert-start')).toBeVisible();
  await page.keyboard.press('4');
  await page.getByTestId('plan-repair').click();
  await page.getByTestId('add-repair').click();
  await page.getByTestId('save-form').waitFor();
  await page.keyboard.press('1');
  await page.keyboard.press('Control+s');
  await expect(page.getByTestId('save-changes')).toBeFocused();
  await page.keyboard.press('1');
  await page.keyboard.press('Control+z');
  await expect(page.getByTestId('changes-tray')).toHaveCount(0);
  await page.keyboard.press('Control+Shift+z');
  await expect(page.getByTestId('changes-tray')).toBeVisible();
});

test('on a narrow screen the row of tabs says that there are more, and follows', async ({
  page,
}) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await start(page);
  await openImage(page, SAMPLE);
  await expect(page.getByTestId('tabs-more')).toBeVisible();
  await expect(page.getByTestId('tabs-back')).toHaveCount(0);
  await page.keyboard.press('0');
  await expect(page.getByRole('tab', { name: 'Console' })).toBeInViewport({ ratio: 1 });
  await expect(page.getByTestId('tabs-more')).toHaveCount(0);
  await page.getByTestId('tabs-back').click();
  await expect(page.getByTestId('tabs-more')).toBeVisible();
});
