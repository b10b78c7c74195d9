/** From a name on the command line to an open disk, with qemu-img's words where that fails. */
import { FORMAT_NAMES, inspect, isImageError, openImage } from '../engine/index.ts';
import type { Disk, FormatName, GateAnswer, GateRequest } from '../engine/formats/format.ts';
import type { UnlockRequest } from '../engine/formats/format.ts';
import type { ImageInfo } from '../engine/operations/inspect.ts';
import type { Storage } from '../engine/storage/storage.ts';
import { CommandFailure, report, type Context } from './context.ts';
import { isForeignFormat, probeForeignFormat } from './foreign-formats.ts';
import {
  describeNode,
  encryptionOf,
  NodeOptions,
  parseImageOpts,
  parseJsonImage,
  passFileOptions,
  passImageOptions,
  takeSizeCalc,
  takeWindow,
  type Encryption,
  type FileNode,
} from './image-opts.ts';
import { errorText } from './messages.ts';
import { fileName, isProtocol, refusedName, resolveName } from './names.ts';
import { OptionFault } from './option-text.ts';
import { openInside } from './wrapped.ts';

export interface OpenRequest {
  name: string;
  /** `--image-opts`: the name is a list of options. */
  imageOpts?: boolean | undefined;
  /** As given by the user or by an image; undefined or '': the content decides. */
  format: string | undefined;
  mode: 'info' | 'check' | 'read';
  /** Nothing of its content is wanted, so that no passphrase is needed. */
  locked?: boolean;
  /** The exit code where it cannot be opened. */
  exitCode?: number;
  /** What there is to warn of has been said. */
  quiet?: boolean;
  /** Opens the image's own file in place of `host.open`, which opens those that it names. */
  opener?: (path: string) => Promise<Storage>;
  /** Opens its external data file in place of `host.open`. */
  dataOpener?: (path: string) => Promise<Storage>;
  /** Opens the extents of an image of several files in place of `host.open`. */
  extentOpener?: (path: string) => Promise<Storage>;
  /**
   * What opens the file of a backing image in place of `host.open`, or its other files; undefined
   * where nothing else is to. The first backing image is at a depth of one.
   */
  layerOpener?: (depth: number, kind: 'image' | 'data' | 'extent') => FileOpener | undefined;
}

/** Opens a file by its name. */
export type FileOpener = (path: string) => Promise<Storage>;

/** A disk and what was opened for it. */
export interface OpenedImage {
  readonly disk: Disk;
  readonly info: ImageInfo;
  /** Nobody said what format it is: its content did. */
  readonly guessed: boolean;
  /** What opens it again: the name of its file, or JSON where that is not all. */
  readonly name: string;
  /** The file's name as it was opened: names in the image are seen from there. */
  readonly path: string;
  /** The id of the passphrase that was given for it. */
  readonly keySecret: string | undefined;
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
  if (request.imageOpts === true && (request.format ?? '') !== '') {
    const text = '--image-opts and --format are mutually exclusive';
    throw new CommandFailure(text, request.exitCode);
  }
  await loadSecrets(context, request.exitCode);
  const opener = new ChainOpener(context, request.quiet === true);
  try {
    return await opener.open(request);
  } catch (error) {
    await opener.close();
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    if (isImageError(error, 'invalid-image') && error.details.reported !== undefined) {
      report(context, error.details.reported);
    }
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
  const image = await openByName(context, { ...request, mode: 'read', quiet: true });
  await image.close();
}

async function loadSecrets({ secrets }: Context, exitCode: number | undefined): Promise<void> {
  try {
    await secrets.load();
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    throw new CommandFailure(error.message, exitCode, error);
  }
}

const NO_ENCRYPTION: Encryption = { format: undefined, keySecret: undefined };
const SIZE_RULES = { chs: 'geometry', current_size: 'current' } as const;

/** An image whose file is open, and what its options say of the rest. */
interface Node {
  readonly storage: Storage;
  /** The engine's name of the format, or undefined to let the content decide. */
  readonly format: FormatName | undefined;
  /** Whether nobody said it. */
  readonly guessed: boolean;
  readonly file: FileNode;
  readonly encryption: Encryption;
  /** Of the files that it names; `none` where it is to be taken as naming no backing file. */
  readonly backing: NodeOptions | 'none';
  readonly dataFile: NodeOptions;
  /** What is left. */
  readonly options: NodeOptions;
}

/** Opens one image after the other, down the chain, and remembers what to close. */
class ChainOpener {
  /** How many backing files were asked for. */
  depth = 0;
  readonly #context: Context;
  readonly #quiet: boolean;
  readonly #storages: Storage[] = [];
  /** For the first file only. */
  #opener: ((path: string) => Promise<Storage>) | undefined;
  /** For the external data file of the first image. */
  #dataOpener: ((path: string) => Promise<Storage>) | undefined;
  #layerOpener: OpenRequest['layerOpener'];
  #extentOpener: OpenRequest['extentOpener'];
  /** The one opened last: what is asked for next is a matter of its options. */
  #node: Node | undefined;

