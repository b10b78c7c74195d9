/** Writing into a VMDK, over all of its extents. */
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DiskWriter } from '../format.ts';
import { changeContentId } from './content-id.ts';
import type { SegmentWriter } from './segment-writer.ts';

/** The descriptor of what is written to. */
export interface DescriptorPlace {
  readonly storage: Storage;
  /** Bytes. */
  readonly at: number;
}

export class VmdkWriter implements DiskWriter {
  readonly clusterSize: number;
  readonly packing: 'zlib-stream' | undefined;
  readonly alwaysPacks: boolean;
  readonly #segments: readonly SegmentWriter[];
  readonly #descriptor: DescriptorPlace;
  readonly #written: (() => void) | undefined;
  #isChanged = false;

  /** @param written called when the file has what was written */
  constructor(
    segments: readonly SegmentWriter[],
    descriptor: DescriptorPlace,
    { clusterSize, packs }: { clusterSize: number; packs: boolean },
    written?: () => void,
  ) {
    this.#segments = segments;
    this.#descriptor = descriptor;
    this.clusterSize = clusterSize;
    this.packing = packs ? 'zlib-stream' : undefined;
    this.alwaysPacks = packs;
    this.#written = written;
  }

  async write(offset: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const { segment, from, to } of this.#parts(offset, bytes.length)) {
      await segment.write(from, bytes.subarray(from - offset, to - offset));
      await this.#change();
    }
  }

  async zero(offset: number, length: number): Promise<void> {
    for (const { segment, from, to } of this.#parts(offset, length)) {
      if (await segment.zero(from, to - from)) await this.#change();
    }
  }

  async writePacked(offset: number, packed: Uint8Array<ArrayBuffer>): Promise<void> {
    for (const { segment, from } of this.#parts(offset, 1)) {
      await segment.writePacked(from, packed);
      await this.#change();
    }
  }

  async flush(): Promise<void> {
    for (const segment of this.#segments) await segment.flush();
    await this.#descriptor.storage.flush();
    this.#written?.();
  }

  /** With the first change, the content gets another id: children made over the old one see it. */
  async #change(): Promise<void> {
    if (this.#isChanged) return;
    this.#isChanged = true;
    await changeContentId(this.#descriptor.storage, this.#descriptor.at);
  }

  /** The extents that a range lies in. */
  *#parts(
    offset: number,
    length: number,
  ): Generator<{ segment: SegmentWriter; from: number; to: number }> {
    let at = offset;
    for (const segment of this.#segments) {
      const end = segment.start + segment.length;
      if (at >= offset + length) return;
      if (at >= end) continue;
      const to = Math.min(end, offset + length);
      yield { segment, from: at, to };
      at = to;
    }
    if (at >= offset + length) return;
    throw new ImageError('internal', { reason: `writing behind the end, at ${at}` });
  }
}
