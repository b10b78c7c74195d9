/**
 * Changes of open images that are not saved: each edit lies on an overlay of its own over the one
 * before, so that the last can be taken back. Loaded when the first change is made.
 */
import {
  type ByteRange,
  Change,
  type ChangeOptions,
  type CheckReport,
  ImageError,
  judgeChange,
  type Overlay,
  OverlayStorage,
  pacer,
  RangeSet,
  type Storage,
  throwIfCancelled,
  verifyOther,
} from '../engine/index.ts';
import type {
  Edit,
  EditRequest,
  EditResult,
  FileState,
  ForeseeRequest,
  Foresight,
  ImageId,
  MadeEdit,
  OpenedImage,
  PendingChanges,
} from './api.ts';
import { type Below, checkContent, makeEdit, NO_CHECK } from './edits.ts';
import { foresee } from './edits-foresee.ts';
import { wipeSecrets } from './edits-keys.ts';
import type { Changed, Images } from './images.ts';
import type { JobContext } from './job.ts';
import { openScratch } from './private-files.ts';

/** Edits of one image that wait to be saved: reading goes through all of their overlays. */
const MOST_EDITS = 30;

interface Layer {
  readonly overlay: OverlayStorage;
  readonly made: MadeEdit;
  /** What it put below the image. */
  readonly below: Below | undefined;
  readonly state: FileState;
  readonly report: CheckReport;
  readonly summary: PendingChanges;
}

/** The edits of one image. */
export class ChangeSession {
  /** The file as it was when the first edit was made: it must be the same when they are saved. */
  readonly file: File;
  readonly base: Storage;
  readonly layers: Layer[] = [];
  /** Those that were taken back, the one that comes next last. */
  readonly undone: Layer[] = [];
  /** What the check says without any edit; undefined where it does not get through. */
  baseReport: CheckReport | undefined;

  /** @param base what the image consists of: its file, or what the file wraps */
  constructor(file: File, base: Storage) {
    this.file = file;
    this.base = base;
  }

  /** The newest state. */
  get top(): Storage {
    return this.layers.at(-1)?.overlay ?? this.base;
  }

  get report(): CheckReport | undefined {
    return this.layers.at(-1)?.report ?? this.baseReport;
  }

  /** The image after its first `count` edits. */
  after(count: number): Changed | undefined {
    const made = this.layers.slice(0, Math.max(0, count));
    const last = made.at(-1);
    if (last === undefined) return undefined;
    return {
      ...{ storage: last.overlay, summary: last.summary },
      given: new Map(made.flatMap(({ below }) => [...(below?.given ?? [])])),
      ciphers: new Map(made.flatMap(({ below }) => [...(below?.ciphers ?? [])])),
    };
  }

  /**
   * All edits as one change of a file that is as {@link file} is.
   * @param base the file, open for what is to be done with it
   */
  async flatten(base: Storage, options: ChangeOptions = {}): Promise<Change> {
    const change = new Change(base, { scratch: openScratch, ...options });
    await copyLayers(
      this.layers.map(({ overlay }) => overlay),
      change.storage,
    );
    return change;
  }

  /** Forgets the last edit. */
  async dropLast(): Promise<void> {
    await this.layers.pop()?.overlay.close();
  }

  /** Forgets what was taken back. */
  async dropUndone(): Promise<void> {
    for (const { overlay } of this.undone.splice(0)) await overlay.close();
  }

  async dropAll(): Promise<void> {
    await this.dropUndone();
    for (const { overlay } of this.layers.splice(0).reverse()) await overlay.close();
  }
}

/** Bytes that are copied at once. */
const PIECE = 1024 * 1024;

/** Makes `target` what the topmost layer is. */
async function copyLayers(layers: readonly Overlay[], target: Storage): Promise<void> {
  for (const layer of layers) {
    if (layer.size < target.size) await target.resize(layer.size);
    for (const { kind, offset, length } of layer.changes()) {
      for (let done = 0; done < length; done += PIECE) {
        const bytes = new Uint8Array(Math.min(PIECE, length - done));
        if (kind === 'data') await layer.read(offset + done, bytes);
        await target.write(offset + done, bytes);
      }
    }
    if (layer.size !== target.size) await target.resize(layer.size);
  }
}

/** The sessions of this worker. */
export class Changes {
  readonly #images: Images;
  readonly #sessions = new Map<ImageId, ChangeSession>();
  /** Work on the same image waits for what began before. */
  readonly #turns = new Map<ImageId, Promise<unknown>>();

  constructor(images: Images) {
    this.#images = images;
  }

