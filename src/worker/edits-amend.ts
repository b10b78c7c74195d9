/** Other options for an image that is there: what they may say, and making it so. */
import { amendImage, ImageError, type Qcow2Amendment, type Qcow2Image } from '../engine/index.ts';
import { parseSize } from '../command/sizes.ts';
import { type Done, refuseSeveralFiles } from './edit-place.ts';
import type { JobContext } from './job.ts';

/**
 * Changes the options of an image.
 * @throws ImageError edit-refused (option), and those of amendQcow2
 */
export async function amend(
  disk: Qcow2Image,
  options: Readonly<Record<string, string>>,
  { signal, progress }: JobContext,
): Promise<Done> {
  const wanted = readOptions(options);
  if (wanted.size !== undefined) refuseSeveralFiles(disk);
  await amendImage(disk, wanted, {
    signal,
    steps: (done, total) => progress({ stage: 'changing', done, total }),
  });
  return { oldSize: disk.size };
}

function readOptions(options: Readonly<Record<string, string>>): Qcow2Amendment {
  const wanted: Qcow2Amendment = {};
  const backing: { name: string | undefined; format: string | undefined } = {
    name: undefined,
    format: undefined,
  };
  for (const [name, value] of Object.entries(options)) {
    const refuse = (): never => {
      throw new ImageError('edit-refused', { reason: 'option', name: `${name}=${value}` });
    };
    switch (name) {
      case 'compat':
        wanted.version = versionOf(value) ?? refuse();
        break;
      case 'lazy_refcounts':
        wanted.lazyRefcounts = switchOf(value) ?? refuse();
        break;
      case 'refcount_bits':
        wanted.refcountBits = widthOf(value) ?? refuse();
        break;
      case 'data_file':
        wanted.dataFileName = value;
        break;
      case 'data_file_raw':
        wanted.dataFileRaw = switchOf(value) ?? refuse();
        break;
      case 'backing_file':
        backing.name = value;
        wanted.backing = backing;
        break;
      case 'backing_fmt':
        backing.format = value;
        wanted.backing = backing;
        break;
      case 'size':
        wanted.size = sizeOf(value) ?? refuse();
        break;
      default:
        refuse();
    }
  }
  return wanted;
}

function versionOf(compat: string): 2 | 3 | undefined {
  if (compat === '0.10' || compat === 'v2') return 2;
  return compat === '1.1' || compat === 'v3' ? 3 : undefined;
}

function switchOf(value: string): boolean | undefined {
  if (value === 'on') return true;
  return value === 'off' ? false : undefined;
}

function widthOf(value: string): number | undefined {
  const bits = [1, 2, 4, 8, 16, 32, 64];
  return bits.find((width) => String(width) === value);
}

/** Whole bytes, with the suffixes that qemu-img takes. */
function sizeOf(value: string): number | undefined {
  const parsed = parseSize(value, BigInt(Number.MAX_SAFE_INTEGER));
  return parsed.kind === 'ok' ? Number(parsed.value) : undefined;
}
