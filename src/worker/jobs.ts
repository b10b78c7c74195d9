import {
  checkImage,
  type CheckReport,
  convertToRaw,
  holdWork,
  ImageError,
  planConvert,
  releaseWork,
  throwIfCancelled,
} from '../engine/index.ts';
import type {
  CommandRequest,
  CommandResult,
  CompactRequest,
  CompactResult,
  CompareReportsRequest,
  CompareReportsResult,
  CompareRequest,
  CompareResult,
  ContentsRequest,
  ConvertPlan,
  ConvertRequest,
  ConvertResult,
  CreateRequest,
  CreateResult,
  DiagnoseRequest,
  DiagnoseResult,
  DiskContents,
  EditRequest,
  EditResult,
  FileTarget,
  FingerprintRequest,
  FingerprintResult,
  ForeseeRequest,
  Foresight,
  Goal,
  JobEvent,
  JobId,
  JobRequest,
  JobResults,
  LeftBehind,
  Picture,
  PictureRequest,
  PlanRequest,
  SaveRequest,
  SaveResult,
  SearchRequest,
  SearchResult,
} from './api.ts';
import { checksum } from './checksum.ts';
import { codecPool } from './codec-pool.ts';
import type { Images } from './images.ts';
import type { JobContext } from './job.ts';
import { Meter } from './meter.ts';
import { Output } from './output.ts';
import { openResult } from './results.ts';
import { verifyCopy } from './verify.ts';
import { toWire } from './wire.ts';
import { unwrap, verifyAppliance } from './wrapped.ts';
import { RecordingStorage, WrittenDisk } from './written.ts';

/** Findings that go to the page; all are counted. */
const FINDINGS = 1000;

/** The jobs of this worker. */
export class Jobs {
  readonly #images: Images;
  readonly #running = new Map<JobId, AbortController>();
  #next = 1;

  constructor(images: Images) {
    this.#images = images;
  }

  /** Starts a job; what becomes of it goes to `port`, which is closed at the end. */
  start(request: JobRequest, port: MessagePort): JobId {
    const id = this.#next++;
    const controller = new AbortController();
    this.#running.set(id, controller);
    void this.#run(request, port, controller.signal).finally(() => this.#running.delete(id));
    return id;
  }

  /** Asks a job to stop. Nothing happens when it has ended. */
  cancel(id: JobId): void {
    this.#running.get(id)?.abort();
  }

  /** Lets a job stand still until {@link resume}. Nothing happens when it has ended. */
  pause(id: JobId): void {
    const signal = this.#running.get(id)?.signal;
    if (signal !== undefined) holdWork(signal);
  }

  resume(id: JobId): void {
    const signal = this.#running.get(id)?.signal;
    if (signal !== undefined) releaseWork(signal);
  }

  /** Never rejects: a failure is the job's last event. */
  async #run(request: JobRequest, port: MessagePort, signal: AbortSignal): Promise<void> {
    const send = (event: JobEvent): void => port.postMessage(event);
    const meter = new Meter(send);
    const output = new Output(send);
    let left: LeftBehind | undefined;
    const context: JobContext = {
      images: this.#images,
      signal,
      progress: (progress) => meter.report(progress),
      output: (stream, text) => output.write(stream, text),
      leave: (what) => {
        left = what;
      },
    };
    try {
      const result = await perform(request, context);
      output.flush();
      port.postMessage({ type: 'done', result } satisfies JobEvent, transferables(result));
    } catch (error) {
      output.flush();
      send({ type: 'failed', error: toWire(error), left });
    } finally {
      port.close();
    }
  }
}

function perform(request: JobRequest, context: JobContext): Promise<JobResults[keyof JobResults]> {
  switch (request.kind) {
    case 'check':
      return check(request.image, context);
    case 'checksum':
      return checksum(request, context);
    case 'convert':
      return convert(request, context);
    case 'plan':
      return plan(request, context);
    case 'edit':
    case 'foresee':
    case 'save':
      return change(request, context);
    case 'unwrap':
      return unwrap(request, context);
    case 'manifest':
      return verifyAppliance(request.image, context);
    case 'picture':
    case 'search':
    case 'contents':
    case 'compare':
      return view(request, context);
    case 'create':
      return create(request, context);
    case 'diagnose':
    case 'fingerprint':
    case 'compact':
    case 'compare-reports':
      return diagnosing(request, context);
    case 'command':
      return command(request, context);
  }
}

