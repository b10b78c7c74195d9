/** A frame of Zstandard of any length, block by block: of what was unpacked, the window is kept. */
import { BLOCK_LIMIT, ZstdError } from './bits.ts';
import { decodeBlock, FrameState, Tables } from './block.ts';
import type { FrameHeader } from './frame.ts';
import { XxHash64 } from './xxhash64.ts';

/** Room for content beside the window, as a part of the window and at least, bytes. */
const ROOM_PART = 4;
const LEAST_ROOM = 1024 * 1024;

/** Kinds of blocks, 3.1.1.2.2. */
export const RAW_BLOCK = 0;
export const RUN_BLOCK = 1;
export const PACKED_BLOCK = 2;

/** Takes at most 5/4 of the frame's window (which is at most 2^27) and 1 MiB of memory. */
export class SlidingFrame {
  readonly #state: FrameState;
  readonly #header: FrameHeader;
  readonly #hash: XxHash64 | undefined;
  #size = 0;

  constructor(header: FrameHeader) {
    const { windowSize, contentSize = Infinity, hasChecksum } = header;
    const room = Math.max(LEAST_ROOM, Math.ceil(windowSize / ROOM_PART));
    const needed = Math.min(windowSize + room, contentSize);
    this.#state = new FrameState(new Uint8Array(needed), 0, windowSize, new Tables());
    this.#header = header;
    this.#hash = hasChecksum ? new XxHash64() : undefined;
  }

  /**
   * Unpacks one block.
   * @param type «Block_Type»
   * @param packed «Block_Content»: for a run, one byte
   * @param size «Block_Size»
   * @returns its content, valid until the next block
   * @throws ZstdError
   */
  block(type: number, packed: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
    const state = this.#state;
    if (type > PACKED_BLOCK || size > BLOCK_LIMIT) throw new ZstdError('no such block');
    if (state.at + BLOCK_LIMIT > state.output.length) this.#slide();
    const before = state.at;
    if (type === PACKED_BLOCK) {
      decodeBlock(state, packed, 0, packed.length);
    } else {
      if (before + size > state.output.length) throw new ZstdError('more than the frame says');
      if (type === RAW_BLOCK) state.output.set(packed, before);
      else state.output.fill(packed[0] as number, before, before + size);
      state.at += size;
    }
    const content = (state.output as Uint8Array<ArrayBuffer>).subarray(before, state.at);
    this.#size += content.length;
    this.#hash?.update(content);
    return content;
  }

  /** All blocks are there. @param checksum «Content_Checksum», where the frame has one */
  finish(checksum: number | undefined): void {
    const { contentSize } = this.#header;
    if (contentSize !== undefined && contentSize !== this.#size) {
      throw new ZstdError('content has another size than the frame says');
    }
    if (this.#hash !== undefined && this.#hash.low() !== checksum) {
      throw new ZstdError('wrong checksum');
    }
  }

  /** Moves the window to the front. */
  #slide(): void {
    const state = this.#state;
    const from = Math.max(state.start, state.at - state.windowSize);
    if (from === 0) return;
    state.output.copyWithin(0, from, state.at);
    state.at -= from;
    state.start = 0;
  }
}
