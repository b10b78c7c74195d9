import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, buildIfNeeded } from './build.mjs';
import { ROOT, run, tool } from './run.mjs';

/**
 * @typedef {{ passed: number, failed: number, skipped: number, details: string }} StepResult
 * @typedef {{ browser: boolean }} Have what the set-up found or got
 * @typedef {object} Step
 * @property {string} name for --only
 * @property {string} title
 * @property {('browser' | 'qemu-img')[]} needs
 * @property {(have: Have) => Promise<StepResult>} run
 * @property {true} [light] takes one core, and nothing in it depends on how long it takes
 */

const RESULTS = 'test-results';
/** CI: no test marked «only», no snapshot written by the way. */
const ENV = { CI: '1', NO_COLOR: '1', FORCE_COLOR: '0' };

/** @type {Step[]} */
export const STEPS = [
  {
    name: 'format',
    title: 'Format (prettier)',
    needs: [],
    light: true,
    run: () => one('prettier/bin/prettier.cjs', ['--check', '--log-level', 'warn', '.']),
  },
  {
    name: 'lint',
    title: 'Lint, import directions (eslint)',
    needs: [],
    light: true,
    run: () => one('eslint/bin/eslint.js', ['--max-warnings', '0', '.']),
  },
  {
    name: 'tsc',
    title: 'Types (tsc)',
    needs: [],
    light: true,
    run: () => one('typescript/bin/tsc', ['-p', '.']),
  },
  {
    name: 'svelte-check',
    title: 'Types, components (svelte-check)',
    needs: [],
    light: true,
    run: () =>
      one('svelte-check/bin/svelte-check', [
        ...['--tsconfig', './tsconfig.json', '--fail-on-warnings', '--output', 'human'],
      ]),
  },
  {
    name: 'build',
    title: 'Build (vite)',
    needs: [],
    light: true,
    run: async () => asOne(await build()),
  },
  { name: 'unit', title: 'Unit tests', needs: [], run: () => vitest('unit') },
  { name: 'golden', title: 'Golden tests against qemu-img', needs: ['qemu-img'], run: golden },
  { name: 'crash', title: 'Crashes in the middle of changes', needs: [], run: crash },
  {
    name: 'browser',
    title: 'Browser tests',
    needs: ['browser'],
    run: (have) => withBrowser(have, () => vitest('browser')),
  },
  {
    name: 'e2e',
    title: 'End-to-end tests',
    needs: ['browser'],
    run: (have) => withBrowser(have, playwright),
  },
  {
    name: 'size',
    title: 'Size budget',
    needs: [],
    run: async () => {
      await buildIfNeeded();
      return vitest('size');
    },
  },
  {
    name: 'bench',
    title: 'Bench, small: what it makes, not how fast',
    needs: ['browser', 'qemu-img'],
    run: (have) => withBrowser(have, bench),
  },
];

/** What the bench does that a test can judge: how fast a machine is, it cannot. */
const BENCH_PARTS = 'check,map,plain,scattered,unpack,pack,luks,compare,checksum,scan';

/**
 * A step that passes or fails as a whole.
 * @param {string} script
 * @param {string[]} args
 */
async function one(script, args) {
  return asOne(await tool(script, args, { env: ENV }));
}

/**
 * @param {import('./run.mjs').Outcome} outcome
 * @returns {StepResult}
 */
function asOne({ code, output }) {
  return code === 0
    ? { passed: 1, failed: 0, skipped: 0, details: output }
    : failure(`${output}\n(exit code ${code})`);
}

/**
 * @param {string} details
 * @returns {StepResult}
 */
function failure(details) {
  return { passed: 0, failed: 1, skipped: 0, details };
}

/**
 * @param {Have} have
 * @param {() => Promise<StepResult>} work
 */
async function withBrowser(have, work) {
  return have.browser
    ? work()
    : failure('There is no Chromium and none could be installed. $CHROMIUM can name one.');
}

/**
 * The tests skip themselves where there is no qemu-img that they know how to compare with.
 * @returns {Promise<StepResult>}
 */
