/** A VHDX: fixed, dynamic or differencing. Sections of [MS-VHDX]. */
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import type { Description } from '../../operations/image-info.ts';
import { OverlayStorage } from '../../storage/overlay.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { ImageError, isImageError } from '../../errors.ts';
import { clip, ExtentList } from '../extents.ts';
import { imageFault } from '../fault.ts';
import type { Disk, DriverRequest, Extent, LayeredDisk } from '../format.ts';
import { BatLayout, BatReader, type BatPart } from './bat.ts';
import { EntryJudge, PlaceIndex, visitEntries, type BlockFault } from './bat-scan.ts';
import { BitmapReader, presentRuns } from './bitmaps.ts';
import { checkVhdx } from './check.ts';
import { describeVhdx } from './describe.ts';
import { fault, INVALID, isErrno } from './faults.ts';
import { blockFinding, openingFindings } from './findings.ts';
import { readHeaders, type Headers } from './headers.ts';
import {
  BITMAP_PRESENT,
  CREATOR,
  entryOffset,
  entryState,
  FIRST_MIB,
  hasText,
  PAYLOAD,
  SIGNATURE,
} from './layout.ts';
import { readMetadata, type Metadata } from './metadata.ts';
import { readRegions, type Regions } from './regions.ts';
import { readLog, replayLog, type LogFacts } from './replay.ts';

/** Everything that the tables in front of the blocks say. */
export interface Parts {
  /** The file as it is after its log was replayed. */
  readonly view: Storage;
  readonly headers: Headers;
  readonly log: LogFacts;
  readonly regions: Regions;
  readonly metadata: Metadata;
  readonly layout: BatLayout;
  /** The program that made it, '' where it does not say. */
  readonly creator: string;
  readonly lenient: boolean;
}

/**
 * Opens one. A log that has to be replayed is replayed in memory.
 * @throws ImageError invalid-image, too-large and those of reading
 */
export async function openVhdx(storage: Storage, request: DriverRequest): Promise<VhdxImage> {
  try {
    return await openParts(storage, request);
  } catch (error) {
    throw withName(error, storage.name);
  }
}

/** Where QEMU has nothing to say but the number of an error, it puts the name before its text. */
function withName(error: unknown, name: string): unknown {
  if (!isImageError(error, 'invalid-image') || !isErrno(error.details.message)) return error;
  const message = `Could not open '${name}': ${error.details.message}`;
  return new ImageError('invalid-image', { ...error.details, message }, { cause: error });
}

async function openParts(storage: Storage, { mode, lenient }: DriverRequest): Promise<VhdxImage> {
  const first = await readPadded(storage, 0, CREATOR.offset + CREATOR.length);
  if (!hasText(first, SIGNATURE)) fault('signature', 'signature');
  const headers = await readHeaders(storage);
  const log = await readLog(storage, headers.current);
  // Nothing of such an entry is in its place yet: it is as if it had never been begun.
  if (log.isTorn && !lenient) fault('checksum', 'log');
  const needsReplay = log.pending !== undefined || log.isBroken;
  if (needsReplay && !lenient && !storage.writable) refuseLog(storage.name);
  if (log.isBroken) fault('checksum', 'log');
  let view = storage;
  if (log.pending !== undefined) {
    view = new OverlayStorage(storage);
    await replayLog(view, log.pending);
  }
  const regions = await readRegions(view, headers.current, lenient);
  const metadata = await readMetadata(view, regions.metadata, lenient);
  const layout = new BatLayout(regions.bat, metadata);
  const creator = creatorOf(first);
  const parts: Parts = { view, headers, log, regions, metadata, layout, creator, lenient };
  const wrong = mode === 'check' ? undefined : await firstFault(parts);
  if (wrong !== undefined && !lenient) refuseBlocks(wrong);
  return metadata.parent === undefined
    ? new VhdxImage(storage, parts, wrong)
    : new VhdxChild(storage, parts, wrong);
}

