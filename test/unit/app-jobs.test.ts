import { afterEach, beforeAll, expect, it, vi } from 'vitest';

vi.hoisted(() => {
  vi.stubGlobal('navigator', { languages: ['en'] });
  vi.stubGlobal('document', {
    documentElement: { dataset: {} },
    addEventListener: () => undefined,
  });
});

const { RunningJob } = await import('../../src/app/jobs.svelte.ts');
const { words } = await import('../../src/app/words.svelte.ts');

beforeAll(async () => {
  await words.use('en');
  await words.loadImage();
});

afterEach(() => vi.useRealTimers());

const MB = 1e6;

it('the rate and the time left are right again after a pause', () => {
  vi.useFakeTimers();
  const job = new RunningJob('checksum', 'disk.raw', {});
  const steered: string[] = [];
  job.steeredBy({
    cancel: () => steered.push('cancel'),
    pause: () => steered.push('pause'),
    resume: () => steered.push('resume'),
  });
  const hear = (done: number, rate: number) =>
    job.hear({ stage: 'digesting', done: done * MB, total: 1000 * MB, rate: rate * MB });
  vi.advanceTimersByTime(4000);
  hear(400, 100);
  expect(job.secondsLeft).toBe(6);

  job.pause();
  expect(job.secondsLeft).toBeUndefined();
  vi.advanceTimersByTime(60_000);
  job.resume();
  expect(steered).toEqual(['pause', 'resume']);
  vi.advanceTimersByTime(1000);
  // What the worker says has the pause in it.
  hear(500, 1.5);
  expect(job.rate).toBe(100 * MB);
  expect(job.secondsLeft).toBe(5);
  expect(job.elapsed).toBe(5000);
  expect(job.isLong).toBe(false);

  vi.advanceTimersByTime(4000);
  hear(800, 90);
  expect(job.rate).toBe(90 * MB);
});

it('what was paused before it began is steered once it does', () => {
  const job = new RunningJob('check', 'disk.qcow2', {});
  job.pause();
  job.cancel();
  const steered: string[] = [];
  job.steeredBy({
    cancel: () => steered.push('cancel'),
    pause: () => steered.push('pause'),
    resume: () => steered.push('resume'),
  });
  expect(steered).toEqual(['pause', 'cancel']);
});

it('work that changes files does not stand still', () => {
  expect(new RunningJob('save', 'disk.qcow2', {}).canPause).toBe(false);
});
