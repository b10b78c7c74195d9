/** Sees the memory for bytes that is asked for, by whoever asks: typed arrays that are made new. */

const KINDS = [
  ...['Uint8Array', 'Uint16Array', 'Uint32Array', 'Float64Array', 'ArrayBuffer', 'BigUint64Array'],
] as const;

export interface Allocations {
  start(): void;
  stop(): void;
  reset(): void;
  /** Bytes of the largest array since the last reset. */
  readonly largest: number;
  /** Bytes of all of them. */
  readonly total: number;
}

/** Stands in front of the constructors of typed arrays. */
export function watchAllocations(): Allocations {
  const globals = globalThis as unknown as Record<string, new (...args: unknown[]) => unknown>;
  const originals = new Map(KINDS.map((name) => [name, globals[name]!]));
  let largest = 0;
  let total = 0;
  const note = (name: (typeof KINDS)[number], size: unknown) => {
    if (typeof size !== 'number') return;
    const width =
      name === 'ArrayBuffer'
        ? 1
        : (originals.get(name) as unknown as Uint8ArrayConstructor).BYTES_PER_ELEMENT;
    largest = Math.max(largest, size * width);
    total += size * width;
  };
  return {
    start() {
      for (const [name, original] of originals) {
        globals[name] = new Proxy(original, {
          construct(target, args: unknown[], newTarget) {
            note(name, args[0]);
            return Reflect.construct(target, args, newTarget) as object;
          },
        });
      }
    },
    stop() {
      for (const [name, original] of originals) globals[name] = original;
    },
    reset() {
      largest = 0;
      total = 0;
    },
    get largest() {
      return largest;
    },
    get total() {
      return total;
    },
  };
}
