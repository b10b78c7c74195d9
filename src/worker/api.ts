/**
 * What passes between the page and the engine's worker: plain data and typed arrays only.
 * Types only; importing this file loads nothing.
 */
import type { ErrorCode, ForeignContent } from '../engine/errors.ts';
import type { CheckReport } from '../engine/operations/check-report.ts';
import type { ChecksumReport } from '../engine/operations/checksum.ts';
import type { ChecksumVerdict, Expectation } from '../engine/operations/checksum-list.ts';
import type { Finding, FindingKind, Owner, Severity } from '../engine/operations/finding.ts';
import type { ImageInfo } from '../engine/operations/inspect.ts';
import type { Stage } from '../engine/operations/operation.ts';

export type { ChecksumVerdict, Expectation };
export type { CheckReport, ErrorCode, Finding, FindingKind, ForeignContent, ImageInfo };
export type { Owner, Severity, Stage };

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
}

export interface OpenOptions {
  /** Take the content as a raw disk, whatever it looks like. */
  raw?: boolean;
}

/** Where a result goes. */
export type Target =
  /** A file that the person chose; changes become visible when the browser closes it. */
  | { kind: 'handle'; handle: FileSystemFileHandle }
  /** A file in the browser's private storage, given out as a download afterwards. */
  | { kind: 'private'; name: string };

export type JobRequest =
  | { kind: 'check'; image: ImageId }
  | { kind: 'convert'; image: ImageId; target: Target; verify: boolean }
  | ChecksumRequest
  | { kind: 'command'; line: string };

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
  convert: ConvertResult;
  command: CommandResult;
}

export interface ConvertResult {
  /** Name and apparent size of the result, bytes. */
  name: string;
  size: number;
  /** Guest bytes that were copied; the rest of `size` are zeros, not written. */
  copied: number;
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

export interface CommandResult {
  exitCode: number;
  /** Files that the command made in private storage. */
  files: PrivateFile[];
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
  /** Opens it again, under the same id, with `file` as the backing image that is missing. */
  attachBacking(image: ImageId, file: File): Promise<OpenedImage>;
  close(image: ImageId): Promise<void>;
  /** What published checksums say of a file. */
  askList(question: ListQuestion): Promise<ListAnswer>;
  /**
   * Starts a job; its events ({@link JobEvent}) come through the port, the last one is `done` or
   * `failed`. The port is the worker's then, which closes it at the end.
   */
  start(request: JobRequest, events: MessagePort): Promise<JobId>;
  /** Asks a job to stop; it ends with `failed` and the code `cancelled`. */
  cancel(job: JobId): Promise<void>;
  /** Answers at once: a sign of life. */
  ping(): Promise<void>;
  /** Results that lie in private storage. */
  privateFiles(): Promise<PrivateFile[]>;
  privateFile(name: string): Promise<File>;
  deletePrivateFile(name: string): Promise<void>;
}