  /** Makes an edit and checks the result. @throws ImageError and nothing is different then */
  edit({ image, edit }: EditRequest, context: JobContext): Promise<EditResult> {
    return this.inTurn(image, async () => {
      try {
        const work = (overlay: OverlayStorage) => makeEdit(image, overlay, edit, context);
        return await this.#add(image, edit, work, context);
      } finally {
        wipeSecrets(edit);
      }
    });
  }

  /**
   * Takes over what was written elsewhere, over the image as it is shown.
   * @throws ImageError being-changed (it is another one by now) and those of {@link edit}
   */
  adopt(
    image: ImageId,
    { from, base }: { from: Overlay; base: Storage },
    edit: Edit,
    context: JobContext,
  ): Promise<EditResult> {
    return this.inTurn(image, () => {
      if (this.#session(image).top !== base) {
        throw new ImageError('being-changed', { name: base.name });
      }
      const work = async (overlay: OverlayStorage) => {
        const before = overlay.size;
        await copyLayers([from], overlay);
        const fileSize = { before, after: overlay.size };
        const nothing = { taken: undefined, freed: undefined, repaired: [], oldSize: 0 };
        return { made: { edit, fileSize, ...nothing }, below: undefined };
      };
      return this.#add(image, edit, work, context);
    });
  }

  /** The image as it is shown, for {@link adopt}. */
  top(image: ImageId): Storage {
    return this.#session(image).top;
  }

  async #add(
    image: ImageId,
    edit: Edit,
    work: (overlay: OverlayStorage) => Promise<{ made: MadeEdit; below: Below | undefined }>,
    context: JobContext,
  ): Promise<EditResult> {
    const session = this.#session(image);
    if (session.layers.length >= MOST_EDITS) {
      const value = String(MOST_EDITS + 1);
      throw new ImageError('too-large', { what: 'changes', value, limit: MOST_EDITS });
    }
    session.baseReport ??= await checkContent(image, session.base, context);
    const overlay = new OverlayStorage(session.top, { scratch: openScratch });
    try {
      const before = session.report;
      const { made, below } = await work(overlay);
      const report = required(await checkContent(image, overlay, context));
      // These mend what was wrong, and may well leave some of it.
      const isJudged = !['repair', 'patch', 'command'].includes(edit.kind);
      if (isJudged) await judge(this.#images, image, overlay, { before, report, context });
      throwIfCancelled(context.signal);
      const layer = { overlay, made, below, report, state: stateOf(overlay, report) };
      const summary = await summarize(session, layer, context.signal);
      session.layers.push({ ...layer, summary });
    } catch (error) {
      await overlay.close();
      throw error;
    }
    const opened = await this.#show(image, session);
    return { opened, report: required(session.report) };
  }

  /** What an edit would do. */
  foresee({ image, edit }: ForeseeRequest, context: JobContext): Promise<Foresight> {
    return this.inTurn(image, () => foresee(image, this.#session(image).top, edit, context));
  }

  /** Takes back the last `count` edits. */
  undo(image: ImageId, count: number): Promise<OpenedImage> {
    return this.inTurn(image, async () => {
      const session = this.#session(image);
      const { layers, undone } = session;
      const kept = Math.max(0, layers.length - count);
      const back = layers.slice(kept).reverse();
      const next = [...undone, ...back];
      const opened = await this.#images.change(image, session.after(kept), madeOf(next));
      layers.splice(kept);
      undone.push(...back);
      return opened;
    });
  }

  /** Makes the edit again that was taken back last. @throws ImageError internal: there is none */
  redo(image: ImageId): Promise<OpenedImage> {
    return this.inTurn(image, async () => {
      const session = this.#session(image);
      const { layers, undone } = session;
      const layer = undone.at(-1);
      if (layer === undefined) throw new ImageError('internal', { reason: 'nothing to redo' });
      layers.push(layer);
      try {
        const changed = session.after(layers.length);
        const opened = await this.#images.change(image, changed, madeOf(undone.slice(0, -1)));
        undone.pop();
        return opened;
      } catch (error) {
        layers.pop();
        throw error;
      }
    });
  }

  /** The edits of an image that wait to be saved. @throws ImageError internal when there are none */
  pending(image: ImageId): ChangeSession {
    const session = this.#session(image);
    if (session.layers.length === 0) throw new ImageError('internal', { reason: 'no changes' });
    return session;
  }

  /** Forgets all edits. The image itself is opened anew by whoever wants to see it. */
  async forget(image: ImageId): Promise<void> {
    const session = this.#sessions.get(image);
    this.#sessions.delete(image);
    await session?.dropAll();
  }

  /** The image is closed: what is under way with it is waited for. */
  close(image: ImageId): Promise<void> {
    return this.inTurn(image, () => this.forget(image));
  }

  async inTurn<Result>(image: ImageId, work: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(image) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#turns.set(image, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(image) === turn) this.#turns.delete(image);
    }
  }

  #session(image: ImageId): ChangeSession {
    const file = this.#images.file(image);
    const known = this.#sessions.get(image);
    if (known !== undefined) return known;
    const session = new ChangeSession(file, this.#images.content(image));
    this.#sessions.set(image, session);
    return session;
  }

  async #show(image: ImageId, session: ChangeSession): Promise<OpenedImage> {
    try {
      const opened = await this.#images.change(image, session.after(session.layers.length), []);
      await session.dropUndone();
      return opened;
    } catch (error) {
      await session.dropLast();
      throw error;
    }
  }
}

