import type {
  CompareResult,
  Foresight,
  ImageInfo,
  LeftBehind,
  MadeEdit,
  PendingChanges,
  RepairPlan,
  SaveResult,
  SnapshotChoice,
} from '../worker/api.ts';
import type { ChangeKind } from './change-kinds.ts';
import type { RunningJob } from './jobs.svelte.ts';
import type { Problem } from './problem.ts';

/** How changes may be saved, as it is chosen on the screen. */
export type SaveWay = 'place' | 'browser' | 'file' | 'patch';

/** What the person is asked about snapshots. */
export type SnapshotQuestion =
  { kind: 'create' } | { kind: 'apply' | 'delete'; snapshot: ImageInfo['snapshots'][number] };

/**
 * What a person decides on at once: `drops` gives up references to what cannot be read anyway,
 * `loses` also what might still be found.
 */
export type RepairGroup = 'safe' | 'guess' | 'drops' | 'loses';

/** The plan of a repair: what may be done, and what would be. */
export class RepairState {
  groups = $state.raw<readonly RepairGroup[]>(['safe']);
  job = $state.raw<RunningJob>();
  plan = $state.raw<RepairPlan>();
  problem = $state.raw<Problem>();
}

/** Two states of a disk and what they differ in; undefined is the disk as it is now. */
export class CompareState {
  /** They were chosen, by the person or for them. */
  chosen = $state(false);
  first = $state.raw<SnapshotChoice>();
  second = $state.raw<SnapshotChoice>();
  job = $state.raw<RunningJob>();
  result = $state.raw<CompareResult>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
}

/** What each snapshot would free when it is deleted, as far as looked at. Bytes, by its place. */
export class FreedState {
  bytes = $state.raw<readonly (number | undefined)[]>([]);
  job = $state.raw<RunningJob>();
}

/** The changes of one image: what runs, what went wrong, what came out. */
export class ChangesState {
  /** An edit or a saving that runs. */
  job = $state.raw<RunningJob>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  left = $state.raw<LeftBehind>();
  /** The person closed the question where to put the copy, or did not allow writing. */
  refused = $state<'place' | 'permission'>();
  way = $state<SaveWay>('browser');
  /** Name of a copy. */
  name = $state('');
  verify = $state(true);
  undo = $state(true);
  result = $state.raw<SaveResult>();
  /** Where a copy went, when the person chose the place. */
  handle = $state.raw<FileSystemFileHandle>();
  /** The change that was saved into the file was taken back. */
  takenBack = $state(false);
  /** What was saved last: to leave the app loses nothing as long as this is what is pending. */
  saved = $state.raw<PendingChanges>();
  /** Changes that a dead engine has lost. */
  lost = $state.raw<readonly MadeEdit[]>([]);
  /** Keys of the open images that the saved changes have taken over. */
  committed = $state.raw<readonly number[]>([]);
  /** The form of the menu that is open. */
  form = $state<ChangeKind>();
  /** Key of the open image that is to be the new base; undefined: none. */
  newBase = $state<number>();
  /** What emptying would do, where the person has to decide after all. */
  emptying = $state.raw<Foresight>();
  compare = $state.raw(new CompareState());
  freed = $state.raw(new FreedState());
  repair = $state.raw(new RepairState());
}
