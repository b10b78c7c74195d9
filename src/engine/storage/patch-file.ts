/** Writing and reading the files that describe a change: journals, undo files, patches. */
import { crc32c } from '../binary/crc32c.ts';
import { ImageError } from '../errors.ts';
import {
  END_BYTES,
  HEADER_BYTES,
  headerSum,
  invalid,
  parseEnd,
  parsePatchHeader,
  pieceCount,
  pieceEnd,
  RECORD_HEAD,
  RECORD_HEAD_BYTES,
  RECORD_LIMIT,
  RUN_TAG,
  serializeEnd,
  serializePatchHeader,
  ZEROS,
  type EndValues,
  type PatchHeader,
} from './patch-layout.ts';
import { readPadded, type Storage } from './storage.ts';

/** Bytes that are gathered before they are written, unless one record is larger. */
const WRITE_BYTES = 256 * 1024;
/** Bytes that are read at once. */
const READ_BYTES = 1024 * 1024;

/** Makes such a file, front to end. */
export class PatchWriter {
  readonly #storage: Storage;
  #buffer = new Uint8Array(WRITE_BYTES);
  #filled = 0;
  /** Where in the file the buffer goes. */
  #at = 0;
  #records = 0;
  #sum = 0;

  constructor(storage: Storage, header: PatchHeader) {
    this.#storage = storage;
    const bytes = serializePatchHeader(header);
    this.#buffer.set(bytes);
    this.#filled = bytes.length;
    this.#addSum(headerSum(bytes));
  }

  /** Writes what there is so far: whoever looks knows what this is going to be. */
  begin(): Promise<void> {
    return this.#send();
  }

  /** Bytes of the file so far. */
  get length(): number {
    return this.#at + this.#filled;
  }

  get records(): number {
    return this.#records;
  }

  /**
   * Adds one run of the file: `before` is what is expected there, `after` what is to come. Both have
   * the same length, at most {@link RECORD_LIMIT}.
   */
  async add(offset: number, before: Uint8Array, after: Uint8Array): Promise<void> {
    const { length } = after;
    const isZero = after.every((byte) => byte === 0);
    const pieces = pieceCount(offset, length);
    const stored = isZero ? 0 : length;
    const size = RECORD_HEAD_BYTES + pieces * 4 + stored + 4;
    if (this.#filled + size > this.#buffer.length) await this.#send();
    if (size > this.#buffer.length) this.#buffer = new Uint8Array(size);
    const start = this.#filled;
    const bytes = this.#buffer;
    const flags = isZero ? ZEROS : 0;
    RECORD_HEAD.write(bytes, { tag: RUN_TAG, flags, offset, length, stored }, start);
    const view = new DataView(bytes.buffer);
    let at = start + RECORD_HEAD_BYTES;
    for (let from = offset; from < offset + length; at += 4) {
      const to = pieceEnd(from, offset + length);
      view.setUint32(at, crc32c(before, 0, from - offset, to - offset));
      from = to;
    }
    if (!isZero) bytes.set(after, at);
    at += stored;
    const sum = crc32c(bytes, 0, start, at);
    view.setUint32(at, sum);
    this.#filled = at + 4;
    this.#records++;
    this.#addSum(sum);
  }

  /** Everything but the end is on the medium afterwards. */
  async flush(): Promise<void> {
    await this.#send();
    await this.#storage.flush();
  }

  /** Makes it complete. On the medium only after another flush of the storage. */
  async finish(): Promise<void> {
    await this.#send();
    const values = { records: this.#records, length: this.#at, sum: this.#sum };
    await this.#storage.write(this.#at, serializeEnd(values));
  }

  async #send(): Promise<void> {
    if (this.#filled === 0) return;
    await this.#storage.write(this.#at, this.#buffer.subarray(0, this.#filled));
    this.#at += this.#filled;
    this.#filled = 0;
  }

  #addSum(sum: number): void {
    this.#sum = addSum(this.#sum, sum);
  }
}

/** The checksum of the checksums so far and one more. */
function addSum(before: number, sum: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, sum);
  return crc32c(bytes, before);
}

/** One run of the file. Its bytes are valid until the next one is read. */
export class PatchRecord {
  /** Where in the file, bytes. */
  readonly offset: number;
  readonly length: number;
  /** The new bytes. */
  readonly content: Uint8Array<ArrayBuffer>;
  /** Where they are in the patch, bytes; undefined for zeros, which are not stored. */
  readonly storedAt: number | undefined;
  readonly #sums: DataView;

  constructor(
    offset: number,
    content: Uint8Array<ArrayBuffer>,
    storedAt: number | undefined,
    sums: DataView,
  ) {
    this.offset = offset;
    this.storedAt = storedAt;
    this.length = content.length;
    this.content = content;
    this.#sums = sums;
  }