/** What is large moves over instead of being copied. */
function transferables(result: JobResults[keyof JobResults]): Transferable[] {
  return 'levels' in result ? result.levels.map(({ buffer }) => buffer) : [];
}

async function view(
  request: PictureRequest | SearchRequest | ContentsRequest | CompareRequest,
  context: JobContext,
): Promise<Picture | SearchResult | DiskContents | CompareResult> {
  const { viewsOf } = await import('./views.ts');
  const views = viewsOf(context.images);
  switch (request.kind) {
    case 'picture':
      return views.picture(request, context);
    case 'search':
      return views.search(request, context);
    case 'contents':
      return views.contents(request, context);
    case 'compare':
      return views.compare(request, context);
  }
}

async function create(request: CreateRequest, context: JobContext): Promise<CreateResult> {
  const { createImage } = await import('./create.ts');
  return createImage(request, context);
}

/** Loaded when the first diagnosis is asked for. */
async function diagnosing(
  request: DiagnoseRequest | FingerprintRequest | CompactRequest | CompareReportsRequest,
  context: JobContext,
): Promise<DiagnoseResult | FingerprintResult | CompactResult | CompareReportsResult> {
  if (request.kind === 'compact') return (await import('./compact.ts')).compact(request, context);
  const { compareReports, diagnoseImage, fingerprintBelow } = await import('./diagnosing.ts');
  if (request.kind === 'compare-reports') return compareReports(request);
  if (request.kind === 'fingerprint') return fingerprintBelow(request, context);
  return diagnoseImage(request, context);
}

/** What changes images is loaded when it is first used. */
async function change(
  request: EditRequest | ForeseeRequest | SaveRequest,
  context: JobContext,
): Promise<EditResult | Foresight | SaveResult> {
  const { changesOf, saveChanges } = await import('./changing.ts');
  const changes = changesOf(context.images);
  if (request.kind === 'edit') return changes.edit(request, context);
  if (request.kind === 'foresee') return changes.foresee(request, context);
  return saveChanges(request, changes, context);
}

/** The command line is as large as the rest of the engine: it is loaded when it is first used. */
async function command(request: CommandRequest, context: JobContext): Promise<CommandResult> {
  const { runCommandLine } = await import('./console-host.ts');
  return runCommandLine(request, context);
}

async function check(image: number, context: JobContext): Promise<CheckReport> {
  const { signal, progress } = context;
  const disk = await context.images.diskToCheck(image);
  return checkImage(disk, { signal, progress, limit: FINDINGS, explain: true });
}

async function plan(request: PlanRequest, context: JobContext): Promise<ConvertPlan> {
  const { signal, progress } = context;
  const disk = await context.images.disk(request.image, request.snapshot);
  return planConvert(disk, { signal, progress });
}

async function convert(request: ConvertRequest, context: JobContext): Promise<ConvertResult> {
  const { goal } = request;
  const { target } = request;
  const isPlain = goal === undefined || (goal.kind === 'format' && goal.format === 'raw');
  if (isPlain && target.kind !== 'folder') return convertPlain(request, target, context);
  const { convertTo } = await import('./make.ts');
  return convertTo(request, goal ?? PLAIN, context);
}

const PLAIN: Goal = { kind: 'format', format: 'raw', options: {}, compress: false };

/** To a raw file, which is written straight where it belongs. */
async function convertPlain(
  request: ConvertRequest,
  place: FileTarget,
  context: JobContext,
): Promise<ConvertResult> {
  const started = performance.now();
  const { signal, progress } = context;
  const disk = await context.images.disk(request.image, request.snapshot);
  const files = context.images.files(request.image);
  const result = await openResult(place, { files, size: disk.size }, context);
  try {
    const pool = codecPool();
    const target = new RecordingStorage(result.storage, disk.size);
    const { size, copied } = await convertToRaw(disk, target, { signal, progress, pool });
    throwIfCancelled(signal);
    await result.written();
    if (request.verify) {
      const copy = new WrittenDisk(await result.reader(), target.written);
      if (copy.size !== disk.size) {
        const offset = Math.min(copy.size, disk.size);
        throw new ImageError('verify-failed', { name: result.name, offset });
      }
      await verifyCopy(disk, copy, context);
    }
    await result.publish();
    const milliseconds = performance.now() - started;
    const { name } = result;
    const files = [{ name, size }];
    return { name, size, copied, files, verified: request.verify, milliseconds };
  } catch (error) {
    context.leave(await result.discard());
    // Writing fails as it may when it is stopped: that is not the reason.
    throwIfCancelled(signal);
    throw error;
  }
}
