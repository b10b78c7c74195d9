import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';
import { buildZip } from '../images/build-containers.ts';
import { made, SAMPLE } from './images.ts';
import { choose, start } from './page.ts';

test('a compressed image is opened in passing, and the way to it is shown', async ({ page }) => {
  await start(page);
  await choose(page, made('sample.qcow2.gz', gzipSync(readFileSync(SAMPLE))));
  await expect(page.getByTestId('inside-name')).toHaveText('sample.qcow2');
  await expect(page.getByTestId('summary')).toContainText('64 MiB disk');
  await expect(page.getByTestId('wrapper')).toContainText('never changed');
});

test('of several disks in an archive, the person chooses', async ({ page }) => {
  await start(page);
  const data = readFileSync(SAMPLE);
  const zip = buildZip([
    { name: 'a.qcow2', data },
    { name: 'b.qcow2', data },
  ]);
  await choose(page, made('two.zip', zip));
  await page.getByLabel('b.qcow2').check();
  await page.getByTestId('wrapped-open').click();
  await expect(page.getByTestId('inside-name')).toHaveText('b.qcow2');
});
