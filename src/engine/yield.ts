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
 */
export function yieldToEvents(): Promise<void> {
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

/**
 * For loops whose turns are much shorter than a time slice: the returned function answers
 * undefined (go on at once) until `slice` milliseconds have passed, then a promise to await.
 *
 *     const breathe = pacer();
 *     for (...) { work(); const pause = breathe(); if (pause !== undefined) await pause; }
 */
export function pacer(slice = 10): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < slice) return undefined;
    return yieldToEvents().then(() => {
      last = performance.now();
    });
  };
}