/** Text up to its end; it is for people only. */
function creatorOf(bytes: Uint8Array): string {
  const text = bytes.subarray(CREATOR.offset, CREATOR.offset + CREATOR.length);
  const decoded = new TextDecoder('utf-16le', { ignoreBOM: true }).decode(text);
  return decoded.split('\0', 1)[0] ?? '';
}

function refuseLog(name: string): never {
  const message =
    `VHDX image file '${name}' opened read-only, but contains a log that needs to be replayed\n` +
    `To replay the log, run:\nqemu-img check -r all '${name}'`;
  fault('field', 'log', '', message);
}

function refuseBlocks({ kind, offset, message }: BlockFault): never {
  const problem = kind === 'outside' ? 'truncated' : 'table-place';
  const details = { field: 'block allocation table', value: offset, message: INVALID };
  imageFault('vhdx', problem, { ...details, reported: message });
}

/** The first entry of the table that qemu-img refuses an image for. */
export async function firstFault(parts: Parts): Promise<BlockFault | undefined> {
  const { view, layout, metadata, regions } = parts;
  const judge = new EntryJudge({ view, layout, metadata, places: regions.places });
  let found: BlockFault | undefined;
  await visitEntries(view, layout, (entry, state, offset) => {
    for (const wrong of judge.faults(entry, state, offset)) found ??= wrong;
    return found === undefined;
  });
  return found;
}

/** Runs of one batch, unless somebody wants fewer. */
const MOST_RUNS = 64 * 1024;

export class VhdxImage implements Disk {
  readonly format = 'vhdx';
  readonly storage: Storage;
  readonly parts: Parts;
  readonly size: number;
  readonly clusterSize: number;
  readonly codec = undefined;
  readonly cipher = undefined;
  readonly contentMissing = undefined;
  readonly isOpaque = true;
  readonly findings: readonly Finding[];
  backing: Disk | undefined;
  readonly #bat: BatReader;
  readonly #bitmaps: BitmapReader;
  readonly #places: PlaceIndex;

  constructor(storage: Storage, parts: Parts, wrong: BlockFault | undefined) {
    this.storage = storage;
    this.parts = parts;
    this.size = parts.metadata.size;
    this.clusterSize = parts.metadata.blockSize;
    this.#bat = new BatReader(parts.view, parts.layout);
    this.#bitmaps = new BitmapReader(parts.view, parts.metadata);
    this.#places = new PlaceIndex(parts.regions.places);
    this.findings = [
      ...openingFindings(parts),
      ...(wrong === undefined ? [] : [blockFinding(wrong)]),
    ];
  }

  get backingMissing(): boolean {
    return false;
  }

