import { expect, test } from '@playwright/test';
import { made, SAMPLE } from './images.ts';
import { choose, openImage, start } from './page.ts';

test.describe('in a Chinese browser', () => {
  test.use({ locale: 'zh-CN' });

  test('everything speaks Chinese, from the first screen to the error', async ({ page }) => {
    await start(page);
    await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
    await expect(page.getByTestId('open')).toContainText('打开镜像');
    await openImage(page, SAMPLE);
    await expect(page.getByTestId('health')).toContainText(
      '空间浪费(1 个簇)'.replace(/[()]/g, (c) => (c === '(' ? '\uff08' : '\uff09')),
    );
    await page.keyboard.press('4');
    await expect(page.getByTestId('finding')).toContainText('这些簇被记为已使用');
    await page.keyboard.press('6');
    await page.getByTestId('where-browser').check();
    await page.getByTestId('convert-start').click();
    await expect(page.getByTestId('convert-verified')).toContainText('完全相同');
    await choose(page, made('empty.qcow2', ''));
    await expect(page.getByTestId('error')).toContainText('文件为空');
    // Apart from names and proper words there is no English left on the page.
    const text = await page.locator('main').innerText();
    expect(text.replace(/empty\.qcow2/g, '')).not.toMatch(/[a-z]{4,} [a-z]{3,}/i);
  });
});

test.describe('in a Chinese browser on a slow line', () => {
  test.use({ locale: 'zh-CN', serviceWorkers: 'block' });

  // Of the first screen, of an image's screen, of one of its panels.
  const texts = [/zh-CN-[\w-]{8}\.js/, /zh-CN-image-/, /zh-CN-contents-/];
  for (const late of texts) {
    test(`no screen is half in each language when ${late.source} comes late`, async ({ page }) => {
      let held = 0;
      await page.route(late, async (route) => {
        held += 1;
        await new Promise((resolve) => setTimeout(resolve, 1500));
        await route.continue();
      });
      await start(page);
      await openImage(page, SAMPLE);
      await expect(page.getByTestId('summary')).toContainText('1 个快照');
      await expect(page.getByRole('tab').first()).toContainText('概览');
      await expect(page.getByTestId('help')).toHaveAttribute('aria-label', '键盘快捷键');
      expect(held).toBe(1);
    });
  }
});

test('the language changes without a reload, and is kept', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await page.getByTestId('menu').click();
  await page.getByText('简体中文').click();
  await expect(page.getByRole('tab', { name: '概览' })).toBeVisible();
  await expect(page.getByTestId('summary')).toContainText('1 个快照');
  await page.reload();
  await expect(page.getByTestId('open')).toContainText('打开镜像');
});

test('the theme is kept and there before the first paint', async ({ page }) => {
  await start(page);
  await page.getByTestId('menu').click();
  await page.getByText('Dark', { exact: true }).click();
  const ground = () =>
    page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  expect(dark).toBe('rgb(16, 19, 24)');
  await page.reload({ waitUntil: 'commit' });
  await expect
    .poll(() => page.evaluate(() => document.documentElement.style.colorScheme))
    .toBe('dark');
  // Until the style sheet is there nothing is painted; the first colour must be the right one.
  await expect.poll(ground).not.toBe('rgba(0, 0, 0, 0)');
  expect(await ground()).toBe(dark);
});
