// npm test: sets up what is missing, runs every step, ends with `N passed, N failed, N skipped`.
//   npm test -- --only unit,golden   runs some of the steps
import './lib/node-version.mjs';
import { parseArgs } from 'node:util';
import { ensureDependencies } from './lib/dependencies.mjs';
import { ensureBrowser, ensureQemuImg } from './lib/test-setup.mjs';
import { STEPS } from './lib/test-steps.mjs';

/** @typedef {import('./lib/test-steps.mjs').StepResult} StepResult */
/** @typedef {import('./lib/test-steps.mjs').Step} Step */

const steps = chosenSteps();
const totals = { passed: 0, failed: 0, skipped: 0 };
try {
  await ensureDependencies();
  if (steps.some((step) => step.needs.includes('qemu-img'))) await ensureQemuImg();
  const browser = steps.some((step) => step.needs.includes('browser')) && (await ensureBrowser());
  const have = { browser };
  // What takes one core and no particular time goes first, two at a time; the rest has the machine.
  await together(steps, have);
  for (const step of steps.filter(({ light }) => light !== true)) await execute(step, have);
} catch (error) {
  console.log(error instanceof Error ? (error.stack ?? error.message) : error);
  totals.failed++;
}
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 ? 1 : 0;

function chosenSteps() {
  const { values } = parseArgs({ options: { only: { type: 'string' } } });
  if (values.only === undefined) return STEPS;
  const names = values.only.split(',');
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`Unknown: ${unknown.join(', ')}. Steps: ${STEPS.map((s) => s.name).join(', ')}.`);
    process.exit(2);
  }
  return STEPS.filter((step) => names.includes(step.name));
}

/**
 * Two rows of light steps: whichever row is ready takes the next one.
 * @param {Step[]} all
 * @param {{ browser: boolean }} have
 */
function together(all, have) {
  const waiting = all.filter(({ light }) => light === true);
  const row = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      await execute(step, have);
    }
  };
  return Promise.all([row(), row()]);
}

/**
 * @param {Step} step
 * @param {{ browser: boolean }} have
 */
async function execute(step, have) {
  add(step.title, await timed(() => step.run(have)));
}

/**
 * A step that throws has failed, and does not keep the others from running.
 * @param {() => Promise<StepResult>} work
 */
async function timed(work) {
  const start = performance.now();
  const result = await work().catch((/** @type {unknown} */ error) => ({
    passed: 0,
    failed: 1,
    skipped: 0,
    details: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }));
  return { ...result, seconds: (performance.now() - start) / 1000 };
}

/**
 * Prints what a step came to, its details first when something is wrong.
 * @param {string} title
 * @param {StepResult & { seconds: number }} result
 */
function add(title, { passed, failed, skipped, details, seconds }) {
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
  if (failed > 0) console.log(`\n${'─'.repeat(20)} ${title}\n${details.trim()}\n${'─'.repeat(20)}`);
  const mark = failed > 0 ? 'FAIL' : passed > 0 ? 'ok' : 'skip';
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  console.log(
    `${mark.padEnd(5)} ${title.padEnd(34)} ${seconds.toFixed(1).padStart(6)} s   ${counts}`,
  );
}
