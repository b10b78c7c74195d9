/** A VDI: a header, a map with an entry for each block of the disk, and the blocks. */
import { ImageError } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import type { Description, Fact } from '../../operations/image-info.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { EntryTable, mapEntries } from '../entry-table.ts';
import { clip, ExtentList } from '../extents.ts';
import { imageFault } from '../fault.ts';
import { fieldValues } from '../field-values.ts';
import type { Disk, DriverRequest, Extent, LayeredDisk } from '../format.ts';
import { checkVdi } from './check.ts';
import { parseHeader, type VdiHeader } from './header.ts';
import {
  HEADER,
  HEADER_BYTES,
  TYPE_DIFFERENCING,
  TYPE_DYNAMIC,
  TYPE_STATIC,
  TYPE_UNDO,
  UNALLOCATED,
  ZERO,
} from './layout.ts';

/** Opens one. @throws ImageError invalid-image and those of reading */
export async function openVdi(
  storage: Storage,
  { lenient, mode }: Pick<DriverRequest, 'lenient' | 'mode'>,
): Promise<VdiDisk> {
  const header = parseHeader(await readPadded(storage, 0, HEADER_BYTES), lenient);
  const { mapOffset, blocks } = header.fields;
  const mapEnd = mapOffset + blocks * 4;
  if (mapEnd > storage.size && mode !== 'info') {
    // To go on would mean to take every missing entry for the first block.
    const message = `Image ends within its block map (at ${storage.size}, map ends at ${mapEnd})`;
    const [value, limit] = [mapEnd, storage.size];
    imageFault('vdi', 'truncated', { field: 'block map', value, limit, message });
  }
  return header.parent === '' ? new VdiDisk(storage, header) : new VdiChild(storage, header);
}

const SUBFORMATS = new Map([
  [TYPE_DYNAMIC, 'dynamic'],
  [TYPE_STATIC, 'static'],
  [TYPE_UNDO, 'undo'],
  [TYPE_DIFFERENCING, 'differencing'],
]);

export class VdiDisk implements Disk {
  readonly format = 'vdi';
  readonly storage: Storage;
  readonly header: VdiHeader;
  readonly size: number;
  readonly clusterSize: number;
  readonly codec = undefined;
  readonly cipher = undefined;
  readonly contentMissing = undefined;
  backing: Disk | undefined;
  /** The block map. */
  readonly table: EntryTable;
  /** What was never written. */
  protected readonly absent: 'zero' | 'unallocated' = 'zero';

  constructor(storage: Storage, header: VdiHeader) {
    this.storage = storage;
    this.header = header;
    this.size = header.size;
    this.clusterSize = header.blockSize;
    this.table = new EntryTable(storage, header.fields.mapOffset, header.fields.blocks);
  }

  get backingMissing(): boolean {
    return false;
  }

  /** Where a block of the file begins, bytes. */
  placeOf(entry: number): number {
    const { dataOffset, blockExtra } = this.header.fields;
    return dataOffset + blockExtra + entry * (this.clusterSize + blockExtra);
  }

  async map(offset: number, length: number, most?: number): Promise<Extent[]> {
    const { storage, clusterSize: blockSize } = this;
    const end = Math.min(offset + length, this.size);
    const list = new ExtentList(storage);
    await mapEntries(this.table, { blockSize, offset, end, most }, list, (entry, guest) => {
      if (entry === UNALLOCATED) list.add(this.absent, guest, blockSize, -1);
      else if (entry === ZERO) list.add('zero', guest, blockSize, -1);
      else {
        const host = this.placeOf(entry);
        if (host < storage.size) list.add('data', guest, blockSize, host);
        else list.addInvalid(guest, blockSize, host, 'block-outside');
      }
    });
    return clip(list.extents, offset, end);
  }

  check(options: CheckOptions): Promise<CheckReport> {
    return checkVdi(this, options);
  }

  describe(): Description {
    const { header, clusterSize } = this;
    const { fields } = header;
    const facts: Fact[] = [
      { key: 'subformat', value: SUBFORMATS.get(fields.type) ?? String(fields.type) },
      { key: 'format-version', value: '1.1' },
      { key: 'block-size', value: clusterSize },
      { key: 'uuid', value: header.uuid },
    ];
    if (header.creator !== '') facts.push({ key: 'creator', value: header.creator });
    if (header.parent !== '') facts.push({ key: 'parent-uuid', value: header.parent });
    if (fields.cylinders > 0) {
      const value = `${fields.cylinders}/${fields.heads}/${fields.sectors}`;
      facts.push({ key: 'geometry', value });
    }
    return {
      ...{ clusterSize, encrypted: false, dirty: false, specific: undefined, facts },
      fields: fieldValues(HEADER, fields),
    };
  }

  close(): Promise<void> {
    return this.storage.close();
  }
}

/** A differencing image: what was never written is with the parent. Only VirtualBox makes these. */
export class VdiChild extends VdiDisk implements LayeredDisk {
  withoutBacking = false;
  /** The header has no name, but VirtualBox calls its snapshots' files by their identifiers. */
  readonly backingName: string;
  readonly backingFormat = 'vdi';
  /** The map is read a piece at a time. */
  readonly tableBytes = 0;
  readonly findings: Finding[] = [];
  protected override readonly absent = 'unallocated';

  constructor(storage: Storage, header: VdiHeader) {
    super(storage, header);
    this.backingName = `{${header.parent}}.vdi`;
  }

  override get backingMissing(): boolean {
    return this.backing === undefined && !this.withoutBacking;
  }

  /** @throws ImageError parent-mismatch where it is another image */
  acceptBacking(backing: Disk): void {
    const { parent, parentModification } = this.header;
    const found = backing instanceof VdiDisk ? backing.header.uuid : backing.format;
    if (found !== parent) {
      const { name } = this.storage;
      const details = { name, parent: backing.storage.name, expected: parent, found };
      throw new ImageError('parent-mismatch', details);
    }
    if (!(backing instanceof VdiDisk) || parentModification === '') return;
    const { modification } = backing.header;
    if (modification === parentModification) return;
    this.findings.push({
      kind: 'parent-changed',
      severity: 'notice',
      values: { expected: parentModification, found: modification, message: '' },
      repair: 'none',
    });
  }
}
