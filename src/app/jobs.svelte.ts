import type { LeftBehind, Stage } from '../worker/api.ts';
import type { JobKind, JobProgress, RequestOf } from '../worker/client.ts';
import type { JobResults } from '../worker/api.ts';
import { announcer } from './announcer.svelte.ts';
import { engine } from './engine.svelte.ts';
import { tellOfEnd } from './notify.svelte.ts';
import type { Panel } from './open-image.svelte.ts';
import { settings } from './settings.svelte.ts';
import { roundSeconds } from './units.ts';
import { words } from './words.svelte.ts';

/** Nothing is said of the time left before there is something to judge by. */
const SILENT_MILLISECONDS = 2000;
const SILENT_SHARE = 0.02;

/** Work that takes longer is worth a word to who looks elsewhere. */
const LONG_MILLISECONDS = 30_000;
/** As long as the worker takes to forget how fast it was before. */
const RATE_MILLISECONDS = 4000;

/** What may stand still for a while: long, and nothing waits for it but the person. */
const PAUSABLE: readonly JobKind[] = [
  ...(['check', 'convert', 'checksum', 'compare', 'search', 'diagnose', 'compact'] as const),
];

/** Where the person was when work began: there its progress is shown. */
export interface JobPlace {
  /** {@link OpenImage.key} */
  image: number;
  panel: Panel;
}

/** One piece of work while it runs. */
export class RunningJob {
  readonly kind: JobKind;
  readonly place: JobPlace | undefined;
  /** The file or command that it works on. */
  readonly subject: string;
  readonly started = performance.now();
  stage = $state<Stage>();
  /** Bytes of work. */
  done = $state(0);
  total = $state(0);
  /** Bytes a second, 0 while unknown. */
  rate = $state(0);
  /** Milliseconds since the start, at the last word from the worker. */
  elapsed = $state(0);
  cancelling = $state(false);
  paused = $state(false);
  /** Seconds that its stages took, without pauses; whole once it has ended. */
  readonly stageSeconds: Partial<Record<Stage, number>> = {};
  #controls: JobControls | undefined;
  #said = 0;
  /** Milliseconds of all pauses, and when the last one began and ended. */
  #rested = 0;
  #pausedAt = 0;
  #resumed: { time: number; done: number } | undefined;
  readonly quiet: boolean;
  /** Bytes of the work that take time, where most of it is only passed over; else undefined. */
  readonly heavy: number | undefined;

  constructor(
    kind: JobKind,
    subject: string,
    { quiet = false, heavy }: JobOptions,
    place?: JobPlace,
  ) {
    this.kind = kind;
    this.subject = subject;
    this.quiet = quiet;
    this.heavy = heavy;
    this.place = place;
  }

  get canPause(): boolean {
    return PAUSABLE.includes(this.kind) && this.stage !== 'finishing';
  }

  /** Whether it takes so long that nobody sits and waits, as far as known by now. */
  isLong = $state(false);

  /** 0 to 1; undefined while the whole is unknown. */
  readonly share = $derived(this.total > 0 ? Math.min(1, this.done / this.total) : undefined);

  /** Seconds left, rounded so that the number does not twitch; undefined while unknown. */
  get secondsLeft(): number | undefined {
    const soon = this.elapsed < SILENT_MILLISECONDS || (this.share ?? 0) < SILENT_SHARE;
    if (this.paused) return undefined;
    // Where most is passed over, the rate of one part says nothing about the next.
    if (this.rate <= 0 || soon || this.heavy !== undefined) return undefined;
    return roundSeconds((this.total - this.done) / this.rate);
  }

  /** A short name: «Checking web-01.qcow2». */
  get label(): string {
    return words.image.progress.jobs[this.kind](this.subject);
  }

  /** Asks it to stop; it ends within about 0.1 s. */
  cancel(): void {
    this.cancelling = true;
    this.#controls?.cancel();
  }

  /** Lets it stand still. */
  pause(): void {
    if (this.paused || !this.canPause) return;
    this.paused = true;
    this.#pausedAt = performance.now();
    this.#controls?.pause();
    announcer.say(words.image.progress.wasPaused(this.label));
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    const time = performance.now();
    this.#rested += time - this.#pausedAt;
    this.#resumed = { time, done: this.done };
    this.rate = 0;
    this.#controls?.resume();
    announcer.say(words.image.progress.goesOn(this.label));
  }

  /** Gives the job the ways to steer it, also when that was asked for already. */
  steeredBy(controls: JobControls): void {
    this.#controls = controls;
    if (this.paused) controls.pause();
    if (this.cancelling) controls.cancel();
  }

  /** Takes over what the worker said. */
  hear(progress: JobProgress): void {
    const now = performance.now();
    this.#count(now);
    this.stage = progress.stage;
    this.done = progress.done;
    this.total = progress.total;
    this.rate = this.#rateNow(progress, now);
    if (this.elapsed + (this.secondsLeft ?? 0) * 1000 > LONG_MILLISECONDS) this.isLong = true;
    this.#sayQuarter();
  }

  /** Nothing more is heard of it. */
  end(): void {
    this.#count(performance.now());
  }

  /** The time up to now was spent in the stage that was heard of last. */
  #count(now: number): void {
    // What was on its way when the pause began does not count the pause itself.
    const elapsed = (this.paused ? this.#pausedAt : now) - this.started - this.#rested;
    const { stage } = this;
    if (stage !== undefined) {
      const before = this.stageSeconds[stage] ?? 0;
      this.stageSeconds[stage] = before + (elapsed - this.elapsed) / 1000;
    }
    this.elapsed = elapsed;
  }

