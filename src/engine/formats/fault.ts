import { ImageError, type ImageProblem } from '../errors.ts';
import type { FormatName } from './format.ts';

/** What is known of a fault besides its kind; '' where nothing is to be said. */
interface FaultDetails {
  readonly field?: string;
  readonly value?: string | number;
  readonly limit?: string | number;
  /** In qemu-img's words. */
  readonly message?: string;
}

/** Ends the opening of an image. @throws ImageError invalid-image */
export function imageFault(
  format: FormatName,
  problem: ImageProblem,
  { field = '', value = '', limit = '', message = '' }: FaultDetails,
): never {
  const details = { field, value: String(value), limit: String(limit), message };
  throw new ImageError('invalid-image', { format, problem, ...details });
}
