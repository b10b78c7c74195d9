/** Disks that are wrapped in other files: compressed ones, archives, appliances. Types only. */
import type { ManifestVerdict } from '../engine/containers/manifest.ts';
import type { OvfFacts } from '../engine/containers/ovf.ts';
import type { ContainerKind, ContainerProblem } from '../engine/errors.ts';
import type { OpenedImage } from './api.ts';

export type { ContainerKind, ContainerProblem, ManifestVerdict, OvfFacts };

/** One wrapper on the way to a disk. */
export interface InsideOf {
  container: ContainerKind;
  /** What the wrapper is called. */
  name: string;
  /** The file in it that leads on. */
  entry: string;
}

/** What the description of an exported virtual machine says. */
export interface ApplianceFacts {
  ovf: OvfFacts;
  /** Files in its list of digests; undefined where it has none. */
  listed: number | undefined;
}

/** Opens the disk in a file; the file that the person chose, where there were several. */
export interface UnwrapRequest {
  kind: 'unwrap';
  file: File;
  /** Take what is in it as a raw disk. */
  raw: boolean;
  choice?: { session: number; entry: number } | undefined;
}

export type UnwrapResult =
  | { kind: 'opened'; opened: OpenedImage }
  /** Several may be the disk: the request is to be made again with one of them. */
  | { kind: 'choice'; choice: WrappedChoice };

export interface WrappedChoice {
  /** What was unpacked so far is kept under this number, until {@link EngineApi.leaveChoice}. */
  session: number;
  container: ContainerKind;
  /** What the wrapper is called. */
  name: string;
  entries: WrappedEntry[];
  /** There are more that are not told. */
  cut: boolean;
}

export interface WrappedEntry {
  name: string;
  /** Bytes; undefined where only unpacking tells. */
  size: number | undefined;
  isLikelyDisk: boolean;
  /** Why it cannot be opened. */
  refusal: ContainerProblem | undefined;
}

/** Compares the files of an appliance with its list of digests. */
export interface ManifestRequest {
  kind: 'manifest';
  image: number;
}
