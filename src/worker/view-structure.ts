/** The structures of a file. */
import { ImageError } from '../engine/index.ts';
import type { ImageId, StructureNode } from './api.ts';
import type { Images } from './images.ts';

const missing = (...given: unknown[]) =>
  Promise.reject(new ImageError('internal', { reason: `not there yet: ${given.length}` }));

export function nodesOf(
  a: Images,
  i: ImageId,
  d: string,
  f: number,
  m: number,
): Promise<StructureNode[]> {
  return missing(a, i, d, f, m);
}
export function nodesAt(a: Images, i: ImageId, o: number): Promise<StructureNode[]> {
  return missing(a, i, o);
}
export function nodesTo(a: Images, i: ImageId, d: string): Promise<StructureNode[]> {
  return missing(a, i, d);
}
