// Which browser the tests and the bench start. Plain Node, so that the set-up of `npm test` can ask
// the same question that the test configurations ask later.
import { existsSync } from 'node:fs';

const DEBIAN_CHROMIUM = '/usr/bin/chromium';

/**
 * The browser to start: $CHROMIUM, else Playwright's own, else Debian's.
 * `executablePath` is undefined for Playwright's own, which it finds itself (and for which it may
 * prefer its headless build). Returns undefined where there is no browser at all.
 * @returns {Promise<{ executablePath: string | undefined } | undefined>}
 */
export async function findChromium() {
  const asked = process.env['CHROMIUM'];
  if (asked !== undefined && asked !== '') {
    if (!existsSync(asked)) throw new Error(`CHROMIUM names ${asked}, which does not exist.`);
    return { executablePath: asked };
  }
  const { chromium } = await import('@playwright/test');
  if (existsSync(chromium.executablePath())) return { executablePath: undefined };
  if (existsSync(DEBIAN_CHROMIUM)) return { executablePath: DEBIAN_CHROMIUM };
  return undefined;
}
