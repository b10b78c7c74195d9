/** What keeps an image from being opened, with what qemu-img says of it. */
import { imageFault } from '../fault.ts';
import type { ImageProblem } from '../../errors.ts';

export const INVALID = 'Invalid argument';
export const UNSUPPORTED = 'Operation not supported';
export const IO_ERROR = 'Input/output error';

/** Whether qemu-img has no words of its own for a fault. */
export function isErrno(message: string): boolean {
  return [INVALID, UNSUPPORTED, IO_ERROR].includes(message);
}

/** QEMU reads nothing behind this place, bytes. */
export const FARTHEST = 2n ** 63n - 1n;

/**
 * @param field what is wrong
 * @param message what qemu-img says
 * @throws ImageError invalid-image
 */
export function fault(
  problem: ImageProblem,
  field: string,
  value: number | bigint | string = '',
  message = INVALID,
): never {
  return imageFault('vhdx', problem, { field, value: String(value), message });
}
