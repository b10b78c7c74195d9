/** Opening a VMDK: the file that was given, and those that it names as its extents. */
import { SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Finding } from '../../operations/finding.ts';
import type { FieldValue } from '../../operations/image-info.ts';
import { MissingStorage } from '../../storage/missing.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { imageFault } from '../fault.ts';
import { fieldValues } from '../field-values.ts';
import type { DriverRequest } from '../format.ts';
import {
  createTypeOf,
  decodeDescriptor,
  DESCRIPTOR_BYTES,
  DESCRIPTOR_LIMIT,
  EMBEDDED_AT,
  extentLines,
  identityOf,
  isFlat,
  type ExtentLine,
} from './descriptor.ts';
import { VmdkImage } from './image.ts';
import { COWD_HEADER, COWD_MAGIC, HOSTED_HEADER, HOSTED_MAGIC } from './layout.ts';
import { readSeHeader } from './se-sparse.ts';
import { PlainSegment, SparseSegment, type Segment } from './segments.ts';
import { descriptorBehind, magicOf, readSparseHeader, type SparseLayout } from './sparse-header.ts';
import { DirectoryBudget, GrainTables, readDirectory } from './tables.ts';

/**
 * Opens a disk and, through the gate, the files of its extents. One that is not given leaves a gap
 * of unknown content.
 * @throws ImageError invalid-image, too-large and those of reading
 */
export async function openVmdk(storage: Storage, request: DriverRequest): Promise<VmdkImage> {
  const opener = new Opener(storage, request);
  try {
    return await opener.open();
  } catch (error) {
    await opener.abandon();
    throw error;
  }
}

class Opener {
  readonly #storage: Storage;
  readonly #request: DriverRequest;
  readonly #budget = new DirectoryBudget();
  readonly #files = new Map<string, Storage>();
  readonly #segments: Segment[] = [];
  readonly #findings: Finding[] = [];
  #fields: FieldValue[] = [];
  #end = 0;

  constructor(storage: Storage, request: DriverRequest) {
    this.#storage = storage;
    this.#request = request;
  }

  async open(): Promise<VmdkImage> {
    const storage = this.#storage;
    if (storage.size < 4) {
      imageFault('vmdk', 'truncated', { message: 'File is too small, not a valid image' });
    }
    const first = await readPadded(storage, 0, EMBEDDED_AT + DESCRIPTOR_BYTES);
    const magic = magicOf(first);
    const isSparse = magic === HOSTED_MAGIC || magic === COWD_MAGIC;
    if (isSparse) return this.#openSparse(first);
    const text = await this.#readText(0);
    const createType = await this.#addExtents(text);
    return this.#finish(createType, text, 0, first.subarray(0, DESCRIPTOR_BYTES));
  }

