import { readFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { diskFile } from './disk-images.ts';
import { SAMPLE, SAMPLE_FACTS } from './images.ts';
import { expectNoSidewaysScroll, openImage, start } from './page.ts';

function fact(page: Page, id: string) {
  return page.getByTestId('partition-details').locator(`[data-fact=part-${id}]`);
}

test('the overview of the sample: what it is, what is on it, where its bytes went', async ({
  page,
  context,
}) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await start(page);
  await openImage(page, SAMPLE);
  await expect(page.getByTestId('in-short')).toHaveText(
    'A qcow2 image of a 64 MiB disk. It holds 1 partition: ext4. One snapshot keeps an earlier state.',
  );
  // The label and UUID are those that its script gives; the rest is what dumpe2fs says.
  await expect(page.getByTestId('partition')).toHaveCount(1);
  await expect(fact(page, 'label')).toHaveText('sample');
  await expect(fact(page, 'uuid')).toHaveText('5a3e1f60-6d1c-4c55-9a0e-1b6e2f7c8d90');
  await expect(fact(page, 'start')).toContainText('sector 2,048, on a whole MiB');
  await expect(fact(page, 'type')).toHaveText(/Linux\s*83/);

  const parts = page.getByTestId('space').locator('[data-space]');
  await expect(parts).toHaveText([/Data/, /Compressed/, /Tables/, /Leaked\s*8 KiB/]);
  const sizes = await parts.evaluateAll((all) => all.map((one) => one.getAttribute('title')));
  const sum = sizes.reduce((total, size) => total + Number(size?.replace(/\D/g, '')), 0);
  expect(sum).toBe(SAMPLE_FACTS.size);

  await expect(page.getByTestId('info-command')).toHaveText('qemu-img info sample.qcow2');
  await page.getByTestId('copy-all').click();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain('Partition 1: ext4, “sample”, 0x100000 + 63 MiB');
});

test('a divided disk: the bar, each part of it, the way to its bytes', async ({ page }) => {
  await start(page);
  await openImage(page, diskFile('gpt.raw'));
  await expect(page.getByTestId('in-short')).toContainText(
    'It holds 6 partitions: FAT32, XFS, Linux swap, NTFS, LVM, LUKS2.',
  );
  const parts = page.getByTestId('partition');
  await expect(parts).toHaveCount(8);
  await expect(fact(page, 'kind')).toHaveText('XFS');
  await expect(fact(page, 'used')).toHaveText('64.1 MiB of 320 MiB (20 %)');

  // By keyboard alone: the parts are one group of radio buttons.
  await parts.nth(1).getByRole('radio').focus();
  await page.keyboard.press('ArrowRight');
  await expect(fact(page, 'kind')).toHaveText('Linux swap');
  await page.keyboard.press('ArrowRight');
  await expect(page.getByTestId('partition-details')).toContainText('No partition uses');
  await page.keyboard.press('ArrowRight');
  await expect(fact(page, 'uuid')).toHaveText('25E802E160B79D24');
  await expect(fact(page, 'start')).toContainText('sector 1,000,000, not on a whole MiB');
  await parts.nth(5).click();
  await expect(fact(page, 'label')).toHaveText('vg_guest');
  await expect(page.getByTestId('contents')).toContainText('GPT partition table · 6 partitions');

  await page.setViewportSize({ width: 360, height: 740 });
  const [first, second] = [await parts.nth(0).boundingBox(), await parts.nth(1).boundingBox()];
  expect(second?.y).toBeGreaterThan((first?.y ?? 0) + 24);
  await expectNoSidewaysScroll(page);
  await page.setViewportSize({ width: 1100, height: 800 });

  await page.getByTestId('partition-map').click();
  await expect(page.getByRole('tab', { name: 'Map', exact: true })).toHaveAttribute(
    'aria-selected',
    'true',
  );
});

test('nothing on it, and nothing that is known', async ({ page }) => {
  await start(page);
  const noise = Buffer.from(readFileSync(SAMPLE)).subarray(0, 65536).fill(7, 0, 512);
  await openImage(page, { name: 'noise.vhd', mimeType: '', buffer: fixedVhd(noise) });
  await expect(page.getByTestId('contents')).toContainText('No partition table and no file system');
});

/** Content with the footer of a fixed VHD behind it. */
function fixedVhd(content: Buffer): Buffer {
  const footer = Buffer.alloc(512);
  footer.write('conectix', 0, 'latin1');
  footer.writeUInt32BE(2, 8);
  footer.writeUInt32BE(0x10000, 12);
  footer.fill(0xff, 16, 24);
  footer.write('qem2', 28, 'latin1');
  footer.writeBigUInt64BE(BigInt(content.length), 40);
  footer.writeBigUInt64BE(BigInt(content.length), 48);
  footer.writeUInt16BE(2, 56);
  footer[58] = 4;
  footer[59] = 16;
  footer.writeUInt32BE(2, 60);
  const sum = footer.reduce((total, byte) => total + byte, 0);
  footer.writeUInt32BE(~sum >>> 0, 64);
  return Buffer.concat([content, footer]);
}
