/** What the commands that make images know of a format: its options, and how one is made. */
import type { DiskWriter, FormatName, NewFiles, Unlock } from '../../engine/formats/format.ts';
import type { Context } from '../context.ts';
import type { CreationValues, OptionTypes } from '../creation-values.ts';

/** A format that images can be created in. */
export interface TargetFormat {
  readonly name: FormatName;
  /** Its options, besides those of every file (size, nocow, preallocation, extent_size_hint). */
  readonly types: OptionTypes;
  /** All options in the order in which qemu-img's «Formatting ...» line has them. */
  readonly printed: readonly string[];
  /** What that line says of options that were not given; the others are left out. */
  readonly usual: Readonly<Record<string, string>>;
  /** A line for each option, for `-o help`, in our words. */
  readonly help: string;
  /** Whether it can name an image below (`-b`), and the format of that (`-F`). */
  readonly backing: boolean;
  readonly backingFormat: boolean;
  /** Whether `convert -c` is possible. */
  readonly packs: boolean;
  /**
   * Reads the options, before any file is touched.
   * @param size of the disk, bytes, whole sectors (already rounded up)
   * @param name of the image, as it was given: files beside it are called after it
   * @throws OptionFault for what qemu-img refuses, in its words (without «NAME: »)
   * @throws ImageError
   */
  prepare(context: Context, request: CreationRequest): Promise<PreparedImage> | PreparedImage;
}

export interface CreationRequest {
  readonly values: CreationValues;
  /** Of the disk, bytes. */
  readonly size: number;
  readonly name: string;
  /** The name and identity of the image below, where there is one and it was opened. */
  readonly backing: CreationBacking | undefined;
}

export interface CreationBacking {
  readonly name: string;
  readonly format: FormatName;
  /** Its format's facts, by their keys: VMDK needs the parent's content id. */
  readonly facts: ReadonlyMap<string, string | number>;
}

/** An image about to be made. */
export interface PreparedImage {
  /** Bytes of the disk that it will have: some formats cannot have every size. */
  readonly size: number;
  /**
   * Makes the empty image. It is complete after the writer's `flush`.
   * @throws ImageError those of writing
   */
  create(files: NewFiles): Promise<DiskWriter>;
  /** Opens it again, where its content is encrypted. */
  readonly unlock?: Unlock | undefined;
}
