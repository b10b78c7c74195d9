// Draws the PNG icons from public/icons/icon.svg with the browser of the tests:
//   node scripts/make-icons.mjs
// The results are committed; run it again after a change of the drawing.
import { readFileSync, writeFileSync } from 'node:fs';
import { chromium } from '@playwright/test';
import { findChromium } from './lib/chromium.mjs';

const FOLDER = new URL('../public/icons/', import.meta.url);

/**
 * `maskable` fills the whole square, and its mark stays inside the circle of 80 % that every
 * launcher shows. Apple's icon has no transparent corners either: it is cut by the system.
 */
const ICONS = [
  { file: 'icon-32.png', size: 32, square: false, scale: 1 },
  { file: 'icon-180.png', size: 180, square: true, scale: 1 },
  { file: 'icon-192.png', size: 192, square: false, scale: 1 },
  { file: 'icon-512.png', size: 512, square: false, scale: 1 },
  { file: 'icon-maskable-512.png', size: 512, square: true, scale: 0.86 },
];

const svg = readFileSync(new URL('icon.svg', FOLDER), 'utf8');
const found = await findChromium();
const browser = await chromium.launch({
  ...(found?.executablePath === undefined ? {} : { executablePath: found.executablePath }),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
for (const { file, size, square, scale } of ICONS) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  await page.setContent(`<style>
      * { margin: 0 }
      svg { display: block; width: ${size}px; height: ${size}px }
      .mark { transform-origin: 256px 256px; transform: scale(${scale}) }
      ${square ? '.ground { rx: 0 }' : ''}
    </style>${svg}`);
  writeFileSync(new URL(file, FOLDER), await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
