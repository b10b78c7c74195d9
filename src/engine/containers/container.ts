/** Files that other files are wrapped in: what all of them have in common. */
import { ImageError, type ContainerKind, type ContainerProblem } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { Progress } from '../operations/operation.ts';

export type { ContainerKind, ContainerProblem };

/** Files in a container at most: whoever packs disks has few. */
export const MOST_ENTRIES = 65_536;

/** One file in a container. */
export interface ContainerEntry {
  /** As the container has it: to be shown, and never to be used as a path. */
  readonly name: string;
  /** Bytes, unpacked; undefined where only unpacking tells. */
  readonly size: number | undefined;
  readonly kind: 'file';
  /** By its first bytes or by its name, as far as {@link OpenContainerOptions.isDisk} says. */
  readonly isLikelyDisk: boolean;
  /** Why it cannot be opened, where that is known beforehand. */
  readonly refusal: ContainerProblem | undefined;
}

/**
 * Who wants to hear how unpacking goes on, and may stop it. The fields are looked at again and
 * again, also by the reads of a storage that is unpacked while it is read.
 */
export interface Watch {
  signal?: AbortSignal | undefined;
  progress?: ((progress: Progress) => void) | undefined;
}

/** What the host gives for unpacking. */
export interface Scratch {
  /** Makes an empty storage for what was unpacked; closing it removes it. */
  open(): Promise<Storage>;
  /** Bytes that may be written to it at most; zeros are left out. */
  readonly limit: number;
  readonly watch?: Watch | undefined;
}

export interface Container {
  readonly kind: ContainerKind;
  readonly entries: readonly ContainerEntry[];
  /**
   * The content of a file in it, for reading. What lies there as it is, is read where it is; the
   * rest is unpacked into the scratch storage, from the front, as far as it is read, each byte once
   * (where nothing tells its size, as a whole before this settles). Closing it removes that.
   * @throws ImageError container-invalid, cancelled, and those of reading and writing
   */
  open(entry: ContainerEntry, scratch: Scratch): Promise<Storage>;
}

export interface OpenContainerOptions {
  /** Whether the first bytes of a file (some thousand, or all) are those of a disk. */
  isDisk?:
    | ((first: Uint8Array<ArrayBuffer>, size: number | undefined, name: string) => boolean)
    | undefined;
  readonly watch?: Watch | undefined;
}

/** Bytes of a file that {@link OpenContainerOptions.isDisk} is shown. */
export const DISK_PROBE = 68 * 1024;

/** Names a container that cannot be used, or a file in it. */
export interface Whose {
  readonly name: string;
  readonly container: ContainerKind;
  readonly entry?: string;
}

export function containerFault(
  { name, container, entry = '' }: Whose,
  problem: ContainerProblem,
  cause?: unknown,
): ImageError<'container-invalid'> {
  return new ImageError('container-invalid', { name, container, entry, problem }, { cause });
}

/** What a decoder found wrong; whoever runs it knows which file it is. */
export class DecodeFault extends Error {
  readonly problem: ContainerProblem;

  constructor(problem: ContainerProblem, message: string = problem) {
    super(message);
    this.name = 'DecodeFault';
    this.problem = problem;
  }
}

/** The last part of a name that an archive has: the file without its folders. */
export function baseName(name: string): string {
  return name.split(/[/\\]/).findLast((part) => part !== '') ?? name;
}
