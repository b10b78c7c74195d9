/** Places that are remembered of something found: the first ones, neighbours as one. */
import type { Range } from '../operations/finding.ts';
import { MOST_PLACES } from './diagnosis.ts';

export class PlaceList {
  readonly ranges: Range[] = [];

  /** Bytes; in rising order, so that neighbours become one. */
  add(offset: number, length: number): void {
    const last = this.ranges.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += length;
    else if (this.ranges.length < MOST_PLACES) this.ranges.push({ offset, length });
  }
}
