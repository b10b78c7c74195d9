import { ImageError, type ImageProblem } from '../errors.ts';
import type { FormatName } from './format.ts';

/** What is known of a fault besides its kind; '' where nothing is to be said. */
interface FaultDetails {
  readonly field?: string;
  readonly value?: string | number;
  readonly limit?: string | number;
  /** In qemu-img's words. */
  readonly message?: string;
  /** What it says before that, in a line of its own. */
  readonly reported?: string;
}

/** Ends the opening of an image. @throws ImageError invalid-image */
export function imageFault(
  format: FormatName,
  problem: ImageProblem,
  { field = '', value = '', limit = '', message = '', reported }: FaultDetails,
): never {
  const details = { field, value: String(value), limit: String(limit), message };
  const more = reported === undefined ? {} : { reported };
  throw new ImageError('invalid-image', { format, problem, ...details, ...more });
}
