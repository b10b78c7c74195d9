import { readdirSync } from 'node:fs';
import { sep } from 'node:path';
import { expect, test } from '@playwright/test';
import { SAMPLE } from './images.ts';
import { convertAndDownload, openImage, runLine, showPanel, start } from './page.ts';

test('no request leaves during open, check, convert and console', async ({
  page,
  context,
  baseURL,
}) => {
  const asked: string[] = [];
  context.on('request', (request) => asked.push(`${request.method()} ${request.url()}`));
  await start(page);
  await expect(page.getByTestId('offline-ready')).toBeVisible({ timeout: 20_000 });
  await openImage(page, SAMPLE);
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toBeVisible();
  await convertAndDownload(page);
  await showPanel(page, 'Console');
  await runLine(page, 'qemu-img info sample.qcow2');

  expect(asked.length).toBeGreaterThan(5);
  const base = baseURL ?? '';
  const files = readdirSync('dist/app', { recursive: true, encoding: 'utf8' });
  const own = new Set(['', ...files].map((file) => `GET ${base}${file.split(sep).join('/')}`));
  // A blob's address has the origin, not the path below it; its content is on this machine.
  const blob = `GET blob:${new URL(base).origin}/`;
  expect(asked.filter((request) => !own.has(request) && !request.startsWith(blob))).toEqual([]);
});

test('the policy refuses what the privacy dialog tells people to try', async ({ page }) => {
  await start(page);
  await page.getByTestId('privacy').click();
  const attempt = await page.getByRole('dialog').locator('code').innerText();
  expect(await page.evaluate(attempt)).toMatch(/^refused/);
});
