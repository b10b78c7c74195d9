/** How a broken rule of the header is reported. */
import { ImageError, type HeaderProblem } from '../../errors.ts';

/** Whether bit `bit` of a 64-bit set is on. */
export function hasBit(set: bigint, bit: number): boolean {
  return ((set >> BigInt(bit)) & 1n) === 1n;
}

/**
 * A header field breaks a rule. `message` is qemu-img's sentence, which scripts compare.
 * @throws ImageError invalid-header, always
 */
export function headerFault(
  problem: HeaderProblem,
  field: string,
  value: number | string | bigint,
  limit: number | string,
  message: string,
): never {
  throw new ImageError('invalid-header', {
    problem,
    field,
    value: String(value),
    limit: String(limit),
    message,
  });
}
