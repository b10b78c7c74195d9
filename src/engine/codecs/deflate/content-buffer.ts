import { MAX_MATCH } from './codes.ts';

/** Zeros behind a content, so that reading may go beyond its end. */
const MARGIN = 1024;

/** Memory for one content after another, kept between them. */
export class ContentBuffer {
  bytes = new Uint8Array(MARGIN);
  view = new DataView(this.bytes.buffer);

  /** Takes a copy of the content to its beginning. */
  take(content: Uint8Array): void {
    const { length } = content;
    if (this.bytes.length < length + MARGIN) {
      this.bytes = new Uint8Array(length + MARGIN);
      this.view = new DataView(this.bytes.buffer);
    }
    this.bytes.set(content);
    this.bytes.fill(0, length, length + MARGIN);
  }
}

/**
 * Bytes that two places have in common, at most 258.
 * @param view of a {@link ContentBuffer}: there is something behind the end of the content
 */
export function matchLength(view: DataView, at: number, place: number): number {
  for (let length = 0; length < MAX_MATCH; length += 4) {
    const differs = view.getInt32(at + length, true) ^ view.getInt32(place + length, true);
    if (differs === 0) continue;
    const same = length + ((31 - Math.clz32(differs & -differs)) >> 3);
    return same < MAX_MATCH ? same : MAX_MATCH;
  }
  return MAX_MATCH;
}
