import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test, type Page } from '@playwright/test';
import { HEADER, largeImage, made, SAMPLE, SAMPLE_FACTS } from './images.ts';
import { choose, openImage, showPanel, start } from './page.ts';

const OTHER = 'b'.repeat(64);

/** The verdict that is on the screen: its tone and its words. */
async function expectVerdict(page: Page, tone: string, ...sentences: string[]): Promise<void> {
  const verdict = page.getByTestId('checksum-verdict');
  await expect(verdict).toHaveAttribute('data-tone', tone);
  for (const sentence of sentences) await expect(verdict).toContainText(sentence);
}

test('a pasted checksum says whether the download is whole', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Checksum');
  const field = page.getByTestId('checksum-published');
  const says = page.getByTestId('checksum-says');
  await field.fill('hello');
  await expect(says).toContainText('There is no checksum');
  await field.fill('d'.repeat(32));
  await expect(says).toContainText('Only MD5 here');
  await field.fill(OTHER);
  await expect(says).toContainText('A SHA-256 checksum');
  await page.getByTestId('checksum-file').click();
  await expectVerdict(page, 'bad', 'not the published file', OTHER, SAMPLE_FACTS.sha256);
  await expect(page.getByTestId('digest-file')).toHaveText(SAMPLE_FACTS.sha256);
  // It is known now: what is pasted next is judged at once.
  await field.fill(SAMPLE_FACTS.sha256.toUpperCase());
  await expectVerdict(page, 'good', 'whole');
  await field.fill('');
  await expect(page.getByTestId('checksum-verdict')).toHaveCount(0);
});

test('a list that is opened beside an image is compared with it', async ({ page }) => {
  await start(page);
  const sha512 = createHash('sha512').update(readFileSync(SAMPLE)).digest('hex');
  const list = `${'0'.repeat(128)}  other.qcow2\n${sha512}  sample.qcow2\n`;
  await openImage(page, SAMPLE);
  await choose(page, made('SHA512SUMS', list));
  await expect(page.getByTestId('checksum-list')).toHaveText('SHA512SUMS');
  await expect(page.getByTestId('checksum-says')).toContainText('SHA-512 of “sample.qcow2”');
  await expect(page.getByTestId('error')).toHaveCount(0);
  await page.getByTestId('checksum-file').click();
  await expectVerdict(page, 'good', 'whole', 'sample.qcow2');
  await expect(page.getByTestId('digest-file')).toHaveText(sha512);

  await choose(page, made('Fedora-CHECKSUM', `SHA256 (best.qcow2) = ${SAMPLE_FACTS.sha256}\n`));
  await expect(page.getByTestId('checksum-says')).toContainText('Does not have “sample.qcow2”');
  await page.getByTestId('checksum-file').click();
  await expectVerdict(page, 'good', 'This is “best.qcow2”');

  await choose(page, made('x.sha256', `# sample.qcow2: 999999999 bytes\n${OTHER}  sample.qcow2\n`));
  await expectVerdict(page, 'bad', 'cut off', OTHER);
  await page.getByRole('button', { name: 'Remove the list' }).click();
  await expect(page.getByTestId('checksum-published')).toBeVisible();
});

test('a list that is dropped on the window', async ({ page }, info) => {
  const list = info.outputPath('sha256sum.txt');
  writeFileSync(list, `${SAMPLE_FACTS.sha256}  sample.qcow2\n`);
  await start(page);
  await openImage(page, SAMPLE);
  await showPanel(page, 'Checksum');
  const devtools = await page.context().newCDPSession(page);
  const drag = (type: 'dragEnter' | 'dragOver' | 'drop') =>
    devtools.send('Input.dispatchDragEvent', {
      ...{ type, x: 300, y: 300 },
      data: { items: [], files: [list], dragOperationsMask: 1 },
    });
  await drag('dragEnter');
  await drag('dragOver');
  await expect(page.getByTestId('drop-overlay')).toContainText('list of checksums');
  await drag('drop');
  await expect(page.getByTestId('checksum-list')).toHaveText('sha256sum.txt');
  await page.getByTestId('checksum-file').click();
  await expectVerdict(page, 'good', 'whole');
});

test('image and list opened together', async ({ page }) => {
  await start(page);
  const list = made('SHA256SUMS', `${SAMPLE_FACTS.sha256} *sample.qcow2\n`);
  const image = { name: 'sample.qcow2', mimeType: '', buffer: readFileSync(SAMPLE) };
  await page.getByTestId('file-input').setInputFiles([image, list]);
  await expect(page.getByTestId('checksum-list')).toHaveText('SHA256SUMS');
  await expect(
    page.getByRole('navigation', { name: 'Open images' }).getByRole('listitem'),
  ).toHaveCount(1);
});

test('the fingerprint of the content, kept while other panels are looked at', async ({ page }) => {
  await start(page);
  await openImage(page, SAMPLE);
  await page.keyboard.press('9');
  await page.getByTestId('checksum-content').click();
  await expect(page.getByTestId('digest-content')).toHaveText(SAMPLE_FACTS.raw.sha256);
  await showPanel(page, 'Overview');
  await showPanel(page, 'Checksum');
  await expect(page.getByTestId('digest-content')).toHaveText(SAMPLE_FACTS.raw.sha256);
  // The published digest of the disk itself is recognised as that.
  await page.getByTestId('checksum-published').fill(SAMPLE_FACTS.raw.sha256);
  await page.getByTestId('checksum-file').click();
  await expectVerdict(page, 'bad', 'that of the content');
});

test('long work can be cancelled', async ({ page }) => {
  await start(page);
  // A disk of 1 TiB with one cluster of data: its zeros take an hour.
  const { head, size } = largeImage(1);
  head.writeBigUInt64BE(2n ** 40n, HEADER.size);
  head.writeUInt32BE(2048, 36);
  const large = made('large.qcow2', Buffer.concat([head, Buffer.alloc(size - head.length)]));
  await openImage(page, large);
  await showPanel(page, 'Checksum');
  await expect(page.getByText(/takes about .* Zeros have to be counted/)).toBeVisible();
  await page.getByTestId('checksum-content').click();
  await expect(page.getByTestId('progress')).toContainText('Computing the checksum');
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(page.getByTestId('cancelled')).toBeVisible();
  await expect(page.getByTestId('checksum-content')).toBeVisible();
});