  constructor(context: Context, quiet: boolean) {
    this.#context = context;
    this.#quiet = quiet;
  }

  async open(request: OpenRequest): Promise<OpenedImage> {
    const { name, format = '', mode } = request;
    this.#opener = request.opener;
    this.#dataOpener = request.dataOpener;
    this.#layerOpener = request.layerOpener;
    this.#extentOpener = request.extentOpener;
    const described = this.#describe(request);
    const node = await this.#openNode(described ?? new NodeOptions(), {
      name: described === undefined ? name : undefined,
      format,
    });
    const disk = await openImage(node.storage, {
      ...(node.format === undefined ? {} : { format: node.format }),
      gate: (asked: GateRequest) => this.#openNamed(asked),
      unlock: request.locked === true ? undefined : (asked) => this.#unlock(asked),
      addsBacking: () => this.#addsBacking(),
      mode,
      sizeRule: node.file.sizeCalc && SIZE_RULES[node.file.sizeCalc],
    });
    const info = await inspect(disk);
    finish(node, info, mode);
    if (info.qcow2?.bitmapsInconsistent === true && !this.#quiet) {
      this.#context.host.stderr(BITMAP_WARNING);
    }
    return {
      ...{ disk, info, guessed: node.guessed },
      name: describeNode(node.file, disk.format, node.encryption),
      path: node.file.path,
      keySecret: node.encryption.keySecret,
      close: () => disk.close(),
    };
  }

  async close(): Promise<void> {
    for (const storage of this.#storages) await storage.close();
  }

  /** The options that a name stands for; undefined for the name of a file. */
  #describe({ name, imageOpts }: OpenRequest): NodeOptions | undefined {
    if (imageOpts !== true) return parseJsonImage(name);
    return parseImageOpts(name, (text) => {
      this.#warn(text);
    });
  }

  /**
   * Opens the file of an image.
   * @param known its name and format as far as they are known without options
   */
  async #openNode(
    options: NodeOptions,
    known: { name: string | undefined; format: string },
  ): Promise<Node> {
    const driver = options.takeText('driver');
    // A format that was asked for goes before the options; that of an image goes behind them.
    const format = (known.name === undefined ? known.format : '') || (driver ?? known.format);
    if (driver !== undefined) engineFormat(format);
    // What is opened by something else than the host is going to be written.
    const isRead = this.#opener === undefined && known.name !== undefined && this.depth === 0;
    const opened = await this.#openFileOf(options, format, known.name);
    if (isRead && format === '') opened.storage = await this.#unwrapped(opened.storage);
    const decided = await decideFormat(opened.storage, format);
    const { storage, window } =
      decided === 'raw' ? takeWindow(opened.storage, options) : { ...opened, window: undefined };
    // Images below are opened without it, so there it is an option that nobody takes.
    const sizeCalc = decided === 'vpc' && this.depth === 0 ? takeSizeCalc(options) : undefined;
    this.#node = {
      ...{ storage, options, format: decided, guessed: format === '' },
      file: window === undefined ? { ...opened.file, sizeCalc } : { ...opened.file, window },
      encryption: decided === 'raw' ? NO_ENCRYPTION : encryptionOf(options, decided),
      backing: this.#takeBacking(options),
      dataFile: options.takePart('data-file'),
    };
    return this.#node;
  }

  #takeBacking(options: NodeOptions): NodeOptions | 'none' {
    const value = options.value('backing');
    if (value !== null && value !== '') return options.takePart('backing');
    options.take('backing');
    const text = 'Use of "backing": "" is deprecated; use "backing": null instead';
    if (value === '') this.#warn(text);
    return 'none';
  }

  #warn(text: string): void {
    if (!this.#quiet) report(this.#context, `warning: ${text}`);
  }

  /** `file` of an image, or its name. */
  async #openFileOf(
    options: NodeOptions,
    format: string,
    name: string | undefined,
  ): Promise<{ storage: Storage; file: FileNode }> {
    const reference = options.takeText('file');
    const file = options.takePart('file');
    if (reference !== undefined && !file.isEmpty) {
      const problem = 'Cannot reference an existing block device';
      throw new OptionFault(`${problem} with additional options or a new filename`);
    }
    if (reference !== undefined) {
      const where = `device='${reference}' nor node-name='${reference}'`;
      throw new OptionFault(`Cannot find ${where}`);
    }
    if (!file.isEmpty) return this.#openFile(file, name);
    if (name !== undefined) return this.#openNameOf(name);
    const needed = 'A block device must be specified for "file"';
    throw new OptionFault(format === '' ? 'Must specify either driver or file' : needed);
  }

  async #openFile(
    options: NodeOptions,
    name: string | undefined,
  ): Promise<{ storage: Storage; file: FileNode }> {
    const driver = options.takeText('driver') ?? 'file';
    if (driver === 'raw') {
      const inner = await this.#openFileOf(options, driver, undefined);
      const { storage, window } = takeWindow(inner.storage, options);
      passImageOptions(options, 'raw');
      refuseLeft(options, (option) => `Block format 'raw' does not support the option '${option}'`);
      return { storage, file: { ...inner.file, layers: [...inner.file.layers, window] } };
    }
    if (driver !== 'file') {
      engineFormat(driver);
      throw new OptionFault(`A file within '${driver}' is not supported by this version`);
    }
    const path = options.takeText('filename') ?? name ?? '';
    if (path === '') throw new OptionFault("The 'file' block driver requires a file name");
    const storage = await this.#openPath(path);
    passFileOptions(options);
    refuseLeft(options, (option) => `Block protocol 'file' doesn't support the option '${option}'`);
    return { storage, file: { path, layers: [], window: undefined } };
  }

  async #openNameOf(name: string): Promise<{ storage: Storage; file: FileNode }> {
    const refusal = refusedName(name);
    if (refusal !== undefined) throw new OptionFault(refusal);
    const path = fileName(name);
    return { storage: await this.#openPath(path), file: { path, layers: [], window: undefined } };
  }

  /** The one disk in an archive or a compressed file; the file itself where there is none. */
  async #unwrapped(storage: Storage): Promise<Storage> {
    const inner = await openInside(this.#context, storage, this.#quiet);
    if (inner !== storage) this.#storages.push(inner);
    return inner;
  }

  async #openPath(path: string): Promise<Storage> {
    const open = this.#opener ?? ((file) => this.#context.host.open(file));
    this.#opener = undefined;
    const storage = await open(path);
    this.#storages.push(storage);
    return storage;
  }

  #openNamed(request: GateRequest): Promise<Storage | GateAnswer | 'none'> {
    if (request.kind === 'backing') return this.#openBacking(request);
    return request.kind === 'extent' ? this.#openExtent(request) : this.#openDataFile(request);
  }

  /** One of several files of an image, seen from the image. Where it is missing, so is the image. */
  async #openExtent({ name }: GateRequest): Promise<Storage> {
    const refusal = refusedName(name);
    if (refusal !== undefined) throw new OptionFault(refusal);
    const path = resolveName(name, this.#node?.file.path ?? '');
    const below = this.depth === 0 ? undefined : this.#layerOpener?.(this.depth, 'extent');
    const opener = this.depth === 0 ? this.#extentOpener : below;
    const storage = await (opener ?? ((file) => this.#context.host.open(file)))(path);
    this.#storages.push(storage);
    return storage;
  }

  /** Options can give an image a backing file that it does not name itself. */
  #addsBacking(): boolean {
    const backing = this.#node?.backing;
    return backing !== undefined && backing !== 'none' && !backing.isEmpty;
  }

  async #openBacking({ name, format }: GateRequest): Promise<GateAnswer | 'none'> {
    const above = this.#node;
    const options = above?.backing ?? new NodeOptions();
    if (options === 'none') return options;
    this.depth++;
    this.#opener = this.#layerOpener?.(this.depth, 'image');
    const resolved = name === '' ? undefined : resolveName(name, above?.file.path ?? '');
    const node = await this.#openNode(options, { name: resolved, format });
    passImageOptions(node.options, node.format ?? 'qcow2');
    refuseLeft(node.options, (option) => unknownOption(node.format ?? 'qcow2', option));
    return { storage: node.storage, format: node.format };
  }

  /**
   * Always the name of a file, whatever it looks like: an image may not choose a protocol. Unlike
   * the name of a backing file it is seen from where the command runs, not from the image.
   */
  async #openDataFile({ name }: GateRequest): Promise<Storage> {
    const options = this.#node?.dataFile ?? new NodeOptions();
    if (name === '' && options.isEmpty) {
      throw new OptionFault("'data-file' is required for this image");
    }
    this.#opener = this.depth === 0 ? this.#dataOpener : this.#layerOpener?.(this.depth, 'data');
    return (await this.#openFile(options, name)).storage;
  }

  /** A secret is tried once: whoever names the wrong one cannot be asked for another. */
  #unlock({ method, attempt }: UnlockRequest): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { keySecret, format } = this.#node?.encryption ?? {};
    checkEncryption(format, method);
    if (keySecret === undefined) {
      const prefix = this.#node?.format === 'luks' ? '' : 'encrypt.';
      throw new OptionFault(`Parameter '${prefix}key-secret' is required for cipher`);
    }
    const { secrets } = this.#context;
    return Promise.resolve(attempt > 0 ? undefined : secrets.passphrase(keySecret));
  }
}

