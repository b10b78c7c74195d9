/** Unpacking streams of which nobody knows beforehand how long they get. */

/**
 * `short`: it ends too early; `corrupt`: its bytes contradict themselves or their checksums;
 * `unsupported`: it is packed in a way that we do not know; `too-large`: it wants more memory than
 * it gets.
 */
export type StreamProblem = 'short' | 'corrupt' | 'unsupported' | 'too-large';

/** A stream that cannot be unpacked, or not further. What came before this is good. */
export class StreamFault extends Error {
  readonly problem: StreamProblem;

  constructor(problem: StreamProblem, what: string) {
    super(what);
    this.problem = problem;
  }
}

/** Unpacks one file, which may be several streams one behind the other. */
export interface StreamDecoder {
  /**
   * Takes more of the packed bytes and gives what can be unpacked now, in pieces of at most 2 MiB.
   * A piece is valid until the next one is asked for; all of them have to be fetched before more is
   * pushed. The packed bytes are copied where they are kept.
   * @param last nothing follows
   * @throws StreamFault while the pieces are fetched; nothing may be pushed afterwards
   */
  push(packed: Uint8Array, last: boolean): Iterable<Uint8Array>;
}
