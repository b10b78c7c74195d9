/**
 * What passes between the page and the worker about changing images: plain data. Types only.
 * Changes are made one after the other on an overlay of the image's file; nothing of them is in the
 * file before they are saved.
 */
import type { ErrorCode } from '../engine/errors.ts';
import type {
  RepairChoice,
  RepairClass,
  RepairKind,
  RepairPlan,
} from '../engine/formats/qcow2/repair/plan.ts';
import type { CheckReport } from '../engine/operations/check-report.ts';
import type { ResizePlan } from '../engine/operations/resize.ts';
import type {
  FileTarget,
  FormatName,
  ImageId,
  OpenedImage,
  PrivateFile,
  SnapshotChoice,
} from './api.ts';

export type { RepairChoice, RepairClass, RepairKind, RepairPlan, ResizePlan };

/** One change of an image. */
export type Edit =
  | { kind: 'repair'; choice: RepairChoice }
  | { kind: 'create-snapshot'; name: string }
  | { kind: 'apply-snapshot' | 'delete-snapshot'; snapshot: SnapshotChoice }
  /** Virtual size in bytes, whole sectors. */
  | { kind: 'resize'; size: number }
  /** A bitmap that records changes from now on; granularity in bytes, undefined: as QEMU chooses. */
  | { kind: 'add-bitmap'; name: string; granularity?: number | undefined; disabled?: boolean }
  /** One that marks nothing any more; one less; one that records, or stops recording. */
  | {
      kind: 'clear-bitmap' | 'remove-bitmap' | 'enable-bitmap' | 'disable-bitmap';
      name: string;
    }
  /** What `from` marks is marked in `name`, too. */
  | { kind: 'merge-bitmap'; name: string; from: string }
  /** Another name for the image below; nothing is copied: what the guest reads may change. */
  | { kind: 'rename-backing'; name: string; format: FormatName | '' }
  /**
   * Another image below, or none; what the guest reads stays as it is. `image` is that image, open
   * in this worker.
   */
  | {
      kind: 'rebase';
      to: { image: ImageId; name: string; format: FormatName } | undefined;
      compress: boolean;
    }
  /**
   * Options of the format, as `amend -o` takes them: `compat`, `lazy_refcounts`, `refcount_bits`,
   * `data_file`, `data_file_raw`, `backing_file`, `backing_fmt`, `size`.
   */
  | { kind: 'amend'; options: Readonly<Record<string, string>> }
  /** Of the image below: takes over what `from`, an open image over it, has. */
  | { kind: 'commit'; from: ImageId }
  /** Nothing is in it any more, so that what lies below shows: after a commit. */
  | { kind: 'empty' }
  /**
   * Another passphrase beside `current`, which opens the image already: the worker keeps none. The
   * bytes are moved to the worker, and are empty in what it answers.
   */
  | {
      kind: 'add-passphrase';
      passphrase: Uint8Array<ArrayBuffer>;
      current: Uint8Array<ArrayBuffer>;
      /** Undefined: the first that is not in use. */
      slot: number | undefined;
    }
  /** One key slot less; never the last. */
  | { kind: 'remove-passphrase'; slot: number }
  /** What an undo file or a patch describes. */
  | { kind: 'patch'; file: File }
  /** What a command line did; never asked for, only told. */
  | { kind: 'command'; line: string };

export type EditKind = Edit['kind'];

/** An edit that is made, and what it did. Bytes. */
export interface MadeEdit {
  edit: Edit;
  /** Size of the file before and after it. */
  fileSize: { before: number; after: number };
  /** What it takes and gives back within the file; undefined where nobody counts that. */
  taken: number | undefined;
  freed: number | undefined;
  /** What the repair did, for a repair. */
  repaired: RepairPlan['sums'];
  /** The virtual size before, for a resize. */
  oldSize: number;
}

/** An image's file in numbers. */
export interface FileState {
  /** Bytes. */
  size: number;
  /** As `qemu-img check` counts; undefined where the check does not get that far. */
  findings: Pick<CheckReport, 'corruptions' | 'leaks' | 'checkErrors'> | undefined;
}

/** What is made and not saved. */
export interface PendingChanges {
  edits: MadeEdit[];
  before: FileState;
  after: FileState;
  /** Bytes that are different, in so many runs and clusters. */
  bytes: number;
  runs: number;
  clusters: number;
}

/** Makes a change on the overlay, and checks the result. */
export interface EditRequest {
  kind: 'edit';
  image: ImageId;
  edit: Edit;
}

export interface EditResult {
  opened: OpenedImage;
  /** The check of the image with the change. */
  report: CheckReport;
}

/** Looks at what a change would do; nothing is changed, not even on the overlay. */
export interface ForeseeRequest {
  kind: 'foresee';
  image: ImageId;
  edit: Edit;
}

/** What a change would do, as far as there is something to say beforehand. */
export interface Foresight {
  repair: RepairPlan | undefined;
  /** Bytes within the file that deleting a snapshot, or emptying, would free: exact. */
  freed: number | undefined;
  resize: ResizePlan | undefined;
  /** What a rebase or a commit would take over. */
  takes: TakenOver | undefined;
  /**
   * What the guest would read differently after emptying: exact, bytes. Undefined where it cannot be
   * known, as what lies below is not open; that, too, is a reason not to do it.
   */
  different: number | undefined;
}

/** Guest bytes that go from one image into another. */
export interface TakenOver {
  /** Content that is copied. */
  data: number;
  /** What becomes zeros. */
  zeros: number;
  /**
   * Whether that is counted (a commit). Of a rebase it is the most that it can be: where the two
   * images below hold the same bytes in different places, nothing is taken over.
   */
  exact: boolean;
}

/** How changes are saved. */
export type Way =
  /** A new file with all of the image; the old one stays. */
  | { kind: 'copy'; target: FileTarget; verify: boolean }
  /** Into the file itself, for which writing is allowed. */
  | { kind: 'local'; handle: FileSystemFileHandle; undo: boolean }
  /** Into the file itself, which lies in private storage under this name. */
  | { kind: 'private'; name: string; undo: boolean }
  /** As a patch with a script for sh and one for PowerShell, in private storage. */
  | { kind: 'patch' };

export interface SaveRequest {
  kind: 'save';
  image: ImageId;
  way: Way;
}

export interface SaveResult {
  way: Way['kind'];
  /** The file that has the change now; of a patch, the patch. */
  name: string;
  size: number;
  /** Bytes that were written because of the change. */
  bytes: number;
  /** Whether what was written was read again and compared. */
  verified: boolean;
  /** What takes the change back, in private storage. */
  undo: PrivateFile | undefined;
  /** All that belongs to a patch, in private storage. */
  files: PrivateFile[];
  /** Whether the scripts of a patch hold all of it, so that one of them is enough. */
  standAlone: boolean;
  milliseconds: number;
}

/** A change of a file in private storage that was interrupted, and what became of it. */
export interface RecoveredChange {
  /** The file. */
  name: string;
  /**
   * - `dropped`: it had not happened; the file is the old one.
   * - `finished`: it had happened, and is in the file now.
   * - `failed`: the file is not the one that the change was made for, or cannot be written now.
   */
  outcome: 'dropped' | 'finished' | 'failed';
  code: ErrorCode | undefined;
}

/** What the tabs of this app tell each other: the file of this name has changed. */
export interface ChangedMessage {
  name: string;
}
