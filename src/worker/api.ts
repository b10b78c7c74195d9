/**
 * What passes between the page and the engine's worker: plain data and typed arrays only.
 * Types only; importing this file loads nothing.
 */
import type { ErrorCode, ForeignContent } from '../engine/errors.ts';
import type {
  DestinationId,
  Judgement,
  Reason,
  Recipe,
  Verdict,
} from '../engine/destinations/destination.ts';
import type { FormatName } from '../engine/formats/format.ts';
import type { CheckReport } from '../engine/operations/check-report.ts';
import type { ChecksumReport } from '../engine/operations/checksum.ts';
import type { ChecksumVerdict, Expectation } from '../engine/operations/checksum-list.ts';
import type { ConvertPlan } from '../engine/operations/convert.ts';
import type { Finding, FindingKind, Owner, Severity } from '../engine/operations/finding.ts';
import type { FactKey, ImageInfo, LuksInfo } from '../engine/operations/inspect.ts';
import type { Stage } from '../engine/operations/operation.ts';
import type {
  EditRequest,
  EditResult,
  ForeseeRequest,
  Foresight,
  MadeEdit,
  PendingChanges,
  RecoveredChange,
  SaveRequest,
  SaveResult,
} from './api-changes.ts';
import type { CreateRequest, CreateResult } from './api-create.ts';
import type {
  CompactRequest,
  CompactResult,
  CompareReportsRequest,
  CompareReportsResult,
  DiagnoseRequest,
  DiagnoseResult,
  FingerprintRequest,
  FingerprintResult,
} from './api-diagnose.ts';
import type {
  AddressSpace,
  Bytes,
  CompareRequest,
  CompareResult,
  ContentsRequest,
  DiskContents,
  Picture,
  PictureRequest,
  PictureRun,
  Place,
  SearchRequest,
  SearchResult,
  StructureNode,
} from './api-view.ts';
import type {
  ApplianceFacts,
  InsideOf,
  ManifestRequest,
  ManifestVerdict,
  UnwrapRequest,
  UnwrapResult,
} from './api-wrapped.ts';

export type { ChecksumVerdict, Expectation };
export type { CheckReport, ConvertPlan, ErrorCode, Finding, FindingKind, ForeignContent };
export type { DestinationId, FactKey, Reason, Recipe, Verdict };
export type { FormatName, ImageInfo, LuksInfo, Owner, Severity, Stage };
export type * from './api-changes.ts';
export type * from './api-create.ts';
export type * from './api-diagnose.ts';
export type * from './api-view.ts';
export type * from './api-wrapped.ts';

export type ImageId = number;
export type JobId = number;

/** An error on its way: code and details survive, which comlink alone would lose. */
export interface WireError {
  code: ErrorCode;
  details: Record<string, unknown>;
  stack: string;
}

export interface OpenedImage {
  id: ImageId;
  info: ImageInfo;
  /** Milliseconds from the call to the answer, inside the worker. */
  elapsed: number;
  /**
   * What can be said at once of the tables against the file's length: how many bytes are missing
   * at the end at least, 0 when nothing points behind the end as far as looked.
   */
  missingBytes: number;
  /** The image and every file that it or one below it names, from the image down. */
  chain: ChainFile[];
  /** Changes that are made and not saved: all else is said of the image with them. */
  pending: PendingChanges | undefined;
  /** Changes that were taken back and can be made again: the one that comes next first. */
  undone: MadeEdit[];
  /** What was found wrong while it was opened, and could be put up with. */
  findings: readonly Finding[];
  /** How it can be checked; `ours`: qemu-img has no check of its format. */
  check: 'none' | 'as-qemu-img' | 'ours';
  /** What every destination says of it, in the order of the table. */
  destinations: Acceptance[];
  /** What it was taken out of, the file itself first; empty for an image that lies in no wrapper. */
  inside: InsideOf[];
  /** What the wrapper says of the virtual machine that the disk belongs to. */
  appliance: ApplianceFacts | undefined;
}

/** What a destination says of an image, and what would be made of it there. */
export interface Acceptance extends Judgement {
  /** A proper name, the same in every language. */
  name: string;
  recipe: Recipe;
  /** Bytes of the disk in what would be made. */
  size: number;
  /** To be run there; `FILE` stands for the file's name. */
  commands: readonly string[];
}

