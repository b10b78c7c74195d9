/** Options of the file that a new image is in, whatever the format. */
import type { CreationValues } from '../creation-values.ts';
import { OptionFault } from '../option-text.ts';

/**
 * `preallocation` of formats that do not have it themselves: the file is empty when it is made, so
 * none of the modes does anything.
 * @throws OptionFault
 */
export function checkFilePreallocation(values: CreationValues): void {
  const mode = values.text('preallocation') ?? 'off';
  if (mode === 'metadata') throw new OptionFault('Unsupported preallocation mode: metadata');
  if (!['off', 'falloc', 'full'].includes(mode)) {
    throw new OptionFault(`invalid parameter value: ${mode}`);
  }
}
