/** Going on where content cannot be read: what is lost of a disk. */
import type { UnreadableReason } from '../errors.ts';
import type { ChainExtent } from './chain.ts';
import type { Range } from './finding.ts';

/** Guest bytes that could not be read. Plain data. */
export interface Loss extends Range {
  /**
   * `tables`: nobody knows where the bytes are; `content`: they cannot be read or unpacked, or the
   * file that holds them is missing.
   */
  cause: 'tables' | 'content';
  reason: UnreadableReason | 'read-failed';
  /** What the medium said, for `read-failed`; else ''. */
  message: string;
}

/** Everything that was lost. Plain data. Bytes. */
export interface LossReport {
  /** In guest order, neighbours of one reason as one. */
  losses: Loss[];
  bytes: number;
  /** Whether the list ends before all was in it; `bytes` counts all the same. */
  truncated: boolean;
}

/** Losses that are kept: a medium that is all holes must not fill the memory. */
const MOST_LOSSES = 64 * 1024;

/** Collects what is lost of a disk. Whoever gives one to a conversion wants it to go on. */
export class Salvage {
  #losses: Loss[] = [];
  #bytes = 0;
  #full = false;
  #truncated = false;

  add(loss: Loss): void {
    this.#bytes += loss.length;
    const last = this.#losses.at(-1);
    if (last !== undefined && merge(last, loss)) return;
    if (this.#losses.length >= MOST_LOSSES && !this.#full) {
      this.#losses = tidy(this.#losses);
      // Where that did not help, it will not soon.
      this.#full = this.#losses.length > MOST_LOSSES / 2;
    }
    if (this.#losses.length < MOST_LOSSES) this.#losses.push({ ...loss });
    else this.#truncated = true;
  }

  report(): LossReport {
    this.#losses = tidy(this.#losses);
    return {
      losses: this.#losses.map((loss) => ({ ...loss })),
      bytes: this.#bytes,
      truncated: this.#truncated,
    };
  }
}

/** In guest order, whatever the order of reading was. */
function tidy(losses: readonly Loss[]): Loss[] {
  const sorted = [...losses].sort((a, b) => a.offset - b.offset);
  const result: Loss[] = [];
  for (const loss of sorted) {
    const last = result.at(-1);
    if (last === undefined || !merge(last, loss)) result.push(loss);
  }
  return result;
}

function merge(last: Loss, next: Loss): boolean {
  const same =
    last.offset + last.length === next.offset &&
    last.cause === next.cause &&
    last.reason === next.reason &&
    last.message === next.message;
  if (same) last.length += next.length;
  return same;
}

/** What is lost of a run by its tables alone; undefined: it is to be read, or holds zeros. */
export function lossOf(extent: ChainExtent): Loss | undefined {
  const { kind, offset, length, unknown, disk } = extent;
  if (kind === 'invalid') {
    const reason = extent.reason ?? 'data-unaligned';
    return { offset, length, cause: 'tables', reason, message: '' };
  }
  // Content that only waits for its file or its passphrase is not lost.
  if (!unknown || (kind === 'data' && disk.contentMissing !== undefined)) return undefined;
  return { offset, length, cause: 'content', reason: 'backing-missing', message: '' };
}
