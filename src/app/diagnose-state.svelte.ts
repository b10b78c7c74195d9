import type {
  Area,
  BaseFingerprint,
  CompactResult,
  DiagnoseResult,
  LeftBehind,
} from '../worker/api.ts';
import type { NamedComparison } from './diagnose-report.ts';
import type { RunningJob } from './jobs.svelte.ts';
import type { Problem } from './problem.ts';

/** The compaction of one image: what is wanted, what runs, what came out. */
export class CompactState {
  /** Its form is shown. */
  open = $state(false);
  snapshots = $state(true);
  name = $state('');
  where = $state<'place' | 'browser'>('browser');
  verify = $state(true);
  job = $state.raw<RunningJob>();
  result = $state.raw<CompactResult>();
  /** Where the result is, when it went to a place that the person chose. */
  handle = $state.raw<FileSystemFileHandle>();
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  left = $state.raw<LeftBehind>();
  /** The person closed the question where to put it. */
  notChosen = $state(false);
  deleted = $state(false);
}

/** The diagnosis of one image: before, during and after. */
export class DiagnoseState {
  job = $state.raw<RunningJob>();
  result = $state.raw<DiagnoseResult>();
  /** The image was changed since it was diagnosed. */
  outdated = $state(false);
  problem = $state.raw<Problem>();
  cancelled = $state(false);
  area = $state<Area | 'all'>('all');
  compact = $state.raw(new CompactState());
  /** The diagnosis against an earlier report. */
  comparison = $state.raw<NamedComparison>();
  /** What is remembered of the image below; undefined: nothing. */
  remembered = $state.raw<BaseFingerprint>();
  remembering = $state(false);
}
