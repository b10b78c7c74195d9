/** What the rules want to know of an opened image. */
import type { FactKey, ImageInfo } from '../operations/image-info.ts';
import type { FileFacts } from './destination.ts';

/**
 * @param info as `inspect` gives it
 * @param container what the image was found in, '' for none
 * @param severalFiles whether it is made of more than one
 */
export function factsOf(
  info: ImageInfo,
  { container = '', severalFiles = false }: { container?: string; severalFiles?: boolean } = {},
): FileFacts {
  const { qcow2, description, virtualSize } = info;
  const fact = (key: FactKey) => description?.facts.find((one) => one.key === key)?.value;
  const text = (key: FactKey) => String(fact(key) ?? '');
  const number = (key: FactKey, otherwise: number) => {
    const value = fact(key);
    return typeof value === 'number' ? value : otherwise;
  };
  const set = new Set(
    (qcow2?.features ?? []).filter(({ known }) => !known).map(({ set: kind }) => kind),
  );
  return {
    format: info.format,
    subformat: text('subformat'),
    container,
    virtualSize,
    geometrySize: number('geometry-size', virtualSize),
    encrypted: info.encrypted,
    hasBacking: info.backing !== undefined,
    hasSnapshots: info.snapshots.length > 0,
    severalFiles: severalFiles || number('extents', 1) > 1,
    unclean:
      qcow2?.dirty === true || description?.dirty === true || !['', 'empty'].includes(text('log')),
    corrupt: qcow2?.corrupt === true,
    version: qcow2?.version ?? (Number(fact('format-version') ?? 0) || 0),
    sectorSize: number('sector-size', 512),
    adapter: text('adapter'),
    zstd: qcow2?.compressionType === 'zstd',
    extendedL2: qcow2?.extendedL2 === true,
    dataFile: qcow2?.dataFile !== undefined,
    unknownFeatures: set.has('incompatible'),
  };
}