/** As a list of what comes next. */
function madeOf(undone: readonly Layer[]): MadeEdit[] {
  return undone.map(({ made }) => made).reverse();
}

function stateOf(storage: Storage, report: CheckReport | undefined): FileState {
  const { size } = storage;
  const isKnown = report !== undefined && report !== NO_CHECK && report.aborted === undefined;
  if (!isKnown) return { size, findings: undefined };
  const { corruptions, leaks, checkErrors } = report;
  return { size, findings: { corruptions, leaks, checkErrors } };
}

/** @throws ImageError where a change leaves something wrong that was right before */
async function judge(
  images: Images,
  image: ImageId,
  overlay: OverlayStorage,
  {
    before,
    report,
    context,
  }: { before: CheckReport | undefined; report: CheckReport } & {
    context: JobContext;
  },
): Promise<void> {
  const { format } = images.chain(image).disk;
  if (format === 'qcow2') judgeChange(overlay.name, required(before), report);
  else if (format !== 'raw') await verifyOther(format, overlay, context.signal);
}

/** What differs from the file in numbers. */
async function summarize(
  session: ChangeSession,
  layer: Omit<Layer, 'summary'>,
  signal: AbortSignal,
): Promise<PendingChanges> {
  const layers = [...session.layers.map(({ overlay }) => overlay), layer.overlay];
  const { base } = session;
  const clusterSize = await clusterSizeOf(layer.overlay);
  return {
    ...(await countDifferences(base, layers, clusterSize, signal)),
    edits: [...session.layers.map(({ made }) => made), layer.made],
    before: stateOf(base, session.baseReport),
    after: layer.state,
  };
}

/**
 * «cluster_bits» of a qcow2 header, or of another format what is usual. Only for counting: the image
 * was opened and checked before.
 */
async function clusterSizeOf(storage: Storage): Promise<number> {
  const head = new Uint8Array(24);
  await storage.read(0, head);
  const view = new DataView(head.buffer);
  const bits = view.getUint32(0) === 0x514649fb ? view.getUint32(20) : 16;
  return 2 ** Math.min(21, Math.max(9, bits));
}

/** Where the last of the layers may differ from what is below them all. */
function changedRanges(base: Storage, layers: readonly OverlayStorage[]): ByteRange[] {
  const ranges = new RangeSet();
  const size = layers.at(-1)?.size ?? 0;
  for (const layer of layers) {
    for (const { offset, length } of layer.changes()) ranges.add(offset, length);
    // What one cut off and another brings back is zeros.
    ranges.add(layer.size, Math.min(size, base.size) - layer.size);
  }
  return ranges.within(0, size);
}

const SECTOR = 512;

async function countDifferences(
  base: Storage,
  layers: readonly OverlayStorage[],
  clusterSize: number,
  signal: AbortSignal,
) {
  const top = layers.at(-1) ?? base;
  const pace = pacer(signal);
  const count = { bytes: 0, runs: 0, clusters: 0 };
  let end = -1;
  let cluster = -1;
  for (const { offset, length } of changedRanges(base, layers)) {
    for (let at = offset; at < offset + length; at += PIECE) {
      throwIfCancelled(signal);
      await pace();
      const size = Math.min(PIECE, offset + length - at);
      const [before, after] = [new Uint8Array(size), new Uint8Array(size)];
      await Promise.all([base.read(at, before), top.read(at, after)]);
      for (let from = 0; from < size; from += SECTOR) {
        const to = Math.min(from + SECTOR, size);
        if (isEqual(before, after, from, to)) continue;
        count.bytes += to - from;
        if (at + from !== end) count.runs += 1;
        end = at + to;
        const index = Math.floor((at + from) / clusterSize);
        if (index !== cluster) count.clusters += 1;
        cluster = index;
      }
    }
  }
  return count;
}

function isEqual(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (a[at] !== b[at]) return false;
  return true;
}

function required(report: CheckReport | undefined): CheckReport {
  if (report === undefined) throw new ImageError('internal', { reason: 'no check' });
  return report;
}
