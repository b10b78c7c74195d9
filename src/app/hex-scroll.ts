/**
 * Rows of a file of any length in a scroll container: browsers cap the height of an element, so
 * that a long file gets a track that is shorter than its rows are. Near both ends the track is true
 * to the pixel, in the middle it is compressed. Rows are counted in fractions: 2.5 is the middle of
 * the third row. Lengths are CSS pixels.
 */

/** Browsers go to 17 million pixels at least. */
const LONGEST_TRACK = 8_000_000;
const TRUE_ENDS = 1_000_000;

export interface Track {
  rows: number;
  rowHeight: number;
  /** Height of the window on the rows. */
  viewport: number;
}

/** Height of what scrolls. */
export function trackHeight({ rows, rowHeight, viewport }: Track): number {
  return Math.max(viewport, Math.min(rows * rowHeight, LONGEST_TRACK));
}

/** The last row that can be the first on the screen. */
export function lastTop({ rows, rowHeight, viewport }: Track): number {
  return Math.max(0, rows - viewport / rowHeight);
}

export function isCompressed({ rows, rowHeight }: Track): boolean {
  return rows * rowHeight > LONGEST_TRACK;
}

/** The row at the top when the container is scrolled there. */
export function rowAt(track: Track, scrollTop: number): number {
  const { rowHeight } = track;
  const last = lastTop(track);
  if (!isCompressed(track)) return Math.min(last, scrollTop / rowHeight);
  const end = trackHeight(track) - track.viewport;
  if (scrollTop <= TRUE_ENDS) return scrollTop / rowHeight;
  if (scrollTop >= end - TRUE_ENDS) return last - (end - scrollTop) / rowHeight;
  const edge = TRUE_ENDS / rowHeight;
  const share = (scrollTop - TRUE_ENDS) / (end - 2 * TRUE_ENDS);
  return edge + share * (last - 2 * edge);
}

/** Where the container has to be scrolled to for that row to be at the top. */
export function scrollFor(track: Track, row: number): number {
  const { rowHeight } = track;
  const last = lastTop(track);
  const top = Math.max(0, Math.min(last, row));
  if (!isCompressed(track)) return top * rowHeight;
  const end = trackHeight(track) - track.viewport;
  const edge = TRUE_ENDS / rowHeight;
  if (top <= edge) return top * rowHeight;
  if (top >= last - edge) return end - (last - top) * rowHeight;
  return TRUE_ENDS + ((top - edge) / (last - 2 * edge)) * (end - 2 * TRUE_ENDS);
}