  /**
   * Compares with what is in the file now.
   * @param visit called for each piece that differs from the new bytes: where in the file it begins,
   * bytes, and whether it is what was expected
   */
  compare(current: Uint8Array, visit: (offset: number, isExpected: boolean) => void): void {
    const end = this.offset + this.length;
    let piece = 0;
    for (let from = this.offset; from < end; piece++) {
      const to = pieceEnd(from, end);
      const start = from - this.offset;
      const stop = to - this.offset;
      if (!isEqual(current, this.content, start, stop)) {
        visit(from, crc32c(current, 0, start, stop) === this.#sums.getUint32(piece * 4));
      }
      from = to;
    }
  }
}

function isEqual(a: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** Such a file, complete, to be read front to end as often as is wanted. */
export class PatchFile {
  readonly header: PatchHeader;
  readonly #storage: Storage;
  readonly #end: EndValues;
  readonly #headerSum: number;

  private constructor(storage: Storage, head: Uint8Array, header: PatchHeader, end: EndValues) {
    this.#storage = storage;
    this.header = header;
    this.#headerSum = headerSum(head);
    this.#end = end;
  }

  /**
   * Opens one. Only its first and its last bytes are read: {@link records} finds what is wrong
   * in between.
   * @returns undefined when it is not complete
   * @throws ImageError patch-invalid when it is complete, but damaged or of another version
   */
  static async open(storage: Storage): Promise<PatchFile | undefined> {
    const { size, name } = storage;
    if (size < HEADER_BYTES + END_BYTES) return undefined;
    const end = parseEnd(await readPadded(storage, size - END_BYTES, END_BYTES));
    if (end === undefined || end.length !== size - END_BYTES) return undefined;
    const head = await readPadded(storage, 0, HEADER_BYTES);
    const header = parsePatchHeader(head, name);
    if (header === undefined) throw invalid(name, 'damaged');
    return new PatchFile(storage, head, header, end);
  }

  get name(): string {
    return this.#storage.name;
  }

  /** Number of records. */
  get count(): number {
    return this.#end.records;
  }

  /** All runs in the order in which they were added. @throws ImageError patch-invalid */
  async *records(): AsyncGenerator<PatchRecord> {
    const { name } = this.#storage;
    const end = this.#end.length;
    let window = new Uint8Array(0);
    let start = 0;
    let sum = addSum(0, this.#headerSum);
    let count = 0;
    /** Makes `length` bytes from `at` on part of the window; returns where they begin in it. */
    const need = async (at: number, length: number): Promise<number> => {
      if (at + length > end) throw invalid(name, 'damaged');
      if (at < start || at + length > start + window.length) {
        start = at;
        window = await readPadded(
          this.#storage,
          at,
          Math.min(end - at, Math.max(length, READ_BYTES)),
        );
      }
      return at - start;
    };
    for (let at = HEADER_BYTES; at < end; count++) {
      const headAt = await need(at, RECORD_HEAD_BYTES);
      const head = RECORD_HEAD.read(window, headAt);
      const size = checkedSize(head, name);
      const begin = await need(at, size);
      const view = new DataView(window.buffer, window.byteOffset + begin, size);
      const own = view.getUint32(size - 4);
      if (own !== crc32c(window, 0, begin, begin + size - 4)) throw invalid(name, 'damaged');
      sum = addSum(sum, own);
      yield recordOf(head, at, window.subarray(begin, begin + size));
      at += size;
    }
    if (sum !== this.#end.sum || count !== this.#end.records) throw invalid(name, 'damaged');
  }
}

type RecordHead = ReturnType<typeof RECORD_HEAD.read>;

/** Bytes of a record. @throws ImageError patch-invalid */
function checkedSize({ tag, flags, offset, length, stored }: RecordHead, name: string): number {
  const isZero = (flags & ZEROS) !== 0;
  const isSound =
    tag === RUN_TAG &&
    length > 0 &&
    length <= RECORD_LIMIT &&
    stored === (isZero ? 0 : length) &&
    Number.isSafeInteger(offset + length);
  if (!isSound) throw invalid(name, 'damaged');
  return RECORD_HEAD_BYTES + pieceCount(offset, length) * 4 + stored + 4;
}

function recordOf(
  { offset, length, stored }: RecordHead,
  at: number,
  bytes: Uint8Array<ArrayBuffer>,
): PatchRecord {
  const sums = RECORD_HEAD_BYTES;
  const content = bytes.length - 4 - stored;
  return new PatchRecord(
    offset,
    stored === 0 ? new Uint8Array(length) : bytes.subarray(content, content + stored),
    stored === 0 ? undefined : at + content,
    new DataView(bytes.buffer, bytes.byteOffset + sums, content - sums),
  );
}

/**
 * Opens a file that somebody gave as an undo file or a patch.
 * @throws ImageError patch-invalid when it is not one, not complete, damaged or of another kind
 */
export async function openPatch(
  storage: Storage,
  kinds: readonly PatchHeader['kind'][],
): Promise<PatchFile> {
  const head = await readPadded(storage, 0, HEADER_BYTES);
  if (parsePatchHeader(head, storage.name) === undefined) {
    throw invalid(storage.name, 'not-a-patch');
  }
  const file = await PatchFile.open(storage);
  if (file === undefined) throw invalid(storage.name, 'unfinished');
  if (!kinds.includes(file.header.kind)) throw invalid(storage.name, 'kind');
  return file;
}

/**
 * Makes in `target` the change that a patch or an undo file describes, after comparing everything
 * with it. `target` is to be an overlay: this is neither atomic nor in a safe order.
 * @throws ImageError patch-mismatch, and nothing is written, when the file is not what it was
 * made for; patch-invalid when it is damaged
 */
export async function applyPatch(patch: PatchFile, target: Storage): Promise<void> {
  const { name } = target;
  const { header } = patch;
  if (target.size !== header.oldSize) {
    throw new ImageError('patch-mismatch', { name, offset: Math.min(target.size, header.oldSize) });
  }
  for await (const record of patch.records()) {
    const current = await readPadded(target, record.offset, record.length);
    record.compare(current, (offset, isExpected) => {
      if (!isExpected) throw new ImageError('patch-mismatch', { name, offset });
    });
  }
  await target.resize(header.newSize);
  for await (const { offset, content } of patch.records()) {
    const length = Math.min(content.length, header.newSize - offset);
    if (length > 0) await target.write(offset, content.subarray(0, length));
  }
}
