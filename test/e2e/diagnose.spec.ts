import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { damagedSample, HEADER, made } from './images.ts';
import { openImage, showPanel, start } from './page.ts';

let folder = '';
test.beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'diagnose-'));
});
test.afterAll(() => rmSync(folder, { recursive: true }));

function qemu(program: 'qemu-img' | 'qemu-io', ...args: string[]): string {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
}

function hasQemu(): boolean {
  try {
    qemu('qemu-img', '--version');
    return true;
  } catch {
    return false;
  }
}

/** 64 clusters written in an order that has nothing to do with the disk, then partly once more. */
function fragmented(name: string): Buffer {
  const place = (step: number): number => ((step * 37) % 64) * 65536;
  const writes = (from: number, count: number, pattern: number): string[] =>
    Array.from({ length: count }, (_, index) => {
      return `write -P ${String(pattern + index)} ${String(place(from + index))} 64k`;
    });
  const io = (lines: string[]): unknown =>
    qemu('qemu-io', '-f', 'qcow2', ...lines.flatMap((line) => ['-c', line]), name);
  qemu('qemu-img', 'create', '-q', '-f', 'qcow2', name, '16M');
  io(writes(0, 64, 1));
  qemu('qemu-img', 'snapshot', '-c', 'before', name);
  io([...writes(0, 16, 100), 'discard 2M 1M']);
  qemu('qemu-img', 'snapshot', '-c', 'later', name);
  qemu('qemu-img', 'snapshot', '-d', 'later', name);
  return readFileSync(join(folder, name));
}

async function diagnosed(page: Page): Promise<void> {
  await showPanel(page, 'Diagnose');
  await expect(page.getByTestId('diagnosis-verdict')).toBeVisible({ timeout: 20_000 });
}

async function saveJson(page: Page): Promise<string> {
  const download = page.waitForEvent('download');
  await page.getByTestId('diagnosis-json').click();
  const to = join(folder, 'report.json');
  copyFileSync(await (await download).path(), to);
  return to;
}

test('a fragmented image is compacted: as long as foretold, and the same to qemu-img', async ({
  page,
}) => {
  test.skip(!hasQemu(), 'needs qemu-img');
  const image = fragmented('old.qcow2');
  await start(page);
  await openImage(page, made('old.qcow2', image));
  await diagnosed(page);
  const figures = page.getByTestId('figures');
  const check = JSON.parse(qemu('qemu-img', 'check', '--output=json', 'old.qcow2')) as {
    'fragmented-clusters': number;
    'allocated-clusters': number;
  };
  await expect(figures).toContainText(
    `(${String(check['fragmented-clusters'])} of ${String(check['allocated-clusters'])} clusters)`,
  );
  await expect(
    page.getByTestId('space-account').locator('[data-account=snapshotOnly]'),
  ).toBeVisible();
  const foretold = await page.locator('[data-gain=compact] dd').getAttribute('title');

  await page.getByTestId('ask-compact').click();
  await expect(page.getByTestId('compact-name')).toHaveValue('old-compact.qcow2');
  await page.getByTestId('where-browser').check();
  await page.getByTestId('compact-start').click();
  await expect(page.getByTestId('compact-verified')).toHaveText(/are the same/);
  const download = page.waitForEvent('download');
  await page.getByTestId('compact-download').click();
  copyFileSync(await (await download).path(), join(folder, 'new.qcow2'));
  const size = readFileSync(join(folder, 'new.qcow2')).length;
  expect(foretold).toBe(`${size.toLocaleString('en-US')} bytes`);
  const after = JSON.parse(qemu('qemu-img', 'check', '--output=json', 'new.qcow2')) as object;
  expect(after).toMatchObject({ 'check-errors': 0 });
  expect(after).not.toHaveProperty('leaks');
  qemu('qemu-img', 'compare', 'old.qcow2', 'new.qcow2');
  for (const name of ['old.qcow2', 'new.qcow2']) {
    qemu('qemu-img', 'convert', '-l', 'snapshot.name=before', '-O', 'raw', name, `${name}.raw`);
  }
  const [then, now] = ['old.qcow2.raw', 'new.qcow2.raw'].map((name) =>
    readFileSync(join(folder, name)),
  );
  expect(then?.equals(now ?? Buffer.alloc(0))).toBe(true);
});

test('a damaged image is in danger, and the way leads to the repair', async ({ page }) => {
  // Two entries of the first L2 table lead to the same cluster.
  const image = damagedSample('damaged.qcow2', (bytes) => {
    const l1 = Number(bytes.readBigUInt64BE(HEADER.l1Offset));
    const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
    const first = [...Array(8192).keys()].find((at) => bytes.readBigUInt64BE(l2 + at * 8) >> 63n);
    const entry = bytes.readBigUInt64BE(l2 + (first ?? 0) * 8);
    bytes.writeBigUInt64BE(entry, l2 + ((first ?? 0) + 1) * 8);
  });
  await start(page);
  await openImage(page, image);
  await diagnosed(page);
  await expect(page.getByTestId('diagnosis-verdict')).toHaveAttribute('data-verdict', 'danger');
  const worst = page.getByTestId('diagnosis-finding').first();
  await expect(worst).toContainText('Danger');
  await worst.getByTestId('remedy-repair').click();
  await expect(page.getByTestId('check-verdict')).toBeVisible();
  await expect(page.getByTestId('add-repair')).toBeVisible();
});

test('a report is kept, and what changed since is told', async ({ page }) => {
  const plain = damagedSample('web.qcow2', () => undefined);
  await page.addInitScript(() => {
    Object.defineProperty(window, 'showOpenFilePicker', { value: undefined });
  });
  await start(page);
  await openImage(page, plain);
  await diagnosed(page);
  const path = await saveJson(page);
  expect(readFileSync(path, 'utf8')).toContain('"schema": 1');

  await showPanel(page, 'Snapshots');
  await page.getByTestId('create-snapshot').click();
  await page.getByRole('dialog').getByRole('textbox').fill('tuesday');
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /Create|Take/ })
    .click();
  await expect(
    page.getByTestId('changes-tray').or(page.getByTestId('save-form')).first(),
  ).toBeVisible();
  await diagnosed(page);
  const chooser = page.waitForEvent('filechooser');
  await page.getByTestId('diagnosis-compare').click();
  await (await chooser).setFiles(path);
  const comparison = page.getByTestId('report-comparison');
  await expect(comparison).toContainText('It is the same image.');
  await expect(comparison).toContainText('New snapshot “tuesday”');

  const other = page.waitForEvent('filechooser');
  await page.getByTestId('diagnosis-compare').click();
  await (await other).setFiles({ name: 'a.json', mimeType: '', buffer: Buffer.from('{}') });
  await expect(page.getByTestId('report-refused')).toContainText('no report of a diagnosis');
});
