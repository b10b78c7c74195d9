/**
 * Raw deflate (RFC 1951) of any length, a piece after the other: by the platform where it can, else
 * by pako. The one for whole clusters is inflate.ts.
 */
import {
  Z_BUF_ERROR,
  Z_NO_FLUSH,
  Z_OK,
  Z_STREAM_END,
  zlibInflate,
  zlibInflateEnd,
  zlibInflateInit2,
  ZStream,
} from 'pako';

/** Bytes that are unpacked in one step. */
const ROOM = 256 * 1024;

/** What one step came to. */
export interface InflateStep {
  /** Bytes of the input that were taken. */
  readonly used: number;
  /** What was unpacked; the next step overwrites it. */
  readonly output: Uint8Array<ArrayBuffer>;
  /** `end`: the stream has ended; `more`: there is more to come, perhaps without any more input. */
  readonly state: 'more' | 'end' | 'corrupt';
}

/** Unpacks one stream and knows to the byte where it ends. Its memory does not grow. */
export class PullInflater {
  readonly #stream = new ZStream();
  readonly #room = new Uint8Array(ROOM);

  constructor() {
    zlibInflateInit2(this.#stream, -15);
  }

  /** Takes as much of `input` as fills the room for output. */
  step(input: Uint8Array): InflateStep {
    const stream = this.#stream;
    stream.input = input;
    stream.next_in = 0;
    stream.avail_in = input.length;
    stream.output = this.#room;
    stream.next_out = 0;
    stream.avail_out = ROOM;
    const status: number = zlibInflate(stream, Z_NO_FLUSH);
    const output = this.#room.subarray(0, stream.next_out);
    const state =
      status === Z_STREAM_END
        ? 'end'
        : status === Z_OK || status === Z_BUF_ERROR
          ? 'more'
          : 'corrupt';
    return { used: stream.next_in, output, state };
  }

  close(): void {
    zlibInflateEnd(this.#stream);
  }
}

/** One stream unpacked by the platform. */
export interface NativeInflate {
  /** More of the stream; settles when there is room for it. Rejects when the stream is not right. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** There is no more. Rejects when the stream did not end there. */
  end(): Promise<void>;
  /** The next bytes; undefined at the end. Rejects when the stream is not right. */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  cancel(): void;
}

function nativeStream(): NativeInflate {
  const { readable, writable } = new DecompressionStream('deflate-raw');
  const writer = writable.getWriter();
  const reader = readable.getReader();
  // Whoever reads hears of it.
  writer.closed.catch(() => undefined);
  reader.closed.catch(() => undefined);
  return {
    write: (bytes) => writer.write(bytes),
    end: () => writer.close(),
    read: async () => (await reader.read()).value,
    cancel: () => {
      writer.abort().catch(() => undefined);
      reader.cancel().catch(() => undefined);
    },
  };
}

/** An empty stream, and a byte that does not belong to it. */
const WITH_JUNK = new Uint8Array([3, 0, 0x55]);

/** Whether the platform refuses what follows the end of a stream; one that does not would hide it. */
async function isStrict(): Promise<boolean> {
  if (typeof DecompressionStream === 'undefined') return false;
  try {
    const stream = nativeStream();
    const written = stream.write(WITH_JUNK).then(() => stream.end());
    written.catch(() => undefined);
    while ((await stream.read()) !== undefined);
    await written;
    return false;
  } catch {
    return true;
  }
}

let strict: Promise<boolean> | undefined;

/** A stream of the platform; undefined where it has none that can be relied on. */
export async function openNativeInflate(): Promise<NativeInflate | undefined> {
  strict ??= isStrict();
  return (await strict) ? nativeStream() : undefined;
}
