/** What each layer of an image reads, sector by sector: the measure of what a repair may not lose. */
import { openImage, Qcow2Image, type Storage } from '../../src/engine/index.ts';
import { readExtents } from '../../src/engine/operations/read.ts';

const SECTOR = 512;
/** Layers that are looked at. */
const MOST_SNAPSHOTS = 4;

/** undefined for a sector that cannot be read. */
type Sectors = (Uint8Array | undefined)[];

/** The sectors of the active layer (key '') and of the first snapshots. */
export async function readLayers(storage: Storage, most = 2 ** 20): Promise<Map<string, Sectors>> {
  const disk = await openImage(storage, { mode: 'check' });
  const layers = new Map<string, Sectors>();
  if (!(disk instanceof Qcow2Image)) return layers;
  layers.set('', await readSectors(disk, most));
  for (const snapshot of disk.snapshots.slice(0, MOST_SNAPSHOTS)) {
    const key = `${snapshot.id}/${snapshot.name}`;
    // Beyond 2^53 a number says nothing of its last bits; no file reaches so far.
    if (layers.has(key) || key === '/' || snapshot.l1TableOffset > 2 ** 53) continue;
    try {
      layers.set(key, await readSectors(await disk.openSnapshot(snapshot), most));
    } catch {
      // A snapshot without a readable L1 table has nothing to lose.
    }
  }
  return layers;
}

async function readSectors(disk: Qcow2Image, most: number): Promise<Sectors> {
  const sectors: Sectors = [];
  const size = Math.min(disk.size, most);
  for (let at = 0; at < size;) {
    const extents = await disk.map(at, size - at);
    for (const extent of extents) {
      for (let from = extent.offset; from < extent.offset + extent.length;) {
        const next = (Math.floor(from / disk.clusterSize) + 1) * disk.clusterSize;
        const end = Math.min(extent.offset + extent.length, next);
        const bytes = await readPart(disk, from, end);
        for (let part = 0; part < end - from; part += SECTOR) {
          sectors.push(bytes?.subarray(part, part + SECTOR));
        }
        from = end;
      }
      at = extent.offset + extent.length;
    }
  }
  return sectors;
}

async function readPart(disk: Qcow2Image, from: number, end: number) {
  try {
    const extents = await disk.map(from, end - from);
    return await readExtents(
      extents.map((extent) => ({ ...extent, disk, unknown: false, depth: 0, present: true })),
      from,
      end - from,
    );
  } catch {
    return undefined;
  }
}

/** What was readable and is not the same any more: `layer at sector`. */
export function lossesBetween(
  before: ReadonlyMap<string, Sectors>,
  after: ReadonlyMap<string, Sectors>,
): string[] {
  const losses: string[] = [];
  for (const [layer, sectors] of before) {
    const now = after.get(layer);
    if (now === undefined) {
      losses.push(`layer ${layer}`);
      continue;
    }
    sectors.forEach((sector, index) => {
      const same = now[index];
      if (sector === undefined) return;
      if (same === undefined || Buffer.compare(sector, same) !== 0) {
        losses.push(`${layer} at ${String(index * SECTOR)}`);
      }
    });
  }
  return losses;
}
