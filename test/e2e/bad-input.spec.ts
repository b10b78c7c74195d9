import { randomBytes } from 'node:crypto';
import { expect, test } from '@playwright/test';
import { damagedSample, HEADER, made, renameFeature, type MadeFile } from './images.ts';
import { choose, openImage, showPanel, start } from './page.ts';

const LFS = [
  'version https://git-lfs.github.com/spec/v1',
  'oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393',
  'size 41126400',
  '',
].join('\n');

/** What cannot be opened, and what the person is told. */
const REFUSED: { what: string; file: MadeFile; code: string; says: RegExp }[] = [
  {
    what: 'an empty file',
    file: made('empty.qcow2', ''),
    code: 'not-a-disk-image',
    says: /no bytes at all/,
  },
  {
    what: 'three bytes',
    file: made('short.qcow2', 'QFI'),
    code: 'not-a-disk-image',
    says: /too short/,
  },
  {
    what: 'a web page',
    file: made('page.qcow2', `<!doctype html>\n<html><body>${'404 '.repeat(200)}</body></html>`),
    code: 'not-a-disk-image',
    says: /a web page/,
  },
  {
    what: 'a Git LFS pointer',
    file: made('pointer.qcow2', LFS),
    code: 'not-a-disk-image',
    says: /git lfs pull/,
  },
  {
    what: 'a text',
    file: made('notes.qcow2', 'These are only notes.\n'.repeat(100)),
    code: 'not-a-disk-image',
    says: /a text file/,
  },
  {
    what: 'an unknown feature, by its name',
    file: damagedSample('future.qcow2', (image) => {
      image.writeBigUInt64BE(1n << 5n, HEADER.incompatible);
      renameFeature(image, 5, 'quantum clusters');
    }),
    code: 'unknown-features',
    says: /quantum clusters/,
  },
  {
    what: 'a disk of 2^63 bytes',
    file: damagedSample('huge.qcow2', (image) => {
      image.writeBigUInt64BE(1n << 63n, HEADER.size);
    }),
    code: 'invalid-header',
    says: /8 EiB/,
  },
  {
    what: 'clusters of 4 GiB',
    file: damagedSample('clusters.qcow2', (image) => {
      image.writeUInt32BE(32, HEADER.clusterBits);
    }),
    code: 'invalid-header',
    says: /2\^32 bytes/,
  },
  {
    what: 'a version that does not exist',
    file: damagedSample('version.qcow2', (image) => {
      image.writeUInt32BE(4, HEADER.version);
    }),
    code: 'invalid-header',
    says: /version 4/,
  },
];

for (const { what, file, code, says } of REFUSED) {
  test(`says what is wrong: ${what}`, async ({ page }) => {
    await start(page);
    const before = Date.now();
    await choose(page, file);
    const error = page.getByTestId('error');
    await expect(error).toHaveAttribute('data-code', code);
    expect(Date.now() - before).toBeLessThan(5000);
    await expect(error).toContainText(says);
    await expect(error).toContainText(/\w/);
    // The app lives on: the next file opens as ever.
    await page.getByRole('button', { name: 'Start screen' }).click();
    await page.getByTestId('sample').click();
    await expect(page.getByTestId('summary')).toContainText('qcow2 v3');
  });
}

test('a text can be opened as a raw disk all the same', async ({ page }) => {
  await start(page);
  await choose(page, made('notes.img', 'x'.repeat(2048)));
  await page.getByTestId('open-raw').click();
  await expect(page.getByTestId('summary')).toHaveText('raw · 2 KiB disk');
});

test('a cut-off download says how much is missing', async ({ page }) => {
  await start(page);
  const whole = damagedSample('cut.qcow2', (image) => image.subarray(0, 120_000));
  await openImage(page, whole);
  await expect(page.getByTestId('truncated')).toContainText(/at least .* KiB are missing/);
  await expect(page.getByTestId('truncated')).toContainText('117 KiB');
  await expect(page.getByTestId('health')).toContainText('File incomplete');
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toHaveAttribute('data-tone', 'bad');
  await expect(page.locator('[data-testid=finding][data-kind=truncated]')).toBeVisible();
});

test('damaged tables end in findings with their meaning, never in a blank page', async ({
  page,
}) => {
  await start(page);
  const garbage = damagedSample('garbage.qcow2', (image) => {
    const l1 = Number(image.readBigUInt64BE(HEADER.l1Offset));
    const l2 = Number(image.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
    randomBytes(2048).copy(image, l2);
  });
  await openImage(page, garbage);
  await showPanel(page, 'Check');
  await expect(page.getByTestId('check-verdict')).toContainText('Damaged');
  await expect(page.getByTestId('finding').first()).toContainText('What it means');
  const corruptions = Number(await page.locator('[data-count=corruptions]').innerText());
  expect(corruptions).toBeGreaterThan(0);
});

test('reading garbage stops the conversion with its place and leaves nothing behind', async ({
  page,
}) => {
  await start(page);
  const broken = damagedSample('packed.qcow2', (image) => {
    const l1 = Number(image.readBigUInt64BE(HEADER.l1Offset));
    const l2 = Number(image.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
    for (let entry = l2; entry < l2 + 8192; entry += 8) {
      const value = image.readBigUInt64BE(entry);
      if ((value & (1n << 62n)) === 0n) continue;
      // The block type 3 does not exist in deflate.
      image.writeUInt8(0xff, Number(value & 0x0003ffffffffffffn));
    }
  });
  await openImage(page, broken);
  await showPanel(page, 'Convert');
  await page.getByTestId('where-browser').check();
  await page.getByTestId('convert-start').click();
  const error = page.getByTestId('error');
  await expect(error).toHaveAttribute('data-code', 'unreadable-cluster');
  await expect(error).toContainText(/cannot be read at 0x[0-9a-f]+/);
  await expect(error).toContainText('The unfinished copy was removed.');
});
