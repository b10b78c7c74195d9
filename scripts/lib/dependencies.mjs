import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, npm } from './run.mjs';

/**
 * Installs the locked dependencies when they are missing or others than the lock says.
 * @throws Error when npm fails; its output was shown
 */
export async function ensureDependencies() {
  const stale = staleness();
  if (stale === undefined) return;
  console.log(`Installing dependencies (${stale}) …`);
  const { code } = await npm(['ci', '--include=dev', '--no-audit', '--no-fund'], { show: true });
  if (code !== 0) throw new Error('npm ci failed.');
}

/** Why the installed packages are not those of the lock; undefined when they are. */
function staleness() {
  const wanted = packagesOf('package-lock.json');
  if (wanted === undefined) throw new Error('package-lock.json is missing.');
  const installed = packagesOf('node_modules/.package-lock.json');
  return installed === undefined ? 'none installed' : difference(wanted, installed);
}

/**
 * In what the installed packages differ from those of the lock; undefined when they do not.
 * @param {Record<string, LockedPackage>} wanted
 * @param {Record<string, LockedPackage>} installed
 */
export function difference(wanted, installed) {
  for (const [path, { version, integrity, optional }] of Object.entries(wanted)) {
    if (path === '') continue;
    const there = installed[path];
    // Binaries of other platforms are in the lock only.
    if (there === undefined && optional === true) continue;
    if (there === undefined) return `${path} is missing`;
    if (there.version !== version || there.integrity !== integrity) return `${path} is another`;
  }
  const surplus = Object.keys(installed).find(
    (path) => wanted[path] === undefined && installed[path]?.extraneous !== true,
  );
  return surplus === undefined ? undefined : `${surplus} is not in the lock`;
}

/** @typedef {{ version?: string, integrity?: string, optional?: boolean,
 *   extraneous?: boolean }} LockedPackage */

/**
 * @param {string} file
 * @returns {Record<string, LockedPackage> | undefined}
 */
function packagesOf(file) {
  try {
    /** @type {unknown} */
    const json = JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
    const lock = /** @type {{ packages: Record<string, LockedPackage> }} */ (json);
    return lock.packages;
  } catch {
    return undefined;
  }
}