  /** The worker takes the rate over seconds, of which a pause is a part that nothing was done in. */
  #rateNow({ done, rate }: JobProgress, now: number): number {
    if (this.#resumed === undefined) return rate;
    const since = now - this.#resumed.time;
    if (since > RATE_MILLISECONDS + 500) {
      this.#resumed = undefined;
      return rate;
    }
    // A new stage counts from its own beginning.
    if (done < this.#resumed.done) this.#resumed = { time: now, done };
    return since < 500 ? 0 : Math.max(0, ((done - this.#resumed.done) / since) * 1000);
  }

  /** Screen readers hear each quarter of long work, not each per cent. */
  #sayQuarter(): void {
    const quarter = Math.floor((this.share ?? 0) * 4);
    if (this.quiet || quarter <= this.#said || quarter === 4 || this.elapsed < 3000) return;
    this.#said = quarter;
    announcer.say(words.image.progress.reached(this.label, quarter * 25));
  }
}

type JobControls = Record<'cancel' | 'pause' | 'resume', () => void>;

/** What a caller wants of a job besides its result. */
export interface JobOptions {
  /** Started by the app itself: not announced. */
  quiet?: boolean;
  /** See {@link RunningJob.heavy}. */
  heavy?: number | undefined;
  output?: (stream: 'out' | 'err', text: string) => void;
  left?: (left: LeftBehind) => void;
  /** Receives the job as soon as it runs. */
  running?: (job: RunningJob | undefined) => void;
}

/**
 * All running work, and what the browser has to know of it: a guard against closing the tab, a
 * lock against being frozen, and the screen kept awake.
 */
class Jobs {
  running = $state.raw<RunningJob[]>([]);
  /** Where the person is; the list of images knows. */
  whereabouts: () => JobPlace | undefined = () => undefined;

  /** Whether a person is waiting for something: a reload would destroy it. */
  readonly busy = $derived(this.running.length > 0);

  /** Percent of the work that began first; undefined while nothing runs or nothing is known. */
  readonly percent = $derived.by(() => {
    const share = this.running[0]?.share;
    return share === undefined ? undefined : Math.floor(100 * share);
  });

  /** Runs a job to its end. @throws ImageError cancelled, worker-died, or what stopped the work */
  async run<Kind extends JobKind>(
    request: RequestOf<Kind> & { kind: Kind },
    subject: string,
    options: JobOptions = {},
  ): Promise<JobResults[Kind]> {
    const running = new RunningJob(request.kind, subject, options, this.whereabouts());
    this.#add(running);
    options.running?.(running);
    try {
      const result = await this.#follow<Kind>(request, running, options);
      if (options.quiet !== true) {
        announcer.say(words.image.progress.finished(running.label));
        tellOfEnd(words.image.progress.finished(running.label), running.isLong);
      }
      return result;
    } catch (error) {
      if (options.quiet !== true) sayEnd(running, error);
      throw error;
    } finally {
      running.end();
      this.#remove(running);
      options.running?.(undefined);
    }
  }

  async #follow<Kind extends JobKind>(
    request: RequestOf<Kind>,
    running: RunningJob,
    options: JobOptions,
  ): Promise<JobResults[Kind]> {
    const client = await engine.client();
    const job = client.start<Kind>(request, {
      progress: (progress) => running.hear(progress),
      output: options.output,
      left: options.left,
    });
    running.steeredBy(job);
    if (options.quiet !== true) announcer.say(words.image.progress.started(running.label));
    return await job.promise;
  }

  #add(job: RunningJob): void {
    this.running = [...this.running, job];
    if (this.running.length === 1) guard.hold();
  }

  #remove(job: RunningJob): void {
    this.running = this.running.filter((other) => other !== job);
    if (this.running.length === 0) guard.release();
  }
}

function sayEnd(job: RunningJob, error: unknown): void {
  const cancelled = error instanceof Error && 'code' in error && error.code === 'cancelled';
  if (cancelled) {
    announcer.say(words.image.progress.stopped(job.label));
    return;
  }
  announcer.warn(words.image.progress.failed(job.label));
  tellOfEnd(words.image.progress.failed(job.label), job.isLong);
}

/** What is held from the browser while work runs. Everything here may be refused, silently. */
class Guard {
  #lock: (() => void) | undefined;
  #wake: WakeLockSentinel | undefined;
  #holding = false;

  constructor() {
    // A hidden tab loses the wake lock; it is taken again when the person comes back.
    document.addEventListener('visibilitychange', () => {
      if (this.#holding && document.visibilityState === 'visible') void this.#stayAwake();
    });
  }

  hold(): void {
    this.#holding = true;
    addEventListener('beforeunload', askBeforeLeaving);
    // A tab that holds a lock is not frozen in the background.
    navigator.locks
      ?.request('work', { mode: 'shared' }, () => {
        return new Promise<void>((resolve) => {
          if (this.#holding) this.#lock = resolve;
          else resolve();
        });
      })
      .catch(() => undefined);
    void this.#stayAwake();
  }

  release(): void {
    this.#holding = false;
    removeEventListener('beforeunload', askBeforeLeaving);
    this.#lock?.();
    this.#lock = undefined;
    this.#wake?.release().catch(() => undefined);
    this.#wake = undefined;
  }

  async #stayAwake(): Promise<void> {
    try {
      const wake = await navigator.wakeLock.request('screen');
      if (this.#holding) this.#wake = wake;
      else await wake.release();
    } catch {
      // Not there, or the battery is low.
    }
  }
}

function askBeforeLeaving(event: BeforeUnloadEvent): void {
  if (!settings.askBeforeLeaving) return;
  event.preventDefault();
}

const guard = new Guard();
export const jobs = new Jobs();