  async map(offset: number, length: number, most: number = MOST_RUNS): Promise<Extent[]> {
    const { layout } = this.parts;
    const end = Math.min(offset + length, this.size);
    const list = new ExtentList(this.parts.view);
    if (end <= offset) return list.extents;
    let block = Math.floor(offset / this.clusterSize);
    const last = Math.floor((end - 1) / this.clusterSize);
    const part = await this.#bat.load(layout.entryOfBlock(block), layout.entryOfBlock(last) + 1);
    for (; block <= last && list.length < most; block++) {
      const entry = layout.entryOfBlock(block);
      if (entry >= part.end) break;
      const [low, high] = [part.low(entry), part.high(entry)];
      if (part.isLost(entry)) {
        list.addInvalid(block * this.clusterSize, this.clusterSize, -1, 'l2-unreadable');
      } else if (entryState(low) === PAYLOAD.partiallyPresent) {
        const from = Math.max(offset, block * this.clusterSize);
        await this.#addPartial(
          list,
          { block, from, end, most, host: entryOffset(high, low) },
          part,
        );
      } else {
        this.#addBlock(list, block, entryState(low), entryOffset(high, low));
      }
    }
    return clip(list.extents, offset, end);
  }

  #addBlock(list: ExtentList, block: number, state: number, host: number): void {
    const { clusterSize: length } = this;
    const guest = block * length;
    switch (state) {
      case PAYLOAD.notPresent:
        list.add(
          this.parts.metadata.parent === undefined ? 'zero' : 'unallocated',
          guest,
          length,
          -1,
        );
        return;
      case PAYLOAD.undefined:
      case PAYLOAD.zero:
      case PAYLOAD.unmapped:
      case PAYLOAD.unmappedDraft:
        list.add('zero', guest, length, -1);
        return;
      case PAYLOAD.fullyPresent:
        this.#addData(list, guest, Math.min(length, this.size - guest), host);
        return;
      default:
        list.addInvalid(guest, length, host, 'block-state');
    }
  }

  /** Content that is in the file, as far as it is. */
  #addData(list: ExtentList, guest: number, length: number, host: number): void {
    const there = this.#isPlace(host) ? this.parts.view.size - host : 0;
    const inside = Math.max(0, Math.min(length, Math.floor(there / 512) * 512));
    if (inside > 0) list.add('data', guest, inside, host);
    if (inside < length) {
      list.addInvalid(guest + inside, length - inside, host + inside, 'block-outside');
    }
  }

  /** Whether a block can be at that place of the file. */
  #isPlace(host: number): boolean {
    return host >= FIRST_MIB && !this.#places.hits(host, host + this.clusterSize);
  }

  /** A block of which the sectors are here that its bitmap says. */
  async #addPartial(
    list: ExtentList,
    { block, from, end, most, host }: PartialBlock,
    part: BatPart,
  ): Promise<void> {
    const { layout, metadata } = this.parts;
    const { clusterSize: length } = this;
    const guest = block * length;
    if (metadata.parent === undefined) {
      list.addInvalid(guest, length, host, 'block-state');
      return;
    }
    const entry = layout.entryOfBitmap(block);
    const known = entry < part.end ? part : await this.#bat.load(entry, entry + 1);
    const [low, high] = [known.low(entry), known.high(entry)];
    const at = entryOffset(high, low);
    const isThere = entryState(low) === BITMAP_PRESENT && at >= FIRST_MIB;
    if (!isThere || known.isLost(entry) || at >= this.parts.view.size) {
      list.addInvalid(guest, length, at, 'block-state');
      return;
    }
    const to = Math.min(guest + length, end);
    const bits = await this.#bitmaps.load(at, block % layout.ratio);
    for (const run of presentRuns(bits, from - guest, to - guest, metadata.sectorSize)) {
      if (list.length >= most) return;
      if (run.isPresent) this.#addData(list, guest + run.start, run.length, host + run.start);
      else list.add('unallocated', guest + run.start, run.length, -1);
    }
  }

  describe(): Description {
    return describeVhdx(this.parts);
  }

  check(options: CheckOptions): Promise<CheckReport> {
    return checkVhdx(this.parts, options);
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

interface PartialBlock {
  readonly block: number;
  /** Guest bytes that are wanted. */
  readonly from: number;
  readonly end: number;
  /** Enough runs. */
  readonly most: number;
  /** Where the block is in the file, bytes. */
  readonly host: number;
}

/** An image of which parts are with its parent. qemu-img does not know these. */
export class VhdxChild extends VhdxImage implements LayeredDisk {
  withoutBacking = false;
  readonly backingName: string;
  readonly backingNames: readonly string[];
  readonly backingFormat = '';
  /** The table is read a piece at a time. */
  readonly tableBytes = 0;

  constructor(storage: Storage, parts: Parts, wrong: BlockFault | undefined) {
    super(storage, parts, wrong);
    const [name = '', ...names] = parts.metadata.parent?.names ?? [];
    this.backingName = name;
    this.backingNames = names;
  }

  override get backingMissing(): boolean {
    return this.backing === undefined && !this.withoutBacking;
  }

  /** @throws ImageError parent-mismatch where it is another image, or was changed since */
  acceptBacking(backing: Disk): void {
    const linkages = this.parts.metadata.parent?.linkages ?? [];
    const found =
      backing instanceof VhdxImage ? backing.parts.headers.current.dataWriteGuid : backing.format;
    if (linkages.includes(found)) return;
    throw new ImageError('parent-mismatch', {
      name: this.storage.name,
      parent: backing.storage.name,
      expected: linkages[0] ?? '',
      found,
    });
  }
}
