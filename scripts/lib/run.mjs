import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const WINDOWS = process.platform === 'win32';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/**
 * @typedef {object} Outcome
 * @property {number} code exit code; 1 when the program died or could not be started
 * @property {string} output what it printed, both streams in the order of arrival
 */

/**
 * Runs a program in the project's folder and keeps what it prints.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, minutes?: number, show?: boolean }} [options] `show` prints
 *   at once; after `minutes` the program and all that it started are ended
 * @returns {Promise<Outcome>}
 */
export function run(command, args, { env = {}, minutes = 10, show = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group, so that browsers and servers it started can be ended with it.
      detached: !WINDOWS,
      shell: WINDOWS,
    });
    running.add(child);
    let output = '';
    /** @param {Buffer} bytes */
    function keep(bytes) {
      output += bytes.toString();
      if (show) process.stdout.write(bytes);
    }
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const limit = setTimeout(() => {
      output += `\nEnded: not finished after ${minutes} minutes.\n`;
      endGroup(child);
    }, minutes * 60_000);
    /** @param {number} code */
    function finish(code) {
      clearTimeout(limit);
      running.delete(child);
      resolve({ code, output });
    }
    child.on('error', (error) => {
      output += `${command}: ${error.message}\n`;
      finish(1);
    });
    child.on('close', (code, signal) => {
      if (signal !== null) output += `\n${command} was ended by ${signal}.\n`;
      finish(code ?? 1);
    });
  });
}

/** @param {import('node:child_process').ChildProcess} child */
function endGroup(child) {
  if (child.pid === undefined) return;
  try {
    if (WINDOWS) child.kill();
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It was gone already.
  }
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(130);
  });
}

/**
 * Runs npm, the one that started this script if any.
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 * @returns {Promise<Outcome>}
 */
export function npm(args, options) {
  const script = process.env['npm_execpath'];
  return script !== undefined && /npm-cli\.[cm]?js$/.test(script)
    ? run(process.execPath, [script, ...args], options)
    : run('npm', args, options);
}

/**
 * Runs a program of node_modules with this Node.
 * @param {string} script its path inside node_modules
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 * @returns {Promise<Outcome>}
 */
export function tool(script, args, options) {
  return run(process.execPath, [`node_modules/${script}`, ...args], options);
}

/**
 * Whether `command` can be started.
 * @param {string} command
 * @param {string[]} args harmless ones, such as --version
 */
export function answers(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