  /** Closes the files of extents: the image could not be opened. */
  async abandon(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  async #openSparse(first: Uint8Array): Promise<VmdkImage> {
    const identity = first.subarray(EMBEDDED_AT, EMBEDDED_AT + DESCRIPTOR_BYTES);
    const behind = descriptorBehind(first);
    if (behind > 0) {
      const text = await this.#readText(behind);
      const createType = await this.#addExtents(text);
      return this.#finish(createType, text, EMBEDDED_AT, identity);
    }
    const layout = await readSparseHeader(this.#storage, first);
    const isHosted = layout.kind === 'hosted';
    const header = isHosted ? HOSTED_HEADER : COWD_HEADER;
    this.#fields = fieldValues(header, header.read(first));
    if (isHosted) this.#testNewlines(first);
    await this.#addSparse(this.#storage, layout, { type: '', access: 'RW' });
    const createType = isHosted ? 'monolithicSparse' : '';
    return this.#finish(createType, decodeDescriptor(identity), EMBEDDED_AT, identity);
  }

  #finish(
    createType: string,
    descriptor: string,
    descriptorAt: number,
    identity: Uint8Array,
  ): VmdkImage {
    const segments = this.#segments;
    const isPacked = segments.some((one) => one instanceof SparseSegment && one.layout.compressed);
    return new VmdkImage({
      storage: this.#storage,
      identity: identityOf(decodeDescriptor(identity), this.#storage.name),
      createType: isPacked ? 'streamOptimized' : createType,
      ...{ descriptor, descriptorAt, segments },
      fields: this.#fields,
      findings: this.#findings,
      tableBytes: this.#budget.used,
    });
  }

  async #readText(at: number): Promise<string> {
    const { size } = this.#storage;
    const length = Math.min(DESCRIPTOR_LIMIT, Math.max(0, size - at));
    return decodeDescriptor(length === 0 ? new Uint8Array() : await this.#bytes(at, length));
  }

  #bytes(at: number, length: number): Promise<Uint8Array> {
    return readPadded(this.#storage, at, length);
  }

  /** @returns the kind of disk */
  async #addExtents(text: string): Promise<string> {
    const createType = createTypeOf(text, this.#request.lenient);
    for (const line of extentLines(text)) await this.#addExtent(line);
    return createType;
  }

  async #addExtent(line: ExtentLine): Promise<void> {
    const { type, access, sectors } = line;
    if (type === 'ZERO') {
      this.#addPlain(line, this.#storage, -1);
      return;
    }
    const file = await this.#fileOf(line);
    if (isFlat(type) || file instanceof MissingStorage) {
      this.#addPlain(line, file, isFlat(type) ? line.offset * SECTOR : -1);
      return;
    }
    const layout = type === 'SESPARSE' ? await readSeHeader(file) : await this.#sparseLayout(file);
    if (layout.sectors !== sectors) {
      const values = { descriptor: sectors, header: layout.sectors, message: '' };
      const guest = { offset: this.#end, length: Math.min(sectors, layout.sectors) * SECTOR };
      this.#note({ kind: 'size-contradiction', guest, values });
    }
    await this.#addSparse(file, layout, { type, access });
  }

  async #sparseLayout(file: Storage): Promise<SparseLayout> {
    if (file.size < 4) {
      imageFault('vmdk', 'truncated', { message: 'File is too small, not a valid image' });
    }
    const first = await readPadded(file, 0, SECTOR);
    if (descriptorBehind(first) > 0) {
      // QEMU would go on with a descriptor in there; nobody makes such a thing.
      imageFault('vmdk', 'descriptor', { field: 'extent', value: file.name });
    }
    return readSparseHeader(file, first);
  }

  #addPlain(line: ExtentLine, file: Storage, hostOffset: number): void {
    const { type, access } = line;
    const place = this.#place(line.sectors, { type, access });
    this.#segments.push(new PlainSegment(place, file, hostOffset));
  }

  async #addSparse(
    file: Storage,
    layout: SparseLayout,
    line: { type: string; access: ExtentLine['access'] },
  ): Promise<void> {
    const directory = await readDirectory(file, layout, layout.directory, this.#budget);
    const tables = new GrainTables(file, layout, directory);
    if (layout.sectors === 0) return;
    this.#segments.push(new SparseSegment(this.#place(layout.sectors, line), tables));
  }

  #place(sectors: number, { type, access }: { type: string; access: ExtentLine['access'] }) {
    const start = this.#end;
    const length = sectors * SECTOR;
    this.#end += length;
    if (!Number.isSafeInteger(this.#end)) {
      const details = { what: 'capacity', value: String(sectors), limit: Number.MAX_SAFE_INTEGER };
      throw new ImageError('too-large', details);
    }
    return { start, length, type, access };
  }

  /** Files that several extents name are asked for once. */
  async #fileOf({ name, access, sectors, offset }: ExtentLine): Promise<Storage> {
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    const bytes = (sectors + offset) * SECTOR;
    const file =
      access === 'NOACCESS' ? new MissingStorage(name, bytes) : await this.#ask(name, bytes);
    this.#files.set(name, file);
    return file;
  }

  async #ask(name: string, bytes: number): Promise<Storage> {
    const { gate } = this.#request;
    const request = { kind: 'extent' as const, name, format: '', from: this.#storage.name };
    const answer = await gate?.(request);
    if (answer === undefined || answer === 'none') return new MissingStorage(name, bytes);
    return 'storage' in answer ? answer.storage : answer;
  }

  /** Four bytes that copying as text would have changed, and with them everything else. */
  #testNewlines(first: Uint8Array): void {
    const { flags, singleEnd, nonEnd, doubleEnd1, doubleEnd2 } = HOSTED_HEADER.read(first);
    const found = [singleEnd, nonEnd, doubleEnd1, doubleEnd2];
    const expected = [0x0a, 0x20, 0x0d, 0x0a];
    if ((flags & 1) === 0 || found.every((byte, index) => byte === expected[index])) return;
    const host = { offset: HOSTED_HEADER.fields.singleEnd.offset, length: 4 };
    this.#note({ kind: 'header-checksum', host, values: { message: '' } });
  }

  #note(finding: Omit<Finding, 'severity' | 'repair'>): void {
    this.#findings.push({ severity: 'notice', repair: 'none', ...finding });
  }
}
