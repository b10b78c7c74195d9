/** Making VHDX images: their options, in qemu-img's words. */
import { createVhdx, VHDX_MAX_SIZE } from '../../engine/index.ts';
import type { CreationValues } from '../creation-values.ts';
import { OptionFault } from '../option-text.ts';
import { checkFilePreallocation } from './file-options.ts';
import type { TargetFormat } from './target-format.ts';

const MIB = 2n ** 20n;
const MOST_BLOCK = 256n * MIB;
const MOST_LOG = 2n ** 32n - 1n;

export const vhdxTarget: TargetFormat = {
  name: 'vhdx',
  types: { log_size: 'size', block_size: 'size', subformat: 'text', block_state_zero: 'switch' },
  printed: [
    ...['size', 'log_size', 'block_size', 'subformat', 'block_state_zero'],
    ...['nocow', 'preallocation', 'extent_size_hint'],
  ],
  usual: { log_size: '1048576', block_size: '0' },
  help: `  block_size=<size>      - Bytes of a block, 1M to 256M; 0: by the size of the disk
  block_state_zero=<bool (on/off)> - What was never written is marked as zeros [on]
  log_size=<size>        - Bytes of the log, at least 1M
  size=<size>            - Bytes of the disk, at most 64T
  subformat=<str>        - dynamic, or fixed: with room for the whole disk
`,
  backing: false,
  backingFormat: false,
  packs: false,
  prepare(_, { values, size }) {
    checkFilePreallocation(values);
    const subformat = values.text('subformat') ?? 'dynamic';
    if (subformat !== 'dynamic' && subformat !== 'fixed') {
      throw new OptionFault(`Parameter 'subformat' does not accept value '${subformat}'`);
    }
    if (size > VHDX_MAX_SIZE) throw new OptionFault('Image size too large; max of 64TB');
    const logSize = readLogSize(values);
    const blockSize = readBlockSize(values);
    const blockStateZero = values.print('block_state_zero') !== 'off';
    const options = { logSize, blockSize, subformat, blockStateZero } as const;
    return { size, create: (files) => createVhdx(files, size, options) };
  },
};

function readLogSize(values: CreationValues): number | undefined {
  const given = values.number('log_size');
  if (given === undefined) return undefined;
  const size = wholeMib(given);
  if (size > MOST_LOG) throw new OptionFault('Log size must be smaller than 4 GB');
  if (size < MIB) throw new OptionFault('Log size must be a multiple of 1 MB');
  return Number(size);
}

function readBlockSize(values: CreationValues): number | undefined {
  const given = values.number('block_size') ?? 0n;
  if (given === 0n) return undefined;
  const rounded = wholeMib(given);
  const size = rounded > MOST_BLOCK ? MOST_BLOCK : rounded;
  if (size === 0n) return undefined;
  if ((size & (size - 1n)) !== 0n) throw new OptionFault('Block size must be a power of two');
  return Number(size);
}

/** The real program counts with 64 bits, too. */
function wholeMib(size: bigint): bigint {
  return BigInt.asUintN(64, ((size + MIB - 1n) / MIB) * MIB);
}
