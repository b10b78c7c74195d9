/** The images of a chain, and how much of the guest each of them decides. */
import { isImageError, throwIfCancelled } from '../errors.ts';
import type { Disk, Extent } from '../formats/format.ts';
import { isLayered } from '../formats/layered.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { mapChain, type ChainExtent } from '../operations/chain.ts';
import type { RunOptions } from '../operations/operation.ts';
import { modifiedOf } from '../storage/storage.ts';
import { pacer } from '../yield.ts';
import type { LayerFacts } from './facts.ts';

/**
 * Runs that are followed at most. Tables of which every entry points to the same table can describe
 * a million times as many as a file has bytes.
 */
const MOST_RUNS = 2 ** 24;

interface LayerOptions extends RunOptions {
  /** Guest bytes that a lone image decides, where that is known: the disk need not be followed. */
  decided?: number | undefined;
}

/**
 * The image first, then what is below it. One that is named and not there is the last.
 * @param disk opened for reading, with what is below it; tables that cannot be read are no error
 * @throws ImageError cancelled
 */
export async function layersOf(disk: Disk, options: LayerOptions): Promise<LayerFacts[]> {
  const layers: LayerFacts[] = [];
  let above: Disk | undefined;
  for (let layer: Disk | undefined = disk; layer !== undefined; layer = layer.backing) {
    layers.push({ ...(await factsOf(layer)), ...writtenBy(above) });
    above = layer;
  }
  if (above?.backingMissing === true) layers.push(missingBelow(above));
  const [only, ...others] = layers;
  if (options.decided !== undefined && only !== undefined && others.length === 0) {
    Object.assign(only, { serves: options.decided, mapped: true });
  } else {
    await measure(disk, layers, options);
  }
  return layers;
}

type Written = Pick<LayerFacts, 'writtenName' | 'writtenFormat'>;

/** How an image names what is below it. */
function writtenBy(above: Disk | undefined): Written {
  if (above === undefined || !isLayered(above)) return { writtenName: '', writtenFormat: '' };
  return { writtenName: above.backingName, writtenFormat: above.backingFormat };
}

async function factsOf(disk: Disk): Promise<Omit<LayerFacts, keyof Written>> {
  const { storage, format, clusterSize, files = [storage] } = disk;
  const isQcow2 = disk instanceof Qcow2Image;
  return {
    ...{ name: storage.name, format, clusterSize, virtualSize: disk.size },
    fileSize: [...new Set(files)].reduce((sum, { size }) => sum + size, 0),
    ...{ serves: 0, mapped: false, damaged: 0, missing: false },
    modified: await modifiedOf(storage),
    dirty: isQcow2 ? disk.header.dirty : disk.describe?.().dirty === true,
    corrupt: isQcow2 && disk.header.corrupt,
  };
}

function missingBelow(above: Disk): LayerFacts {
  const written = writtenBy(above);
  return {
    ...{ name: written.writtenName, format: '', virtualSize: 0, fileSize: 0, clusterSize: 0 },
    ...{ serves: 0, mapped: false, damaged: 0, modified: undefined, missing: true },
    ...{ dirty: false, corrupt: false, ...written },
  };
}

/** Follows the whole disk once, and counts for each layer. */
async function measure(
  disk: Disk,
  layers: LayerFacts[],
  { signal, progress }: RunOptions,
): Promise<void> {
  const pace = pacer(signal);
  let runs = 0;
  let isMapped = true;
  try {
    for await (const batch of disk.backing === undefined ? mapAlone(disk) : mapChain(disk)) {
      count(batch, layers, disk);
      runs += batch.length;
      const last = batch.at(-1);
      progress?.({
        stage: 'planning',
        done: last === undefined ? 0 : last.offset + last.length,
        total: disk.size,
      });
      throwIfCancelled(signal);
      const pause = pace();
      if (pause !== undefined) await pause;
      isMapped = runs < MOST_RUNS;
      if (!isMapped) break;
    }
  } catch (error) {
    if (!isImageError(error) || error.code === 'cancelled') throw error;
    isMapped = false;
  }
  for (const layer of layers) layer.mapped = isMapped;
}

/** The runs of an image that has nothing below it here: nothing has to be put together. */
async function* mapAlone(disk: Disk): AsyncGenerator<Extent[], undefined> {
  for (let at = 0; at < disk.size;) {
    const batch = await disk.map(at, disk.size - at);
    const last = batch.at(-1);
    if (last === undefined) return undefined;
    at = last.offset + last.length;
    yield batch;
  }
  return undefined;
}

function count(
  batch: readonly (Extent | ChainExtent)[],
  layers: LayerFacts[],
  { backingMissing }: Disk,
): void {
  for (const run of batch) {
    const isChained = 'depth' in run;
    const present = isChained ? run.present : run.kind !== 'unallocated';
    const unknown = isChained ? run.unknown : backingMissing;
    // What nobody decides reads as zeros, unless the one that would have decided it is missing.
    if (!present && !unknown) continue;
    const depth = isChained ? run.depth : 0;
    const layer = layers[present ? depth : depth + 1];
    if (layer === undefined) continue;
    layer.serves += run.length;
    if (run.kind === 'invalid') layer.damaged += run.length;
  }
}
