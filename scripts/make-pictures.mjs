/**
 * Makes the pictures of the README and docs/panels.md from the built app (dist/app), with the sample
 * and with an image made for it.
 *
 * Needs qemu-img, qemu-io and Chromium: `npm run build && node scripts/make-pictures.mjs`
 */
import { chromium } from '@playwright/test';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { findChromium } from './lib/chromium.mjs';
import { ROOT } from './lib/run.mjs';
import { listenLocally, staticFiles } from './lib/server.mjs';

const SAMPLE = path.join(ROOT, 'src/app/sample/sample.qcow2');
const DOCS = path.join(ROOT, 'docs');
const MIB = 2 ** 20;
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'pictures-'));

/** Numbers that look random and are the same every time. */
function* numbers() {
  let state = 20260105;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

/** A disk that has been in use: old and new data, packed parts, zeros, a snapshot, a bitmap. */
function makeUsedImage() {
  const name = path.join(work, 'web-01.qcow2');
  const random = numbers();
  const below = (/** @type {number} */ most) => Math.floor((random.next().value ?? 0) * most);
  const io = (/** @type {string[]} */ lines) => {
    const args = lines.flatMap((line) => ['-c', line]);
    execFileSync('qemu-io', ['-f', 'qcow2', ...args, name], { stdio: 'pipe' });
  };
  const writes = (/** @type {number} */ count, /** @type {string} */ verb) =>
    Array.from({ length: count }, () => {
      const start = below(1900) * MIB + below(16) * 65536;
      return `${verb} ${String(start)} ${String((1 + below(40)) * 65536)}`;
    });
  const image = (/** @type {string[]} */ ...args) => {
    execFileSync('qemu-img', args, { stdio: 'pipe' });
  };
  image('create', '-q', '-f', 'qcow2', name, '2G');
  // Packed clusters can only be written where nothing is.
  io(Array.from({ length: 300 }, (_, at) => `write -c -P 5 ${String((700 + at) * MIB)} 64k`));
  io(['write -P 1 0 12M', 'write -P 2 300M 4M', ...writes(60, 'write -P 3')]);
  image('snapshot', '-c', 'before the update', name);
  io([...writes(30, 'write -P 4'), ...writes(25, 'write -z'), ...writes(25, 'discard')]);
  io(['write -P 7 1M 5M', 'write -z 302M 1M']);
  image('bitmap', '--add', name, 'backup');
  io(writes(10, 'write -P 6'));
  return name;
}

/** @typedef {{ file: string, image: string, height?: number, show: (page: import('@playwright/test').Page) => Promise<void> }} Picture */

/** @param {string} used */
function pictures(used) {
  const tab =
    (/** @type {string} */ name) =>
    /** @param {import('@playwright/test').Page} page */
    async (page) => {
      await page.getByRole('tab', { name, exact: true }).click();
      await page.waitForTimeout(1500);
    };
  /** @type {Picture[]} */
  const list = [
    { file: 'overview', image: SAMPLE, height: 980, show: tab('Overview') },
    {
      file: 'map',
      image: used,
      show: async (page) => {
        await tab('Map')(page);
        await page
          .locator('canvas')
          .first()
          .click({ position: { x: 300, y: 90 } });
        await page.waitForTimeout(1000);
      },
    },
    { file: 'structure', image: SAMPLE, show: tab('Structure') },
    {
      file: 'check',
      image: SAMPLE,
      show: async (page) => {
        await tab('Check')(page);
        await page.getByTestId('plan-repair').click();
        await page.getByTestId('repair-safe').waitFor();
      },
    },
    {
      file: 'diagnose',
      image: used,
      height: 980,
      show: async (page) => {
        await tab('Diagnose')(page);
        await page.getByTestId('diagnosis-finding').first().waitFor();
      },
    },
    { file: 'convert', image: used, height: 900, show: tab('Convert') },
    { file: 'snapshots', image: used, show: tab('Snapshots') },
    { file: 'changes', image: used, show: tab('Changes') },
    {
      file: 'console',
      image: SAMPLE,
      show: async (page) => {
        await tab('Console')(page);
        await page.getByTestId('console-input').fill('qemu-img info sample.qcow2');
        await page.getByTestId('console-input').press('Enter');
        await page.getByText('exit code 0').waitFor();
      },
    },
    {
      file: 'new',
      image: SAMPLE,
      height: 900,
      show: async (page) => {
        await page.getByTestId('menu').click();
        await page.getByTestId('menu-new').click();
        await page.getByTestId('new-image').waitFor();
      },
    },
  ];
  return list;
}

try {
  const used = makeUsedImage();
  const { port, close } = await listenLocally(staticFiles(path.join(ROOT, 'dist/app'), '/'), 4300);
  const found = await findChromium();
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({
    args,
    ...(found?.executablePath === undefined ? {} : { executablePath: found.executablePath }),
  });
  for (const { file, image, height = 760, show } of pictures(used)) {
    const viewport = { width: 1240, height };
    const page = await browser.newPage({ viewport, colorScheme: 'light', locale: 'en-US' });
    await page.goto(`http://localhost:${String(port)}/`);
    await page.getByTestId('menu').waitFor();
    await page.getByTestId('file-input').setInputFiles(image);
    await page.getByTestId('overview').waitFor();
    await page.waitForTimeout(2500);
    await show(page);
    await page.screenshot({ path: path.join(DOCS, `${file}.png`) });
    await page.close();
  }
  await browser.close();
  close();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
