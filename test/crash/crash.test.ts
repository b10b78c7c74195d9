/**
 * Crashes in the middle of every command that changes an image: after the next opening, all layers
 * are the old ones or all are the new ones, and the check finds leaks at most.
 *
 *     CRASH=all   cuts that `npm test` chooses from, all of them
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { available, qemuImg } from '../golden/programs.ts';
import { crashes, generator, Medium, type Files } from './medium.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';
import { damageOf, layersOf, World, type Care } from './world.ts';

const EVERYTHING = process.env['CRASH'] === 'all';
/** States for each place with a random choice of what was not flushed. */
const RANDOM = 12;
/** Recoveries of one command that are cut themselves. */
const CUT_RECOVERIES = EVERYTHING ? 40 : 6;
/** States of one command that the real program looks at. */
const REAL_CHECKS = EVERYTHING ? 40 : 6;

const folder = mkdtempSync(join(tmpdir(), 'crash-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let cuts = 0;

describe('a crash in the middle of', () => {
  for (const [index, scenario] of SCENARIOS.entries()) {
    it(scenario.name, { timeout: EVERYTHING ? 3_600_000 : 120_000 }, async () => {
      const before = cuts;
      await tryAll(scenario, index + 1);
      // A command that does nothing has nothing to be cut.
      expect(cuts - before).toBeGreaterThan(50);
    });
  }

  it('was tried several thousand times', () => {
    expect(cuts).toBeGreaterThan(3000);
  });
});

describe('a crash would be noticed to do harm', () => {
  const [scenario] = SCENARIOS.filter(({ name }) => name === 'snapshot -d one disk');
  for (const care of ['no journal', 'journal not flushed', 'file not flushed'] as const) {
    it(`with ${care}`, async () => {
      if (scenario === undefined) throw new Error('no such command');
      await expect(tryAll(scenario, 1, care)).rejects.toThrow();
    });
  }
});

async function tryAll(scenario: Scenario, seed: number, care: Care = 'full'): Promise<void> {
  const start = new World(new Medium(), care);
  await scenario.prepare(start);
  const old = start.medium.snapshot();
  const judge = new Judge(scenario);
  judge.allow(await judge.views(old));
  judge.allowBytes(old);
  const steps = start.medium.record();
  await scenario.run(start);
  start.medium.steps = undefined;
  const done = start.medium.snapshot();
  judge.allow(await judge.views(done));
  judge.allowBytes(done);
  expect(judge.allowed, 'the command has changed something').toBeGreaterThan(scenario.same ? 0 : 1);
  expect([...done.keys()].filter((name) => name.endsWith('.journal'))).toEqual([]);

  const random = generator(seed);
  const states = [...crashes(old, steps, { seed, random: RANDOM, everything: EVERYTHING })];
  const recoveries = sample(states, CUT_RECOVERIES, random);
  const checked = sample(states, REAL_CHECKS, random);
  for (const crash of states) {
    const where = `${scenario.name}, step ${crash.at} of ${steps.length}, ${crash.how}`;
    cuts++;
    const recovered = await judge.recovered(crash.files, where);
    if (checked.has(crash) && available) await judge.real(recovered, where);
    if (recoveries.has(crash)) await cutAgain(judge, crash.files, recovered, random, where);
  }
}

/** Cuts the recovery itself: what is recovered afterwards must be the very same. */
async function cutAgain(
  judge: Judge,
  files: Files,
  expected: Files,
  random: () => number,
  where: string,
): Promise<void> {
  const medium = new Medium(files);
  const steps = medium.record();
  await judge.reopen(new World(medium));
  const seed = Math.floor(random() * 2 ** 32);
  const all = [...crashes(files, steps, { seed, random: 3, everything: false })];
  for (const { files: cut, at, how } of sample(all, 12, random)) {
    cuts++;
    const again = await judge.recovered(cut, `${where}; recovery, step ${at}, ${how}`);
    for (const name of judge.names) {
      expect(hashOf(again.get(name)), `${where}; recovery, step ${at}, ${how}`).toBe(
        hashOf(expected.get(name)),
      );
    }
  }
}

/** Knows what the images may hold. */
class Judge {
  readonly names: readonly string[];
  readonly #isDamaged: boolean;
  /** Each file before and after. */
  readonly #whole = new Map<string, Uint8Array[]>();
  readonly #groups: readonly (readonly string[])[];
  /** For each file: what its layers may be. */
  readonly #allowed = new Map<string, Set<string>>();
  /** States that were looked at, by all their bytes. */
  readonly #known = new Set<string>();

  constructor({ files, together = [], damaged = false }: Scenario) {
    this.#isDamaged = damaged;
    this.names = files;
    this.#groups = together;
  }

  get allowed(): number {
    return Math.max(...[...this.#allowed.values()].map(({ size }) => size));
  }

  /** What the layers of each file are. */
  async views(files: Files): Promise<Map<string, string>> {
    const world = new World(new Medium(files));
    const views = new Map<string, string>();
    for (const name of this.names) views.set(name, await layersOf(world, name));
    for (const group of this.#groups) {
      views.set(group.join('+'), group.map((name) => views.get(name)).join(' | '));
    }
    return views;
  }

  allow(views: ReadonlyMap<string, string>): void {
    for (const [name, view] of views) {
      const set = this.#allowed.get(name) ?? new Set();
      this.#allowed.set(name, set.add(view));
    }
  }

  /** Not a byte may be another, but behind the end of the old file, where new clusters are. */
  allowBytes(files: Files): void {
    for (const name of this.names) {
      const bytes = files.get(name) ?? new Uint8Array(0);
      this.#whole.set(name, [...(this.#whole.get(name) ?? []), bytes]);
    }
  }

  #isWhole(name: string, now: Uint8Array): boolean {
    const [old, done] = this.#whole.get(name) ?? [];
    if (old === undefined || done === undefined) return false;
    return isEqual(now, done) || isEqual(now.subarray(0, old.length), old);
  }

  /** Opens every file as a command would. */
  async reopen(world: World): Promise<void> {
    for (const name of this.names) await world.recover(name);
  }

  /** Recovers, and looks at what is there then. */
  async recovered(files: Files, where: string): Promise<Files> {
    const world = new World(new Medium(files));
    await this.reopen(world);
    const after = world.medium.snapshot();
    for (const name of this.names) {
      expect(world.medium.has(`${name}.journal`), where).toBe(false);
    }
    for (const name of this.names) {
      const isWhole = this.#isWhole(name, after.get(name) ?? new Uint8Array(0));
      expect(isWhole, `${where}: ${name} is neither the old file nor the new`).toBe(true);
    }
    const key = this.names.map((name) => hashOf(after.get(name))).join();
    if (this.#known.has(key)) return after;
    for (const [name, view] of await this.views(after)) {
      const allowed = this.#allowed.get(name) ?? new Set();
      expect(
        allowed.has(view),
        `${where}: ${name} is ${view}, not ${[...allowed].join(' or ')}`,
      ).toBe(true);
    }
    for (const name of this.#isDamaged ? [] : this.names) {
      expect(await damageOf(world, name), where).toBe(undefined);
    }
    this.#known.add(key);
    return after;
  }

  /** Has the real program look at it. */
  async real(files: Files, where: string): Promise<void> {
    for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
    for (const name of this.names) {
      if (name.endsWith('.raw') || this.#isDamaged) continue;
      const { exitCode, stdout, stderr } = await qemuImg([
        'check',
        '-f',
        'qcow2',
        join(folder, name),
      ]);
      expect([0, 3], `${where}: ${stdout}${stderr}`).toContain(exitCode);
    }
  }
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function hashOf(bytes: Uint8Array | undefined): string {
  return createHash('sha1')
    .update(bytes ?? 'none')
    .digest('hex');
}

function sample<T>(list: readonly T[], count: number, random: () => number): Set<T> {
  const chosen = new Set<T>();
  for (let turn = 0; turn < count && list.length > 0; turn++) {
    const one = list[Math.floor(random() * list.length)];
    if (one !== undefined) chosen.add(one);
  }
  return chosen;
}
