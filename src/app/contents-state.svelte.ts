/** What is known of a disk's content and of where the bytes of its file went. */
import type { CellKind, DiskContents, OpenedImage } from '../worker/api.ts';
import type { OpenImage } from './open-image.svelte.ts';
import type { Problem } from './problem.ts';

/** Bytes of a kind in the file. */
export interface SpacePart {
  kind: CellKind;
  size: number;
}

/** What is known of one state of an image. Another state has another. */
class Contents {
  found = $state.raw<DiskContents>();
  problem = $state.raw<Problem>();
  /** The part of the disk that is looked at closer, by its id; undefined: the one that suggests itself. */
  chosen = $state<string>();
  /** What the parts of the file are for; undefined: not looked at. */
  space = $state.raw<readonly SpacePart[]>();
  spaceProblem = $state.raw<Problem>();
  isLooking = $state(false);
  asked = false;
  spaceAsked = false;
}

const known = new WeakMap<OpenedImage, Contents>();

/** What is known of the image as it is now; undefined while it is not open. */
export function contentsOf({ opened }: OpenImage): Contents | undefined {
  if (opened === undefined) return undefined;
  const contents = known.get(opened) ?? new Contents();
  known.set(opened, contents);
  return contents;
}
