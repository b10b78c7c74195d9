// QEMU's own regression tests, with our program in qemu-img's place:
//   node scripts/iotests.mjs <QEMU's source tree> [--format vmdk] [--only 002,tests/qemu-img-bitmaps]
//     [--jobs 2]
// Each test runs with the real qemu-img first; those that call a command that ours has, once more
// with ours for these commands. Not part of npm test: the source tree is not ours to have.
import './lib/node-version.mjs';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { DELIBERATE } from './iotests/deliberate.mjs';
import { ROOT, run, tool } from './lib/run.mjs';

/**
 * @typedef {object} Result of one test with one program
 * @property {'pass' | 'fail' | 'not run'} status
 * @property {string} output what it printed, '' where it passed
 * @property {string[]} calls of qemu-img: `ours` or `real` and the arguments
 */

/** @typedef {'not run' | 'unconcerned' | 'pass' | 'alike' | 'deliberate' | 'DIFFERS'} Verdict */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    /** The format that the tests are run for, by QEMU's name. */
    format: { type: 'string', default: 'qcow2' },
    jobs: { type: 'string', default: '1' },
    /** Commands that are left to the real program. */
    without: { type: 'string', default: '' },
    /** Folder for everything; kept. */
    work: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    /** Print what differs. */
    verbose: { type: 'boolean', default: false },
  },
});
const [source] = positionals;
if (source === undefined) {
  console.error('Usage: node scripts/iotests.mjs <path of a QEMU 7.2 source tree>');
  process.exit(2);
}
const work = path.resolve(values.work ?? fs.mkdtempSync(path.join(os.tmpdir(), 'iotests-')));
const folder = path.join(work, 'tests/qemu-iotests');

async function main() {
  await prepare();
  const tests = values.only?.split(',') ?? (await allTests());
  /** @type {Map<Verdict, string[]>} */
  const verdicts = new Map();
  const queue = [...tests];
  async function lane() {
    for (let test = queue.shift(); test !== undefined; test = queue.shift()) {
      const { verdict, line } = await judge(test);
      verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), test]);
      console.log(line);
    }
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, lane));
  console.log(`\nOf ${tests.length} tests (everything is kept in ${work}):`);
  for (const [verdict, names] of verdicts) {
    console.log(`${String(names.length).padStart(4)} ${EXPLAINED[verdict]}`);
  }
  return verdicts.has('DIFFERS') ? 1 : 0;
}

/** @type {Record<Verdict, string>} */
const EXPLAINED = {
  pass: 'pass with the real program and with ours',
  alike: 'miss their reference with the real program already; ours prints the same as it',
  deliberate: 'differ on purpose (scripts/iotests/deliberate.mjs)',
  DIFFERS: 'DIFFER',
  unconcerned: 'call no command that ours has',
  'not run': 'do not run here, or not twice the same with the real program',
};

/** Copies what the tests need and builds our program. */
async function prepare() {
  for (const part of ['tests/qemu-iotests', 'python', 'scripts/qapi', 'scripts/qemugdb']) {
    const from = path.join(source ?? '', part);
    if (fs.existsSync(from)) fs.cpSync(from, path.join(work, part), { recursive: true });
  }
  fs.mkdirSync(path.join(work, 'bin'), { recursive: true });
  fs.copyFileSync(path.join(ROOT, 'scripts/iotests/qemu-img.sh'), path.join(work, 'bin/qemu-img'));
  fs.copyFileSync(
    path.join(ROOT, 'scripts/iotests/emulator.sh'),
    path.join(work, 'bin/qemu-system-x86_64'),
  );
  const config = ['--config', 'vite.cli.config.ts', '--outDir', path.join(work, 'cli')];
  const built = await tool('vite/bin/vite.js', ['build', ...config]);
  if (built.code !== 0) throw new Error(built.output);
}

/** @param {string} name */
function find(name) {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return stdout.trim();
}

/**
 * @param {string} scratch
 * @param {boolean} ours
 * @returns {NodeJS.ProcessEnv}
 */
function environment(scratch, ours) {
  return {
    QEMU_PROG: path.join(work, 'bin/qemu-system-x86_64'),
    QEMU_IMG_PROG: path.join(work, 'bin/qemu-img'),
    QEMU_IO_PROG: find('qemu-io'),
    QEMU_NBD_PROG: find('qemu-nbd'),
    QSD_PROG: find('qemu-storage-daemon') || find('true'),
    TEST_DIR: scratch,
    // The path of a socket has room for a hundred characters only.
    SOCK_DIR: fs.mkdtempSync(path.join(os.tmpdir(), 'io')),
    IOTESTS_QEMU: find('qemu-system-x86_64'),
    IOTESTS_QEMU_IMG: find('qemu-img'),
    IOTESTS_NODE: process.execPath,
    IOTESTS_CLI: path.join(work, 'cli/qemu-img.mjs'),
    IOTESTS_OURS: ours ? 'yes' : 'no',
    IOTESTS_NOT_OURS: values.without.replaceAll(',', ' '),
    IOTESTS_LOG: path.join(scratch, 'calls'),
  };
}