/** What options say, and the image says otherwise. @throws OptionFault */
function checkEncryption(format: string | undefined, actual: 'none' | 'aes' | 'luks'): void {
  if (format === undefined || format === actual) return;
  throw new OptionFault(
    actual === 'none'
      ? `No encryption in image header, but options specified format '${format}'`
      : `Header reported '${actual}' encryption format but options specify '${format}'`,
  );
}

/** Refuses options that nobody has asked for. @throws OptionFault */
function finish({ encryption, backing, options }: Node, info: ImageInfo, mode: string): void {
  if (info.qcow2 !== undefined) checkEncryption(encryption.format, info.qcow2.encryption);
  else if (info.format === 'qcow') {
    checkEncryption(encryption.format, info.encrypted ? 'aes' : 'none');
  } else if (encryption.keySecret !== undefined && info.format !== 'luks') {
    throw new OptionFault(unknownOption(info.format, 'encrypt.key-secret'));
  }
  passImageOptions(options, info.format);
  refuseLeft(options, (option) => unknownOption(info.format, option));
  if (backing === 'none' || (mode !== 'info' && info.backing !== undefined)) return;
  // A check has its chain opened apart.
  if (mode === 'check' && info.qcow2 !== undefined) return;
  // For `info` no other file is opened.
  refuseLeft(backing, (option) => unknownOption(info.format, `backing.${option}`));
}

function unknownOption(format: string, option: string): string {
  return `Block format '${format}' does not support the option '${option}'`;
}

function refuseLeft({ first }: NodeOptions, text: (option: string) => string): void {
  if (first !== undefined) throw new OptionFault(text(first));
}

/** The engine's name of the format of a file, or undefined to let the content decide. */
async function decideFormat(storage: Storage, format: string): Promise<FormatName | undefined> {
  const found = format === '' ? await probeForeignFormat(storage) : format;
  return found === undefined ? undefined : engineFormat(found);
}

/** @throws OptionFault for formats that are not known here */
function engineFormat(name: string): FormatName {
  const known = FORMAT_NAMES.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  if (isProtocol(name)) {
    throw new OptionFault(`The protocol '${name}' is not supported by this version`);
  }
  if (isForeignFormat(name)) {
    throw new OptionFault(`The format '${name}' is not supported by this version`);
  }
  throw new OptionFault(`Unknown driver '${name}'`);
}

/** Why it could not be opened, in words; undefined for what is no reason but a stop or a defect. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof OptionFault) return error.message;
  if (!isImageError(error) || error.code === 'cancelled') return undefined;
  return errorText(error);
}
