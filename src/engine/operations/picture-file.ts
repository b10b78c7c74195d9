/** What every stretch of an image's file is. */
import type { Disk } from '../formats/format.ts';
import type { FilePlace, PictureRun } from '../formats/picture-kinds.ts';
import { Qcow2Image } from '../formats/qcow2/image.ts';
import { Qcow2Picture } from '../formats/qcow2/picture.ts';
import type { RunOptions } from './operation.ts';
import { MappedFile } from './picture-mapped.ts';
import { PictureBuilder, walkWith, type PictureData } from './picture.ts';

/**
 * The picture of one file. The walk that it takes leaves behind what later questions are answered
 * from; the image must not change meanwhile.
 */
export class FilePicture {
  readonly #source: Qcow2Picture | MappedFile;

  constructor(disk: Disk) {
    this.#source = disk instanceof Qcow2Image ? new Qcow2Picture(disk) : new MappedFile(disk);
  }

  /** Bytes of memory that it holds, or will. */
  get memory(): number {
    return this.#source.memory;
  }

  /** Lets go of what it holds: the next question takes a walk of its own. */
  forget(): void {
    this.#source.forget();
  }

  /** @throws ImageError too-large, cancelled and those of reading */
  async picture(options: RunOptions = {}): Promise<PictureData> {
    const walk = walkWith(options);
    const { size, clusterSize } = this.#source;
    const builder = new PictureBuilder(size, clusterSize);
    if (this.#source instanceof Qcow2Picture) {
      for await (const cells of this.#source.cells(walk)) await builder.addCells(cells, walk);
    } else {
      for await (const stretches of this.#source.stretches(walk)) {
        for (const { cell, length } of stretches) builder.add(cell, length);
        await walk.passed(0);
      }
    }
    return builder.finish(walk);
  }

  /** The runs from `offset` (bytes) on, at most so many. @throws as {@link picture} */
  runs(offset: number, most: number, options: RunOptions = {}): Promise<PictureRun[]> {
    return this.#source.runs(offset, most, walkWith(options));
  }

  /** What lies at an address (bytes, within the file), and who uses it. @throws as {@link picture} */
  place(offset: number, options: RunOptions = {}): Promise<FilePlace> {
    return this.#source.place(offset, walkWith(options));
  }
}