/**
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function check(args, env) {
  const script = 'cd "$0" && format=$1 && shift && exec ./check -"$format" "$@"';
  return run('sh', ['-c', script, folder, values.format, ...args], {
    env,
    minutes: Number(values.minutes),
  });
}

async function allTests() {
  const { output } = await check(['-n'], environment(work, false));
  return output.split('\n').filter((line) => line !== '');
}

/**
 * Makes a folder new. False: something is mounted in it that an interrupted test left behind.
 * @param {string} scratch
 */
function clear(scratch) {
  try {
    fs.rmSync(scratch, { recursive: true, force: true });
  } catch {
    return false;
  }
  fs.mkdirSync(scratch, { recursive: true });
  return true;
}

/**
 * Runs a test once.
 * @param {string} test
 * @param {'real' | 'again' | 'ours' | 'ours-again'} name
 * @returns {Promise<Result>}
 */
async function runTest(test, name) {
  // The same path for both programs: it is part of what tests print.
  const scratch = path.join(work, 'scratch', path.basename(test));
  if (!clear(scratch)) return { status: 'not run', output: '', calls: [] };
  const env = environment(scratch, name.startsWith('ours'));
  const { output } = await check(['-tap', test], env);
  fs.rmSync(env['SOCK_DIR'] ?? '', { recursive: true, force: true });
  const status = /# SKIP/.test(output) ? 'not run' : /^ok /m.test(output) ? 'pass' : 'fail';
  const bad = path.join(scratch, `${path.basename(test)}.out.bad`);
  const log = env['IOTESTS_LOG'] ?? '';
  const result = /** @type {Result} */ ({
    status,
    output: status === 'fail' && fs.existsSync(bad) ? fs.readFileSync(bad, 'latin1') : '',
    calls: fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim().split('\n') : [],
  });
  const kept = path.join(work, 'results', path.basename(test));
  fs.mkdirSync(kept, { recursive: true });
  fs.writeFileSync(path.join(kept, `${name}.txt`), output);
  fs.writeFileSync(path.join(kept, `${name}.out`), result.output, 'latin1');
  fs.writeFileSync(path.join(kept, `${name}.calls`), result.calls.join('\n'));
  return result;
}

/**
 * @param {string} test
 * @returns {Promise<{ verdict: Verdict, line: string }>}
 */
async function judge(test) {
  /**
   * @param {Verdict} verdict
   * @param {string} [note]
   */
  const say = (verdict, note = '') => ({
    verdict,
    line: `${test.padEnd(36)} ${verdict.padEnd(12)} ${note}`.trimEnd(),
  });
  let real = await runTest(test, 'real');
  const called = commandsOf(real);
  if (real.status === 'not run') return say('not run');
  if (called.length === 0) return say('unconcerned');
  if (real.status === 'fail') {
    // What fails by itself, or prints another text each time, judges nobody.
    const again = await runTest(test, 'again');
    if (again.status === 'fail' && again.output !== real.output) return say('not run', 'unsteady');
    if (real.output === '') return say('not run', 'ends too late with the real program');
    real = again;
  }
  const commands = called.join(' ');
  let own = await runTest(test, 'ours');
  if (!alike(real, own)) own = await runTest(test, 'ours-again');
  if (alike(real, own)) return say(real.status === 'pass' ? 'pass' : 'alike', commands);
  const reason = DELIBERATE[path.basename(test)];
  if (reason !== undefined) return say('deliberate', `${commands}: ${reason}`);
  if (values.verbose) console.log(difference(test, real.status === 'pass'));
  return say('DIFFERS', commands);
}

/**
 * @param {Result} real
 * @param {Result} own
 */
function alike(real, own) {
  return own.status === real.status && own.output === real.output;
}

/**
 * The commands of ours that a test calls.
 * @param {Result} result
 */
function commandsOf({ calls }) {
  const names = calls.filter((call) => call.startsWith('ours ')).map((call) => call.split(' ')[1]);
  return [...new Set(names)];
}

/**
 * @param {string} test
 * @param {boolean} passes
 */
function difference(test, passes) {
  const kept = path.join(work, 'results', path.basename(test));
  const reference = passes ? path.join(folder, `${test}.out`) : path.join(kept, 'again.out');
  const args = ['-u', reference, path.join(kept, 'ours-again.out')];
  return spawnSync('diff', args, { encoding: 'latin1' }).stdout.slice(0, 4000);
}

process.exitCode = await main();