/** A place in a chain and the file that was given for it. Sizes in bytes. */
export interface ChainFile {
  /** Names the place for {@link EngineApi.attach} and others; '' is the image itself. */
  key: string;
  kind: 'image' | 'backing' | 'data-file' | 'extent';
  /** 0 for the image; a backing image is one deeper, other files as deep as what names them. */
  depth: number;
  /** The name as the image above has it; for the image itself, its own. */
  name: string;
  reference: FileReference;
  /** Names of the file, without folders, that the image has besides. */
  otherNames: string[];
  /** The format that the image above records; '' when none. */
  recordedFormat: string;
  /**
   * - `missing`: nobody gave it.
   * - `locked`: open, but encrypted, and the passphrase was not given.
   * - `loop`: what was given is above it in the chain already; it is not used.
   * - `wrong`: what was given cannot be read as what it has to be; it is not used.
   */
  state: 'open' | 'missing' | 'locked' | 'loop' | 'wrong';
  /** What was given; `modified` in milliseconds since 1970. */
  file: { name: string; size: number; modified: number } | undefined;
  /** As what it is read. */
  format: FormatName | undefined;
  /** Of its disk; undefined for a data file, an extent and while it is not open. */
  virtualSize: number | undefined;
  encryption: 'none' | 'aes' | 'luks';
  luks: LuksInfo | undefined;
  /** How long trying one passphrase may take, roughly. */
  unlockSeconds: number;
  /**
   * Of an image in the legacy AES, whose right passphrase nothing tells from a wrong one: whether the
   * disk begins like one. Undefined for others, and where it begins with nothing.
   */
  looksRight: boolean | undefined;
  /** Why it is `loop` or `wrong`. */
  problem: WireError | undefined;
  doubts: ChainDoubt[];
}

/** What the name of another file in an image says. It is shown and never followed. */
export interface FileReference {
  /** `path`: a file; `protocol`: an address as `nbd://…`; `json`: options as `json:{…}`. */
  kind: 'path' | 'protocol' | 'json';
  /** The protocol or drivers that QEMU would use, outermost first; empty for a path. */
  drivers: string[];
  /** The name of the file without folders; '' where there is none. */
  fileName: string;
  /** The path or address inside the options; for other kinds the name itself. */
  target: string;
}

/** What is suspicious about a file of a chain without keeping it from being read. */
export type ChainDoubt =
  /** The file has another name than the image says. */
  | { kind: 'other-name'; expected: string }
  /** The content looks like another format than the recorded one, by which it is read. */
  | { kind: 'format'; recorded: string; found: string }
  /** The content is no disk at all, by the look of it, and read as a raw disk. */
  | { kind: 'foreign'; looksLike: ForeignContent }
  /** Virtual sizes, bytes: the base ends before the disk above it, or goes on behind its end. */
  | { kind: 'base-smaller' | 'base-larger'; base: number; overlay: number }
  /** It was modified after the file above it. Milliseconds since 1970. */
  | { kind: 'changed-later'; base: number; overlay: number }
  /** Nothing tells it apart from another file of the chain. */
  | { kind: 'same-file'; other: string }
  /** Bytes: the data file is shorter than the disk that it holds. */
  | { kind: 'data-file-short'; size: number; disk: number };

/** A file of several that were given together, and where it lay: `folder/sub/name`. */
export interface GivenFile {
  file: File;
  path: string;
}

/** What a dirty bitmap marks. */
export interface BitmapContents {
  /** Guest bytes that are marked. */
  marked: number;
  ranges: number;
  /** The first of the ranges, bytes. */
  first: { offset: number; length: number }[];
}

export interface OpenOptions {
  /** Take the content as a raw disk, whatever it looks like. */
  raw?: boolean;
}

/** Where a result of one file goes. */
export type FileTarget =
  /** A file that the person chose; changes become visible when the browser closes it. */
  | { kind: 'handle'; handle: FileSystemFileHandle }
  /** A file in the browser's private storage, given out as a download afterwards. */
  | { kind: 'private'; name: string };

/** Where a result goes. */
export type Target =
  | FileTarget
  /** Files beside each other in a folder that the person chose; `name` is that of the first. */
  | { kind: 'folder'; handle: FileSystemDirectoryHandle; name: string };

/** What a conversion makes. */
export type Goal =
  /** `options` as `-o` takes them; `compress`: what can be packed is. */
  | {
      kind: 'format';
      format: FormatName;
      options: Readonly<Record<string, string>>;
      compress: boolean;
    }
  | { kind: 'destination'; id: DestinationId };

