import { expect, test } from '@playwright/test';
import { SAMPLE, SAMPLE_FACTS } from './images.ts';
import { openImage, runLine, sha256, showPanel, start } from './page.ts';

test('info, check and convert as qemu-img says them', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Console');
  const info = await runLine(page, 'qemu-img info sample.qcow2');
  expect(info).toContain('virtual size: 64 MiB (67108864 bytes)');
  expect(info).toContain('before-upgrade');

  await page.keyboard.press('Control+l');
  const check = await runLine(page, 'qemu-img check --output=json sample.qcow2');
  expect(check).toContain('"leaks": 1');
  expect(check).toContain('exit code 3');

  await page.keyboard.press('Control+l');
  await runLine(page, 'qemu-img convert -O raw sample.qcow2 out.raw');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save out.raw' }).click();
  expect(await sha256(await download)).toBe(SAMPLE_FACTS.raw.sha256);

  await page.keyboard.press('Control+l');
  await page.getByTestId('console-input').focus();
  const same = await runLine(page, 'qemu-img compare sample.qcow2 out.raw');
  expect(same).toContain('Images are identical.');
});

test('mistakes are answered, not punished', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Console');
  expect(await runLine(page, 'qemu-img info missing.qcow2')).toMatch(
    /missing\.qcow2.*No such file or directory/,
  );
  await page.getByTestId('console-input').fill('ls -la');
  await page.getByTestId('console-input').press('Enter');
  await expect(page.getByTestId('console-output')).toContainText('Commands begin with qemu-img');
  await page.getByTestId('console-input').fill('<b>qemu</b>');
  await page.getByTestId('console-input').press('Enter');
  await expect(page.getByTestId('console-output')).toContainText('<b>qemu</b>');
});
