import type {
  AddressSpace,
  ChainFile,
  CheckReport,
  ConvertPlan,
  ConvertResult,
  DestinationId,
  ImageInfo,
  LeftBehind,
  ManifestVerdict,
  OpenedImage,
  PendingChanges,
  SnapshotChoice,
  WrappedChoice,
} from '../worker/api.ts';
import { ChecksumState } from './checksum-state.svelte.ts';
import { ChangesState } from './changes-state.svelte.ts';
import { DiagnoseState } from './diagnose-state.svelte.ts';
import type { Chosen } from './files.ts';
import type { Chosen as ChosenOptions, TargetFormat, Wanted } from './goal.ts';
import type { RunningJob } from './jobs.svelte.ts';
import type { Problem } from './problem.ts';

/** What can be done with an image: its tabs, in the order of the keys 1 to 9 and 0. */
export const PANELS = [
  'overview',
  'map',
  'structure',
  'check',
  'diagnose',
  'convert',
  'snapshots',
  'changes',
  'checksum',
  'console',
] as const;
export type Panel = (typeof PANELS)[number];

/** The key of a panel by its place: 1 to 9, then 0; '' behind that. */
export function panelKey(index: number): string {
  return '1234567890'[index] ?? '';
}

/** A place that is looked at: the map, the structures and the bytes follow it. Bytes. */
export interface Focus {
  space: AddressSpace;
  offset: number;
  length: number;
}

/** The check of one image: before, during and after. */
export class CheckState {
  job = $state.raw<RunningJob>();
  report = $state.raw<CheckReport>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  /** Milliseconds that it took. */
  elapsed = $state(0);
}

/** The conversion of one image: what is wanted, what runs, what came out. */
export class ConvertState {
  /** Name of the result. */
  name = $state('');
  /** The destination that it is to be for; undefined: `format` counts. */
  destination = $state<DestinationId>();
  format = $state<TargetFormat>('raw');
  /** What was chosen about the format. */
  chosen = $state.raw<ChosenOptions>({});
  /** The snapshot to be converted; undefined for the disk as it is now. */
  snapshot = $state.raw<SnapshotChoice>();
  where = $state<'place' | 'browser'>('browser');
  /** The person has chosen where, not the app. */
  whereChosen = false;
  /** Whether a result in the browser is downloaded without being asked again; undefined: the app says. */
  downloads = $state<boolean>();
  verify = $state(true);
  job = $state.raw<RunningJob>();
  result = $state.raw<ConvertResult>();
  /** Where the result is, when it went to a place that the person chose. */
  handle = $state.raw<FileSystemFileHandle>();
  folder = $state.raw<FileSystemDirectoryHandle>();
  /** What was wished when the result was made. */
  after = $state.raw<Wanted>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  left = $state.raw<LeftBehind>();
  /** The person closed the question where to put it. */
  notChosen = $state(false);
  downloaded = $state(false);
  deleted = $state(false);
}

/** What is known of the files of an image beside itself. */
export class ChainState {
  /** What the person gave, by its place in the chain, in the order in which it was given. */
  given = $state.raw<readonly GivenChosen[]>([]);
  /** Why the last file could not even be tried. */
  problem = $state.raw<Problem>();
  /** A folder is being looked through. */
  searching = $state(false);
  search = $state.raw<SearchResult>();
}

/** A file that the person gave for a place of the chain. */
export interface GivenChosen {
  key: string;
  chosen: Chosen;
}

/** What came of looking for missing files among many. */
export interface SearchResult {
  /** Names of files that were found and given. */
  found: string[];
  /** Names that none or several of the files have. */
  notThere: string[];
  several: string[];
  /** How many names were looked at, and whether there were more. */
  looked: number;
  cut: boolean;
}

/** What is known of the file that a disk is inside of. */
export class WrappedState {
  /** Its content is no disk but has others in it: by now, that is known. */
  found = $state(false);
  /** Unpacks, or compares with the manifest. */
  job = $state.raw<RunningJob>();
  /** The files of which the person is to choose one. */
  choice = $state.raw<WrappedChoice>();
  /** Takes the index of the chosen one; undefined: none of them. */
  choose: (index: number | undefined) => void = () => undefined;
  verdicts = $state.raw<readonly ManifestVerdict[]>();
  problem = $state.raw<Problem>();
}

let keys = 0;

/** One file that the person opened, with all that is known of it. Big data is never deep state. */
export class OpenImage {
  readonly key = ++keys;
  chosen = $state.raw<Chosen>() as Chosen;
  phase = $state<'opening' | 'open' | 'failed'>('opening');
  opened = $state.raw<OpenedImage>();
  problem = $state.raw<Problem>();
  /** Taken as a raw disk because the person said so. */
  raw = $state(false);
  /** The file on disk is not the one that was opened any more. */
  changed = $state(false);
  /** What its file is wrapped in was opened, or is being opened. */
  wrapped = $state.raw(new WrappedState());
  files = $state.raw(new ChainState());
  /** The file of the chain whose passphrase is being asked for. */
  unlocking = $state.raw<ChainFile>();
  /** How the disk divides into data, zeros and unknown, by {@link planKey}; as far as looked at. */
  plans = $state.raw<Readonly<Record<string, ConvertPlan>>>({});
  panel = $state<Panel>('overview');
  /** The place that is looked at; undefined: none yet. */
  focus = $state.raw<Focus>();
  check = $state.raw(new CheckState());
  diagnose = $state.raw(new DiagnoseState());
  convert = $state.raw(new ConvertState());
  checksum = $state.raw(new ChecksumState());
  changes = $state.raw(new ChangesState());
  /** The person wants to close it although changes are not saved, and is asked. */
  closing = $state(false);

  constructor(chosen: Chosen) {
    this.chosen = chosen;
  }

  get name(): string {
    return this.chosen.file.name;
  }

  /** What its disk is called: in a wrapper, as the file there. */
  get diskName(): string {
    const entry = this.opened?.inside.at(-1)?.entry;
    return entry?.split(/[/\\]/).at(-1) ?? this.name;
  }

  get info(): ImageInfo | undefined {
    return this.opened?.info;
  }

  /** Whether something works on it now. */
  get busy(): boolean {
    return (
      this.check.job !== undefined ||
      this.diagnose.job !== undefined ||
      this.diagnose.compact.job !== undefined ||
      this.convert.job !== undefined ||
      this.changes.job !== undefined ||
      this.wrapped.job !== undefined ||
      this.checksum.busy
    );
  }

  /** Changes that are made on a layer over the file: all else that is known is with them. */
  get pending(): PendingChanges | undefined {
    return this.opened?.pending;
  }

  /** Changes that would be lost if the app were closed now. */
  get unsaved(): number {
    const { pending } = this;
    return pending === undefined || pending === this.changes.saved ? 0 : pending.edits.length;
  }

  /** The image and the files that it needs, from the image down. */
  get chain(): readonly ChainFile[] {
    return this.opened?.chain ?? [];
  }

  /** The first file of the chain without which the disk is not whole; undefined when it is. */
  get gap(): ChainFile | undefined {
    return this.chain.find(({ state }) => state !== 'open');
  }

  /** How the disk as it is now divides, once it was looked at. */
  get plan(): ConvertPlan | undefined {
    return this.plans[planKey(undefined)];
  }
}

/** Under which a plan of the disk, or of a snapshot of it, is kept. */
export function planKey(snapshot: SnapshotChoice | undefined): string {
  return snapshot === undefined ? '' : `${snapshot.id}\0${snapshot.name}`;
}