export type JobRequest =
  | { kind: 'check'; image: ImageId }
  | ConvertRequest
  | PlanRequest
  | ChecksumRequest
  | EditRequest
  | ForeseeRequest
  | SaveRequest
  | UnwrapRequest
  | ManifestRequest
  | PictureRequest
  | SearchRequest
  | ContentsRequest
  | CompareRequest
  | CreateRequest
  | DiagnoseRequest
  | CompactRequest
  | CompareReportsRequest
  | FingerprintRequest
  | CommandRequest;

export interface ConvertRequest {
  kind: 'convert';
  image: ImageId;
  /** The disk as this internal snapshot keeps it; without it, as it is now. */
  snapshot?: SnapshotChoice | undefined;
  /** A raw disk by default. */
  goal?: Goal | undefined;
  /** Bytes that the result will take, as far as known. */
  expected?: number | undefined;
  target: Target;
  verify: boolean;
}

/** Looks at the tables of the whole chain: how much of the disk is data, zeros, unknown. */
export interface PlanRequest {
  kind: 'plan';
  image: ImageId;
  snapshot?: SnapshotChoice | undefined;
}

/** Both, because neither alone has to be unique. */
export interface SnapshotChoice {
  id: string;
  name: string;
}

export type HashName = ChecksumReport['algorithm'];

/** The digest of an image's file, or of the content that the guest reads. */
export interface ChecksumRequest {
  kind: 'checksum';
  image: ImageId;
  of: 'file' | 'content';
  algorithm: HashName;
}

/** What a job may end with. */
export interface JobResults {
  check: CheckReport;
  checksum: ChecksumResult;
  plan: ConvertPlan;
  convert: ConvertResult;
  command: CommandResult;
  edit: EditResult;
  foresee: Foresight;
  save: SaveResult;
  unwrap: UnwrapResult;
  manifest: ManifestVerdict[];
  picture: Picture;
  search: SearchResult;
  contents: DiskContents;
  compare: CompareResult;
  create: CreateResult;
  diagnose: DiagnoseResult;
  compact: CompactResult;
  'compare-reports': CompareReportsResult;
  fingerprint: FingerprintResult;
}

export interface ConvertResult {
  /** Name of the result, or of the first of its files. */
  name: string;
  /** Bytes of the disk in it. */
  size: number;
  /** Guest bytes that were copied; the rest of the disk are zeros, not written. */
  copied: number;
  /** All files that it consists of; apparent sizes, bytes. */
  files: { name: string; size: number }[];
  /** Whether the result was read again and compared with the source. */
  verified: boolean;
  milliseconds: number;
}

/** A digest in lower-case hexadecimal, of `size` bytes. */
export interface ChecksumResult extends ChecksumReport {
  milliseconds: number;
}

/** A list of checksums (or one digest) as text, and a file with the digests known of it. */
export interface ListQuestion {
  text: string;
  name: string;
  digests: Partial<Record<HashName, string>>;
}

export interface ListAnswer {
  expectation: Expectation;
  /** Undefined as long as the digest that is wanted is not known. */
  verdict: ChecksumVerdict | undefined;
}

/** A line of the console. */
export interface CommandRequest {
  kind: 'command';
  line: string;
  /** The same without passphrases, to be shown; the line itself where it has none. */
  shown?: string | undefined;
}

export interface CommandResult {
  exitCode: number;
  /** Files that the command made in private storage, or changed there. */
  files: PrivateFile[];
  /** Open images that it changed: not their files, the changes wait to be saved. */
  changed: EditResult[];
}

/** A file in the browser's private storage. */
export interface PrivateFile {
  name: string;
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}

export type JobEvent =
  | {
      type: 'progress';
      stage: Stage;
      /** Bytes of work. */
      done: number;
      total: number;
      /** Bytes a second over the last seconds; 0 while unknown. */
      rate: number;
    }
  | { type: 'output'; stream: 'out' | 'err'; text: string }
  | { type: 'done'; result: JobResults[keyof JobResults] }
  | { type: 'failed'; error: WireError; left: LeftBehind | undefined };

/**
 * What became of the result of a job that did not end well.
 * - `removed`: there is nothing of it.
 * - `untouched`: the chosen file is as it was before.
 * - `unverified`: the file is written to its end, but was not compared with the source.
 * - `partial`: an unfinished file is still there; it could not be removed.
 */
