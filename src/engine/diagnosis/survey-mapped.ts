/** The survey of a disk of any format but qcow2, as far as its map tells. */
import { kindOf, type CellKind, type Walk } from '../formats/picture-kinds.ts';
import type { Disk, Extent } from '../formats/format.ts';
import { NO_SPACE } from '../formats/survey-sums.ts';
import type { ClusterCounts, OrderFacts, SpaceAccount, Survey } from '../formats/survey.ts';
import { MappedFile } from '../operations/picture-mapped.ts';

/** @throws ImageError cancelled and those of reading */
export async function surveyMapped(disk: Disk, walk: Walk): Promise<Survey> {
  const space: SpaceAccount = {
    ...NO_SPACE,
    fileSize: disk.storage.size,
    metadata: { ...NO_SPACE.metadata },
  };
  for await (const stretches of new MappedFile(disk).stretches(walk)) {
    for (const { cell, length } of stretches) addTo(space, kindOf(cell), length);
    await walk.passed(0);
  }
  // A raw disk is the file as it is: neither clusters nor order.
  const content = disk.clusterSize > 0 ? await orderOf(disk, walk) : undefined;
  return {
    space,
    snapshots: [],
    clusters: content?.clusters,
    order: content?.order,
    forecasts: undefined,
    preallocation: undefined,
  };
}

function addTo(space: SpaceAccount, kind: CellKind, length: number): void {
  const { metadata } = space;
  if (kind === 'header') metadata.header += length;
  else if (kind === 'crypto') metadata.crypto += length;
  else if (kind === 'metadata') metadata.other += length;
  else if (kind === 'compressed') space.compressed += length;
  else if (kind === 'zero-held') space.zeroHeld += length;
  else if (kind === 'damaged') space.damaged += length;
  else if (kind === 'data' || kind === 'zero') space.active += length;
  else space.unknown += length;
}

interface Content {
  clusters: ClusterCounts;
  order: OrderFacts;
}

/** Goes through the map of the disk: runs of content are what follows each other in its file. */
async function orderOf(disk: Disk, walk: Walk): Promise<Content> {
  const runs = new Runs(disk);
  walk.expect(disk.size);
  for (let guest = 0; guest < disk.size;) {
    const batch = await disk.map(guest, disk.size - guest);
    const last = batch.at(-1);
    // A format that answers with nothing would keep us here for ever.
    if (last === undefined) break;
    for (const extent of batch) runs.add(extent);
    const reached = last.offset + last.length;
    await walk.passed(reached - guest);
    guest = reached;
  }
  return runs.content;
}

class Runs {
  readonly #disk: Disk;
  /** Bytes of the disk, by what they are. */
  readonly #bytes = { normal: 0, compressed: 0, zero: 0, zeroHeld: 0, invalid: 0 };
  #extents = 0;
  #backward = 0;
  #travel = 0;
  /** Where the last run ends. */
  #host = -1;
  #guest = -1;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  add({ kind, offset, length, hostOffset, storage }: Extent): void {
    if (kind === 'compressed') this.#bytes.compressed += length;
    else if (kind === 'invalid') this.#bytes.invalid += length;
    else if (kind === 'zero') this.#bytes[hostOffset < 0 ? 'zero' : 'zeroHeld'] += length;
    if (kind !== 'data') return;
    this.#bytes.normal += length;
    // What lies in another file follows nothing in this one.
    if (hostOffset < 0 || storage !== this.#disk.storage) return;
    if (hostOffset !== this.#host || offset !== this.#guest) {
      this.#extents += 1;
      if (this.#host >= 0) {
        if (hostOffset < this.#host) this.#backward += 1;
        this.#travel += Math.abs(hostOffset - this.#host);
      }
    }
    this.#host = hostOffset + length;
    this.#guest = offset + length;
  }

  get content(): Content {
    const { clusterSize, size } = this.#disk;
    const clustersOf = (bytes: number) => Math.ceil(bytes / clusterSize);
    const total = clustersOf(size);
    const { normal, compressed, zero, zeroHeld, invalid } = this.#bytes;
    const counts = {
      normal: clustersOf(normal),
      compressed: clustersOf(compressed),
      zero: clustersOf(zero),
      zeroHeld: clustersOf(zeroHeld),
      invalid: clustersOf(invalid),
    };
    const told = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return {
      clusters: { total, ...counts, unallocated: Math.max(0, total - told) },
      order: {
        fragmented: Math.max(0, this.#extents - 1),
        allocated: counts.normal + counts.compressed,
        extents: this.#extents,
        bytes: normal,
        backward: this.#backward,
        travel: this.#travel,
        gaps: [],
      },
    };
  }
}
