import { findChromium } from '../scripts/lib/chromium.mjs';

/** What Playwright needs to know to start the browser. */
export interface ChromiumOptions {
  executablePath?: string;
  args: string[];
}

/**
 * Launch options of the browser that all tests use ({@link findChromium} for the order of search).
 * Chromium refuses its sandbox to root, so root (a container, as a rule) goes without.
 */
export async function chromiumOptions(): Promise<ChromiumOptions> {
  const found = await findChromium();
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return found?.executablePath === undefined
    ? { args }
    : { executablePath: found.executablePath, args };
}
