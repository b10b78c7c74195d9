/** What really differs between a file and its new state, piece by piece. */
import { alignDown, alignUp } from '../binary/units.ts';
import { throwIfCancelled } from '../errors.ts';
import { pacer } from '../yield.ts';
import type { Overlay } from './overlay.ts';
import { PIECE, RECORD_LIMIT } from './patch-layout.ts';
import type { ByteRange } from './range-set.ts';
import { readPadded } from './storage.ts';

/** Changes that are this close are looked at in one go: bytes between them. */
const NEAR = 32 * 1024;
/** Equal bytes between different ones that do not make two differences of them. */
const SAME = 8 * PIECE;

/** A run of the file before and after; behind an end there are zeros. */
export interface Difference {
  /** Where in the file, bytes. */
  readonly offset: number;
  readonly before: Uint8Array<ArrayBuffer>;
  /** Of the same length. */
  readonly after: Uint8Array<ArrayBuffer>;
}

/**
 * Compares an overlay with its base where it was written, in the order of the file, up to the end of
 * the new state. No difference is larger than {@link RECORD_LIMIT}, and each begins at a multiple of
 * 512 and ends at one or at the end.
 * @throws ImageError cancelled
 */
export async function* differences(
  overlay: Overlay,
  signal?: AbortSignal,
): AsyncGenerator<Difference> {
  const breathe = pacer(signal);
  for (const { offset, length } of windows(overlay)) {
    throwIfCancelled(signal);
    const before = await readPadded(overlay.base, offset, length);
    const after = await readPadded(overlay, offset, length);
    for (const run of differing(before, after)) {
      const end = run.offset + run.length;
      yield {
        offset: offset + run.offset,
        before: before.subarray(run.offset, end),
        after: after.subarray(run.offset, end),
      };
    }
    await breathe();
  }
}

/** Where to look: whole pieces, near ones together; what lies behind the end of the base apart. */
function* windows(overlay: Overlay): Generator<ByteRange> {
  const baseEnd = alignUp(overlay.base.size, PIECE);
  let start = 0;
  let end = 0;
  for (const { offset, length } of overlay.changes()) {
    const from = alignDown(offset, PIECE);
    if (from - end > NEAR) {
      yield* split(start, end, baseEnd);
      start = from;
    }
    end = Math.min(alignUp(offset + length, PIECE), overlay.size);
  }
  yield* split(start, end, baseEnd);
}

function* split(start: number, end: number, border: number): Generator<ByteRange> {
  for (let from = start; from < end;) {
    const limit = from < border ? Math.min(border, from + RECORD_LIMIT) : from + RECORD_LIMIT;
    const to = Math.min(end, limit);
    yield { offset: from, length: to - from };
    from = to;
  }
}

/** The runs of pieces that differ. Both begin at a multiple of 512 of the file. */
function* differing(before: Uint8Array, after: Uint8Array): Generator<ByteRange> {
  const { length } = after;
  let start = -1;
  let end = 0;
  for (let from = 0; from < length; from += PIECE) {
    const to = Math.min(from + PIECE, length);
    if (isEqual(before, after, from, to)) continue;
    if (start >= 0 && from - end > SAME) {
      yield { offset: start, length: end - start };
      start = -1;
    }
    if (start < 0) start = from;
    end = to;
  }
  if (start >= 0) yield { offset: start, length: end - start };
}

function isEqual(a: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (a[at] !== b[at]) return false;
  return true;
}
