/** The images of a chain, and how much of the guest each of them decides. */
import type { Disk } from '../formats/format.ts';
import type { RunOptions } from '../operations/operation.ts';
import type { LayerFacts } from './facts.ts';

/** @throws ImageError cancelled and those of reading tables */
export function layersOf(_disk: Disk, _options: RunOptions): Promise<LayerFacts[]> {
  return Promise.resolve([]);
}
