import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JobEvent } from '../../src/worker/api.ts';
import { Meter } from '../../src/worker/meter.ts';
import { Output } from '../../src/worker/output.ts';

describe('meter', () => {
  let now = 0;
  let sent: Extract<JobEvent, { type: 'progress' }>[] = [];
  let meter: Meter;

  beforeEach(() => {
    now = 1000;
    sent = [];
    meter = new Meter(
      (event) => {
        if (event.type === 'progress') sent.push(event);
      },
      () => now,
    );
  });

  it('sends about ten events a second, however many come', () => {
    for (let step = 0; step < 2000; step++, now++) {
      meter.report({ stage: 'copying', done: step, total: 1e6 });
    }
    expect(sent.length).toBe(20);
  });

  it('always sends the first of a stage and the end', () => {
    meter.report({ stage: 'copying', done: 0, total: 10 });
    meter.report({ stage: 'copying', done: 5, total: 10 });
    meter.report({ stage: 'copying', done: 10, total: 10 });
    meter.report({ stage: 'verifying', done: 0, total: 10 });
    expect(sent.map(({ stage, done }) => [stage, done])).toEqual([
      ['copying', 0],
      ['copying', 10],
      ['verifying', 0],
    ]);
  });

  it('knows no rate at first, and then that of the last seconds', () => {
    let done = 0;
    meter.report({ stage: 'copying', done, total: 1e12 });
    expect(sent.at(-1)?.rate).toBe(0);
    for (let step = 0; step < 100; step++) {
      now += 100;
      // 1 MB/s for five seconds, then 10 MB/s.
      done += step < 50 ? 1e5 : 1e6;
      meter.report({ stage: 'copying', done, total: 1e12 });
      if (step === 40) expect(sent.at(-1)?.rate).toBeCloseTo(1e6, -3);
    }
    expect(sent.at(-1)?.rate).toBeCloseTo(1e7, -3);
  });
});

describe('output', () => {
  let sent: [string, string][] = [];
  let output: Output;

  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    output = new Output((event) => {
      if (event.type === 'output') sent.push([event.stream, event.text]);
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('joins what comes together', () => {
    output.write('out', 'a');
    output.write('out', 'b\n');
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(sent).toEqual([['out', 'ab\n']]);
  });

  it('keeps the order between the streams', () => {
    output.write('out', '1');
    output.write('err', '2');
    output.write('out', '3');
    output.flush();
    expect(sent).toEqual([
      ['out', '1'],
      ['err', '2'],
      ['out', '3'],
    ]);
    vi.advanceTimersByTime(100);
    expect(sent.length).toBe(3);
  });

  it('does not gather without end', () => {
    for (let line = 0; line < 1000; line++) output.write('out', 'x'.repeat(100));
    expect(sent.length).toBe(3);
    output.flush();
    expect(sent.map(([, text]) => text).join('').length).toBe(100_000);
  });
});