export interface LeftBehind {
  name: string;
  state: 'removed' | 'untouched' | 'unverified' | 'partial';
}

/** What the worker can do on this browser. */
export interface EngineFacts {
  version: string;
  /** OPFS with synchronous handles works. */
  privateStorage: boolean;
  /** OPFS lives in memory (private window): results over about 1 GiB cannot be made in it. */
  privateStorageInMemory: boolean;
}

/** The worker's door. Flat: proxies of proxies have lost calls before (comlink issue 692). */
export interface EngineApi {
  facts(): Promise<EngineFacts>;
  /** Opens an image for reading. Rejects with an ImageError. */
  open(file: File, options: OpenOptions): Promise<OpenedImage>;
  /**
   * Gives the file for a place of its chain, or another one than before. A file that cannot be used
   * there is no error: its state says `loop` or `wrong`.
   */
  attach(image: ImageId, key: string, file: File): Promise<OpenedImage>;
  /**
   * Gives several at once: each place that is missing gets the file that has its name, as long as
   * there are such places. Of several of that name, the one whose folders fit best; none when that
   * does not decide it.
   */
  attachAll(image: ImageId, files: GivenFile[]): Promise<OpenedImage>;
  /** Takes a file of its chain away again. */
  detach(image: ImageId, key: string): Promise<OpenedImage>;
  /**
   * Unlocks a file of its chain; the passphrase is overwritten afterwards, and only the key that it
   * opens is kept until the image is closed. Rejects with `wrong-passphrase`.
   */
  unlock(image: ImageId, key: string, passphrase: Uint8Array<ArrayBuffer>): Promise<OpenedImage>;
  /** What the dirty bitmap of that name marks. */
  bitmap(image: ImageId, name: string): Promise<BitmapContents>;
  /** Takes back the last change that is not saved, or all of them. */
  undoEdit(image: ImageId): Promise<OpenedImage>;
  clearEdits(image: ImageId): Promise<OpenedImage>;
  /** Makes the change again that was taken back last, as long as no other was made since. */
  redoEdit(image: ImageId): Promise<OpenedImage>;
  /** What is at an address. */
  place(image: ImageId, space: AddressSpace, offset: number): Promise<Place>;
  /** Runs of one kind from the one that `offset` is in, at most so many. */
  runs(image: ImageId, space: AddressSpace, offset: number, most: number): Promise<PictureRun[]>;
  /** What is below a node of the structure tree, from the one of that number on; '' for the top. */
  nodes(image: ImageId, id: string, from: number, most: number): Promise<StructureNode[]>;
  /** The nodes that lead to the innermost structure at an address of the file, outermost first. */
  nodesAt(image: ImageId, offset: number): Promise<StructureNode[]>;
  /** The nodes that lead to the one with that id, itself last. */
  nodesTo(image: ImageId, id: string): Promise<StructureNode[]>;
  /** At most 1 MiB; less at the end. */
  bytes(image: ImageId, space: AddressSpace, offset: number, length: number): Promise<Bytes>;
  /** Changes that a dead worker left in the middle, resolved when this one started. */
  recoveredChanges(): Promise<RecoveredChange[]>;
  close(image: ImageId): Promise<void>;
  /** Forgets what was unpacked for a choice that nobody makes any more. */
  leaveChoice(session: number): Promise<void>;
  /** What published checksums say of a file. */
  askList(question: ListQuestion): Promise<ListAnswer>;
  /**
   * Starts a job; its events ({@link JobEvent}) come through the port, the last one is `done` or
   * `failed`. The port is the worker's then, which closes it at the end.
   */
  start(request: JobRequest, events: MessagePort): Promise<JobId>;
  /** Asks a job to stop; it ends with `failed` and the code `cancelled`. */
  cancel(job: JobId): Promise<void>;
  /** Lets a job stand still until {@link resume}; it can be cancelled meanwhile. */
  pause(job: JobId): Promise<void>;
  resume(job: JobId): Promise<void>;
  /** Answers at once: a sign of life. */
  ping(): Promise<void>;
  /** Results that lie in private storage. */
  privateFiles(): Promise<PrivateFile[]>;
  privateFile(name: string): Promise<File>;
  deletePrivateFile(name: string): Promise<void>;
}