async function golden() {
  await buildIfNeeded();
  const result = await vitest('golden', { maySkipAll: true });
  if (result.passed + result.failed === 0) {
    console.log(
      [
        '*** NOTHING WAS COMPARED WITH QEMU-IMG: it is not here, or is another than 7.2, and could',
        '*** not be installed. The golden tests are skipped. Debian’s package is called qemu-utils.',
      ].join('\n'),
    );
  }
  return result;
}

/**
 * Every row's work is done once; each result of the app is compared with its source by the real
 * qemu-img, without which there is no bench.
 * @returns {Promise<StepResult>}
 */
async function bench() {
  const args = ['scripts/bench.mjs', '--quick', '--only', BENCH_PARTS];
  const outcome = await run(process.execPath, args, { env: ENV, minutes: 10 });
  const counts = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(outcome.output);
  if (counts === null) return failure(outcome.output);
  const [passed, failed, skipped] = counts.slice(1).map(Number);
  return judged(outcome, { passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0 });
}

/** The program that is killed has to be built. */
async function crash() {
  await buildIfNeeded();
  return vitest('crash');
}

/**
 * @typedef {object} VitestReport
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ status: string, assertionResults: unknown[] }[]} testResults one a file
 */

/**
 * @param {string} project
 * @param {{ maySkipAll?: boolean }} [options]
 * @returns {Promise<StepResult>}
 */
async function vitest(project, options) {
  const report = reportFile(`${project}.json`);
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json'];
  const outcome = await tool('vitest/vitest.mjs', [...args, `--outputFile.json=${report}`], {
    env: ENV,
    minutes: 20,
  });
  const json = /** @type {VitestReport | undefined} */ (readJson(report));
  if (json === undefined) return failure(outcome.output);
  // A file that could not be loaded has no tests that could have failed.
  const broken = json.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const counts = {
    passed: json.numPassedTests,
    failed: json.numFailedTests + broken,
    skipped: json.numPendingTests + json.numTodoTests,
  };
  return judged(outcome, counts, options);
}

/** @typedef {{ stats: Record<'expected' | 'unexpected' | 'flaky' | 'skipped', number> }} PlaywrightReport */

/** @returns {Promise<StepResult>} */
async function playwright() {
  await buildIfNeeded();
  const report = reportFile('e2e.json');
  const outcome = await tool(
    '@playwright/test/cli.js',
    ['test', '--config', 'test', '--reporter=list,json'],
    { env: { ...ENV, PLAYWRIGHT_JSON_OUTPUT_FILE: report }, minutes: 30 },
  );
  const json = /** @type {PlaywrightReport | undefined} */ (readJson(report));
  if (json === undefined) return failure(outcome.output);
  const { expected, unexpected, flaky, skipped } = json.stats;
  return judged(outcome, { passed: expected, failed: unexpected + flaky, skipped });
}

/**
 * The counts of a runner, distrusted: nothing executed is a failure, and so is a runner that
 * complains although no test failed.
 * @param {import('./run.mjs').Outcome} outcome
 * @param {{ passed: number, failed: number, skipped: number }} counts
 * @param {{ maySkipAll?: boolean }} [options] `maySkipAll`: skipping every test is no failure
 * @returns {StepResult}
 */
export function judged({ code, output }, counts, { maySkipAll = false } = {}) {
  if (counts.failed > 0) return { ...counts, details: output };
  if (code !== 0) {
    return { ...counts, failed: 1, details: `${output}\n(the runner ended with ${code})` };
  }
  if (counts.passed === 0 && !(maySkipAll && counts.skipped > 0)) {
    return { ...counts, failed: 1, details: `${output}\n(no test was executed)` };
  }
  return { ...counts, details: output };
}

/**
 * An absolute path for a report that does not exist yet.
 * @param {string} name
 */
function reportFile(name) {
  mkdirSync(join(ROOT, RESULTS), { recursive: true });
  const file = join(ROOT, RESULTS, name);
  rmSync(file, { force: true });
  return file;
}

/**
 * @param {string} file
 * @returns {unknown} undefined when there is no such file, or it is cut off
 */
function readJson(file) {
  try {
    return /** @type {unknown} */ (JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
