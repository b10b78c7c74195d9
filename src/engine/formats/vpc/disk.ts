/** Disks in VHD files: fixed, dynamic, and differencing ones over a parent. */
import { alignUp, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import type { Description } from '../../operations/image-info.ts';
import type { Storage } from '../../storage/storage.ts';
import { clip, ExtentList } from '../extents.ts';
import type { Disk, Extent, LayeredDisk } from '../format.ts';
import { Bitmaps, endOfRun, hasSector, type Bitmap } from './bitmaps.ts';
import { checkVpc } from './check.ts';
import { describeVpc } from './describe.ts';
import type { Footer, Sizes } from './footer.ts';
import type { BlockTable } from './table.ts';
import { timeText } from './layout.ts';

/** What a disk is made of. */
export interface VpcParts {
  readonly storage: Storage;
  readonly footer: Footer;
  readonly sizes: Sizes;
  /** The header's numbers and the table; undefined where the file is the disk. */
  readonly table: BlockTable | undefined;
  /** Bytes of the file that are the guest's, where there is no table. */
  readonly content: number;
  /** Places in the table that cannot be true are not read. */
  readonly lenient: boolean;
  readonly findings: Finding[];
  /** Names of the parent, the likeliest first. */
  readonly parents: readonly string[];
}

/** Runs of one batch, unless somebody wants fewer. */
const MOST_RUNS = 65536;

export class VpcDisk implements Disk {
  readonly format = 'vpc';
  readonly storage: Storage;
  readonly size: number;
  readonly clusterSize: number;
  readonly codec = undefined;
  readonly cipher = undefined;
  readonly contentMissing = undefined;
  readonly checkIsOurs = true;
  readonly findings: Finding[];
  readonly parts: VpcParts;

  constructor(parts: VpcParts) {
    this.parts = parts;
    this.storage = parts.storage;
    this.size = parts.sizes.size;
    this.clusterSize = parts.table?.header.blockSize ?? 0;
    this.findings = parts.findings;
  }

  get backing(): Disk | undefined {
    return undefined;
  }

  get backingMissing(): boolean {
    return false;
  }

  get table(): BlockTable | undefined {
    return this.parts.table;
  }

  async map(offset: number, length: number, most = MOST_RUNS): Promise<Extent[]> {
    const end = Math.min(offset + length, this.size);
    if (offset >= end) return [];
    const list = new ExtentList(this.storage);
    const { table } = this.parts;
    if (table === undefined) this.#mapFile(list, offset, end);
    else await this.mapBlocks(table, { list, offset, end, most });
    return clip(list.extents, offset, end);
  }

  /** The file as it is, and zeros where it ends before the disk. */
  #mapFile(list: ExtentList, offset: number, end: number): void {
    const { content } = this.parts;
    const dataEnd = Math.min(end, Math.max(offset, content));
    if (dataEnd > offset) list.add('data', offset, dataEnd - offset, offset);
    if (end > dataEnd) list.add('zero', dataEnd, end - dataEnd, -1);
  }

  /** From the block of `offset` on, whole blocks. */
  protected mapBlocks(table: BlockTable, { list, offset, end, most }: MapRequest): Promise<void> {
    const { blockSize } = table.header;
    let index = Math.floor(offset / blockSize);
    for (; index * blockSize < end && list.length < most; index++) {
      if (this.addUnusual(table, list, index, 'zero')) continue;
      // All of a block is there: what its bitmap says counts only where there is a parent.
      this.addData(list, index * blockSize, blockSize, table.dataAt(index));
    }
    return Promise.resolve();
  }

  /** Adds a block that is not in the file, or is where nothing can be; returns whether it is. */
  protected addUnusual(
    table: BlockTable,
    list: ExtentList,
    index: number,
    absent: 'zero' | 'unallocated',
  ): boolean {
    const { blockSize } = table.header;
    const guest = index * blockSize;
    const at = table.blockAt(index);
    const { lenient } = this.parts;
    if (at < 0) {
      if (lenient && table.isLost(index)) list.addInvalid(guest, blockSize, -1, 'l2-unreadable');
      else list.add(absent, guest, blockSize, -1);
      return true;
    }
    if (!lenient || !table.hitsMetadata(at)) return false;
    list.addInvalid(guest, blockSize, at, 'block-outside');
    return true;
  }

  /** Adds bytes of a block; those that the file does not have are unreadable. */
  protected addData(list: ExtentList, guest: number, length: number, at: number): void {
    // As always, the last sector counts as a whole one.
    const fileEnd = this.parts.lenient ? alignUp(this.storage.size, SECTOR) : Infinity;
    const there = Math.max(0, Math.min(length, fileEnd - at));
    if (there > 0) list.add('data', guest, there, at);
    if (there < length) list.addInvalid(guest + there, length - there, at + there, 'block-outside');
  }

  describe(): Description {
    return describeVpc(this.parts);
  }

  check(options: CheckOptions): Promise<CheckReport> {
    return checkVpc(this.parts, options);
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

/** What is to be mapped, and where to. Guest bytes. */
interface MapRequest {
  readonly list: ExtentList;
  readonly offset: number;
  readonly end: number;
  readonly most: number;
}

/** A disk that holds what differs from its parent. */
export class DifferencingDisk extends VpcDisk implements LayeredDisk {
  withoutBacking = false;
  readonly backingFormat = 'vpc';
  readonly backingName: string;
  readonly backingNames: readonly string[];
  readonly tableBytes: number;
  readonly bitmaps: Bitmaps;
  #backing: Disk | undefined;

  constructor(parts: VpcParts, table: BlockTable) {
    super(parts);
    // Without any name left, it is asked for by its identity.
    const [name = table.header.parentUuid, ...others] = parts.parents;
    this.backingName = name;
    this.backingNames = others;
    this.tableBytes = table.entries.byteLength;
    this.bitmaps = new Bitmaps(parts.storage, table);
  }

  override get backing(): Disk | undefined {
    return this.#backing;
  }

  override set backing(disk: Disk | undefined) {
    this.#backing = disk;
  }

  override get backingMissing(): boolean {
    return this.#backing === undefined && !this.withoutBacking;
  }

  /** @throws ImageError parent-mismatch */
  acceptBacking(backing: Disk): void {
    const { header } = this.parts.table ?? {};
    const expected = header?.parentUuid ?? '';
    const found = backing instanceof VpcDisk ? backing.parts.footer.uuid : backing.format;
    if (found !== expected || !(backing instanceof VpcDisk)) {
      const names = { name: this.storage.name, parent: backing.storage.name };
      throw new ImageError('parent-mismatch', { ...names, expected, found });
    }
    // The time is that of the parent's last change, which can be no earlier than its creation.
    const noted = header?.fields.parentTimestamp ?? 0;
    const { timestamp } = backing.parts.footer;
    if (noted === 0 || timestamp <= noted) return;
    const values = { noted: timeText(noted), found: timeText(timestamp), message: '' };
    this.findings.push({ kind: 'parent-changed', severity: 'notice', values, repair: 'none' });
  }

  protected override async mapBlocks(
    table: BlockTable,
    { list, offset, end, most }: MapRequest,
  ): Promise<void> {
    const { blockSize } = table.header;
    let index = Math.floor(offset / blockSize);
    while (index * blockSize < end && list.length < most) {
      const bitmaps = await this.#bitmapsFrom(table, index, end);
      for (; index * blockSize < end && list.length < most; index++) {
        if (this.addUnusual(table, list, index, 'unallocated')) continue;
        const bitmap = bitmaps.get(index);
        if (bitmap === undefined) break;
        const start = index * blockSize;
        const range = { from: offset - start, to: end - start, most };
        this.#addSectors(list, start, table.dataAt(index), bitmap, range);
      }
    }
  }

  /** The bitmaps of as many blocks from there on as can be had at once. */
  #bitmapsFrom(table: BlockTable, first: number, end: number): Promise<Map<number, Bitmap>> {
    const { blockSize } = table.header;
    const wanted: number[] = [];
    const { batch } = this.bitmaps;
    for (let index = first; index * blockSize < end && wanted.length < batch; index++) {
      if (table.blockAt(index) >= 0) wanted.push(index);
    }
    return this.bitmaps.load(wanted);
  }

  /** The runs of a block in that range of its bytes, or so many of them that it is enough. */
  #addSectors(
    list: ExtentList,
    start: number,
    dataAt: number,
    bitmap: Bitmap,
    { from, to, most }: { from: number; to: number; most: number },
  ): void {
    const { blockSize } = this.parts.table?.header ?? { blockSize: 0 };
    const last = Math.ceil(Math.min(to, blockSize) / SECTOR);
    let sector = Math.floor(Math.max(0, from) / SECTOR);
    while (sector < last && list.length < most) {
      const next = endOfRun(bitmap, sector, last);
      const offset = sector * SECTOR;
      const length = (next - sector) * SECTOR;
      if (hasSector(bitmap, sector)) this.addData(list, start + offset, length, dataAt + offset);
      else list.add('unallocated', start + offset, length, -1);
      sector = next;
    }
  }
}
