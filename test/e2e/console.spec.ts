import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

test('a tutorial, pasted: the change waits, the file for VMware is made', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'console-'));
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Console');
  const tutorial = `# Make room first
$ sudo qemu-img resize /var/lib/libvirt/images/sample.qcow2 +64M
$ qemu-img convert -O vmdk \\
    sample.qcow2 out.vmdk
`;
  const input = page.getByTestId('console-input');
  await input.evaluate((element, text) => {
    const data = new DataTransfer();
    data.setData('text', text);
    const event = new ClipboardEvent('paste', { clipboardData: data, cancelable: true });
    element.dispatchEvent(event);
  }, tutorial);
  const output = page.getByTestId('console-output');
  await expect(input).toHaveValue('qemu-img resize /var/lib/libvirt/images/sample.qcow2 +64M');
  await input.press('Enter');
  await expect(output).toContainText('Nothing was written to its file', { timeout: 20_000 });
  await expect(input).toHaveValue(/^qemu-img convert -O vmdk/);
  await input.press('Enter');
  await expect(output.getByText(/exit code 0/)).toHaveCount(2, { timeout: 20_000 });
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save out.vmdk' }).click();
  const made = await (await download).path();
  copyFileSync(SAMPLE, join(folder, 'sample.qcow2'));
  execFileSync('qemu-img', ['resize', join(folder, 'sample.qcow2'), '+64M']);
  execFileSync('qemu-img', ['compare', '-F', 'vmdk', join(folder, 'sample.qcow2'), made]);
  await page.getByRole('tab', { name: 'Changes' }).click();
  await expect(page.getByTestId('pending').locator('li')).toHaveText(/qemu-img resize/);
  rmSync(folder, { recursive: true, force: true });
});
