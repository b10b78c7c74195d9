/**
 * Letting other events in. An `await` of something already settled does not: only a new task does,
 * and until one runs, a worker hears neither a cancel nor a new request.
 */

/**
 * Node's own way: every turn of it lets timers, input and signals in. A port's messages would be
 * worked through there by the thousand before anything else had its turn.
 */
const { setImmediate: nextTurn } = globalThis as { setImmediate?: (call: () => void) => void };

const waiting: (() => void)[] = [];
let sender: MessagePort | undefined;

function openChannel(): MessagePort {
  const channel = new MessageChannel();
  channel.port2.onmessage = () => waiting.shift()?.();
  return channel.port1;
}

/**
 * Settles in a later task, after the events that wait already. About 10 µs, where setTimeout(0)
 * would cost 4 ms once it is nested.
 * @param signal of the work: while that is held, it stands still here
 */
export function yieldToEvents(signal?: AbortSignal): Promise<void> {
  return signal === undefined ? nextTask() : nextTask().then(() => heldWork(signal));
}

function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    if (nextTurn !== undefined) {
      nextTurn(resolve);
      return;
    }
    sender ??= openChannel();
    waiting.push(resolve);
    sender.postMessage(0);
  });
}

/** What work that stands still waits for, by the signal that would cancel it. */
const held = new WeakMap<AbortSignal, { wait: Promise<void>; go: () => void }>();

/** Lets the work with this signal stand still at its next pause. Cancelling it lets it go on. */
export function holdWork(signal: AbortSignal): void {
  if (held.has(signal) || signal.aborted) return;
  let go: () => void = () => undefined;
  const wait = new Promise<void>((resolve) => {
    go = resolve;
  });
  held.set(signal, { wait, go });
  signal.addEventListener('abort', () => releaseWork(signal), { once: true });
}

/** Lets it go on. */
export function releaseWork(signal: AbortSignal): void {
  held.get(signal)?.go();
  held.delete(signal);
}

/** What work with this signal has to wait for now; undefined: nothing. */
export function heldWork(signal: AbortSignal | undefined): Promise<void> | undefined {
  return signal && held.get(signal)?.wait;
}

/**
 * For loops whose turns are much shorter than a time slice: the returned function answers
 * undefined (go on at once) until `slice` milliseconds have passed, then a promise to await.
 *
 *     const breathe = pacer();
 *     for (...) { work(); const pause = breathe(); if (pause !== undefined) await pause; }
 */
export function pacer(signal?: AbortSignal, slice = 10): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    const isHeld = heldWork(signal) !== undefined;
    if (!isHeld && performance.now() - last < slice) return undefined;
    return yieldToEvents(signal).then(() => {
      last = performance.now();
    });
  };
}
