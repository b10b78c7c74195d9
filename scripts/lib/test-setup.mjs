import { existsSync } from 'node:fs';
import { findChromium } from './chromium.mjs';
import { answers, run, tool } from './run.mjs';

/** @type {boolean} */
let listsAreFresh = false;

/**
 * Finds a browser or gets one: Debian's package where it can be installed, else Playwright's.
 * @returns {Promise<boolean>} whether there is one
 */
export async function ensureBrowser() {
  if ((await findChromium()) !== undefined) return true;
  console.log('No browser found.');
  if (!(await installPackage('chromium'))) {
    console.log('Downloading Chromium with Playwright …');
    await tool('@playwright/test/cli.js', ['install', 'chromium'], { show: true });
  }
  return (await findChromium()) !== undefined;
}

/**
 * Finds qemu-img or gets it from Debian's packages.
 * @returns {Promise<boolean>} whether there is one
 */
export async function ensureQemuImg() {
  const there = () => answers('qemu-img', ['--version']);
  if (there()) return true;
  await installPackage('qemu-utils');
  return there();
}

/**
 * Installs a Debian package, where this is Debian and we may.
 * @param {string} name
 * @returns {Promise<boolean>} whether that worked
 */
async function installPackage(name) {
  const prefix = rootPrefix();
  if (prefix === undefined) return false;
  console.log(`Installing Debian’s package ${name} …`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  if (!listsAreFresh) {
    await apt(prefix, ['update'], env);
    listsAreFresh = true;
  }
  const { code, output } = await apt(
    prefix,
    ['install', '-y', '--no-install-recommends', name],
    env,
  );
  if (code !== 0) console.log(output);
  return code === 0;
}

/**
 * @param {string[]} prefix
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function apt(prefix, args, env) {
  const [command = 'apt-get', ...rest] = [...prefix, 'apt-get', ...args];
  return run(command, rest, { env });
}

/** How to become root without a question: [] or sudo; undefined when that is not possible. */
function rootPrefix() {
  if (!existsSync('/etc/debian_version') || !answers('apt-get', ['--version'])) return undefined;
  if (process.getuid?.() === 0) return [];
  return answers('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined;
}
