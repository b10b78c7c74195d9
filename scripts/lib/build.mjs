import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, tool } from './run.mjs';

/** Everything the build reads. */
const SOURCES = [
  'src',
  'public',
  'scripts/lib',
  'index.html',
  'package.json',
  'package-lock.json',
  'svelte.config.js',
  'tsconfig.json',
  'vite.config.ts',
  'vite.cli.config.ts',
];

/** Says what the results were built from. */
const STAMP = join(ROOT, 'dist/.built-from');
const RESULTS = ['dist/app/index.html', 'dist/app/sw.js', 'dist/cli/qemu-img.mjs'];

/**
 * Builds the app (dist/app) and the command line (dist/cli).
 * @returns {Promise<import('./run.mjs').Outcome>}
 */
export async function build() {
  const hash = hashOfSources();
  const app = await tool('vite/bin/vite.js', ['build']);
  if (app.code !== 0) return app;
  const cli = await tool('vite/bin/vite.js', ['build', '--config', 'vite.cli.config.ts']);
  if (cli.code === 0) writeFileSync(STAMP, hash);
  return { code: cli.code, output: app.output + cli.output };
}

/** Builds when there is no build of exactly these sources. */
export async function buildIfNeeded() {
  const built = RESULTS.every((file) => existsSync(join(ROOT, file))) && existsSync(STAMP);
  if (built && readFileSync(STAMP, 'utf8') === hashOfSources()) return;
  console.log('Building …');
  const { code, output } = await build();
  if (code === 0) return;
  throw new Error(`${output}\nThe build failed.`);
}

function hashOfSources() {
  const hash = createHash('sha256');
  for (const path of SOURCES) addToHash(hash, path);
  return hash.digest('hex');
}

/**
 * @param {import('node:crypto').Hash} hash
 * @param {string} path
 */
function addToHash(hash, path) {
  const full = join(ROOT, path);
  if (statSync(full).isDirectory()) {
    for (const name of readdirSync(full).sort()) addToHash(hash, `${path}/${name}`);
  } else {
    hash.update(path).update('\0').update(readFileSync(full)).update('\0');
  }
}
