/** From a name on the command line to an open disk, with qemu-img's words where that fails. */
import { FORMAT_NAMES, inspect, isImageError, openImage } from '../engine/index.ts';
import type { Disk, FormatName, GateRequest } from '../engine/formats/format.ts';
import type { ImageInfo } from '../engine/operations/inspect.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { CommandFailure, type Context } from './context.ts';
import { isForeignFormat, probeForeignFormat } from './foreign-formats.ts';
import { errorText } from './messages.ts';
import { fileName, refusedName, resolveName } from './names.ts';

export interface OpenRequest {
  name: string;
  /** As given by the user or by an image; undefined or '': the content decides. */
  format: string | undefined;
  mode: 'info' | 'check' | 'read';
  /** The exit code where it cannot be opened. */
  exitCode?: number;
}

/** A disk and what was opened for it. */
export interface OpenedImage {
  readonly disk: Disk;
  readonly info: ImageInfo;
  /** The file's name as it was opened. */
  readonly name: string;
  close(): Promise<void>;
}

/** The real program does not end the second line. */
const BITMAP_WARNING =
  'qemu-img: warning: a program lacking bitmap support modified this file, ' +
  'so all bitmaps are now considered inconsistent\n' +
  "Some clusters may be leaked, run 'qemu-img check -r' on the image file to fix.";

/**
 * Opens an image, in mode `read` with its whole chain of backing files.
 * @throws CommandFailure `Could not open ...`
 */
export async function openByName(context: Context, request: OpenRequest): Promise<OpenedImage> {
  const opener = new ChainOpener(context);
  try {
    return await opener.open(request);
  } catch (error) {
    await opener.close();
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    const prefix = 'Could not open backing file: '.repeat(opener.depth);
    const text = `Could not open '${request.name}': ${prefix}${reason}`;
    throw new CommandFailure(text, request.exitCode, error);
  }
}

/**
 * Opens the files that an image names only to see that it can be done: the real program opens them
 * for a check, although it looks at none of them.
 */
export async function probeChain(context: Context, request: OpenRequest): Promise<void> {
  const image = await openByName(context, { ...request, mode: 'read' });
  await image.close();
}

/** Opens one image after the other, down the chain, and remembers what to close. */
class ChainOpener {
  /** How many backing files were asked for. */
  depth = 0;
  readonly #context: Context;
  readonly #storages: Storage[] = [];
  /** The name of the file opened last: names in it are seen from there. */
  #from = '';

  constructor(context: Context) {
    this.#context = context;
  }

  async open({ name, format, mode }: OpenRequest): Promise<OpenedImage> {
    const storage = await this.#openFile(name);
    const known = await this.#decideFormat(storage, format ?? '');
    const disk = await openImage(storage, {
      ...(known === undefined ? {} : { format: known }),
      ...(mode === 'read' ? { gate: (request: GateRequest) => this.#openNamed(request) } : {}),
      mode,
    });
    const info = await inspect(disk);
    if (info.qcow2?.bitmapsInconsistent === true) this.#context.host.stderr(BITMAP_WARNING);
    return { disk, info, name: fileName(name), close: () => disk.close() };
  }

  async close(): Promise<void> {
    for (const storage of this.#storages) await storage.close();
  }

  #openNamed(request: GateRequest): Promise<Storage> {
    return request.kind === 'backing' ? this.#openBacking(request) : this.#openDataFile(request);
  }

  async #openBacking({ name, format }: GateRequest): Promise<Storage> {
    this.depth++;
    const storage = await this.#openFile(resolveName(name, this.#from));
    await this.#decideFormat(storage, format);
    return storage;
  }

  /**
   * Always the name of a file, whatever it looks like: an image may not choose a protocol. Unlike
   * the name of a backing file it is seen from where the command runs, not from the image.
   */
  #openDataFile({ name }: GateRequest): Promise<Storage> {
    if (name === '') throw new Refusal("'data-file' is required for this image");
    return this.#openPath(name);
  }

  async #openFile(name: string): Promise<Storage> {
    const refusal = refusedName(name);
    if (refusal !== undefined) throw new Refusal(refusal);
    const path = fileName(name);
    this.#from = path;
    return this.#openPath(path);
  }

  async #openPath(path: string): Promise<Storage> {
    const storage = await this.#context.host.open(path);
    this.#storages.push(storage);
    return storage;
  }

  /** The engine's name of the format, or undefined to let the content decide. */
  async #decideFormat(storage: Storage, format: string): Promise<FormatName | undefined> {
    const foreign = format === '' ? await probeForeignFormat(storage) : format;
    if (foreign === undefined) return undefined;
    const known = FORMAT_NAMES.find((candidate) => candidate === foreign);
    if (known !== undefined) return known;
    if (!isForeignFormat(foreign)) throw new Refusal(`Unknown driver '${foreign}'`);
    throw new Refusal(`The format '${foreign}' is not supported by this version`);
  }
}

/** A refusal of the command line's own, on its way through the engine. */
class Refusal extends Error {}

/** Why it could not be opened, in words; undefined for what is no reason but a stop or a defect. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof Refusal) return error.message;
  if (!isImageError(error) || error.code === 'cancelled') return undefined;
  return errorText(error);
}
