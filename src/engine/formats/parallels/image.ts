/** An expandable Parallels image: a header, a table with an entry for each cluster, the clusters. */
import { SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import type { Description, Fact } from '../../operations/image-info.ts';
import { readPadded, type Storage } from '../../storage/storage.ts';
import { EntryTable, mapEntries } from '../entry-table.ts';
import { clip, ExtentList } from '../extents.ts';
import { imageFault } from '../fault.ts';
import { fieldValues } from '../field-values.ts';
import type { Extent } from '../format.ts';
import { checkParallels } from './check.ts';
import { readExtension, type Extension } from './extension.ts';
import { entriesFor, parseHeader, type ParallelsHeader } from './header.ts';
import { HEADER, HEADER_BYTES } from './layout.ts';
import { StandAloneDisk } from '../stand-alone.ts';

/**
 * Opens one.
 * @param lenient takes also one whose format extension cannot be read
 * @param isEdited it is going to be written to
 * @throws ImageError invalid-image, image-dirty and those of reading
 */
export async function openParallels(
  storage: Storage,
  lenient: boolean,
  isEdited: boolean,
): Promise<ParallelsDisk> {
  const header = parseHeader(await readPadded(storage, 0, HEADER_BYTES));
  const tableEnd = HEADER_BYTES + entriesFor(header) * 4;
  if (tableEnd > storage.size) {
    // To go on would mean to take every missing entry for zeros.
    const message = `Image ends within its catalog (at ${storage.size}, it ends at ${tableEnd})`;
    const [value, limit] = [tableEnd, storage.size];
    imageFault('parallels', 'truncated', { field: 'catalog', value, limit, message });
  }
  if (isEdited && header.inUse) refuseInUse(storage);
  const hasExtension = header.fields.extension !== 0;
  const extension = hasExtension ? await readExtension(storage, header) : { bitmaps: [] };
  // Whoever writes to it drops the extension anyway.
  if ('problem' in extension && !lenient && !storage.writable) {
    const { problem: message } = extension;
    imageFault('parallels', 'field', { field: 'format extension', message });
  }
  return new ParallelsDisk(storage, header, extension);
}

/** @throws ImageError image-dirty */
export function refuseInUse({ name }: Storage): never {
  const reason = 'Image was not closed correctly; cannot be opened read/write';
  throw new ImageError('image-dirty', { name, message: `parallels: ${reason}` });
}

export class ParallelsDisk extends StandAloneDisk {
  readonly format = 'parallels';
  readonly storage: Storage;
  readonly header: ParallelsHeader;
  readonly size: number;
  readonly clusterSize: number;
  readonly table: EntryTable;
  readonly extension: Extension;
  readonly findings: readonly Finding[];

  constructor(storage: Storage, header: ParallelsHeader, extension: Extension) {
    super();
    this.storage = storage;
    this.header = header;
    this.size = header.size;
    this.clusterSize = header.clusterSize;
    this.extension = extension;
    this.table = new EntryTable(storage, HEADER_BYTES, header.fields.entries);
    this.findings = findingsOf(header, extension);
  }

  async map(offset: number, length: number, most?: number): Promise<Extent[]> {
    const { storage, clusterSize: blockSize, table } = this;
    const { unit } = this.header;
    const end = Math.min(offset + length, this.size);
    const list = new ExtentList(storage);
    await mapEntries(table, { blockSize, offset, end, most }, list, (entry, guest) => {
      const host = entry * unit;
      if (entry === 0) list.add('unallocated', guest, blockSize, -1);
      else if (host < storage.size) list.add('data', guest, blockSize, host);
      else list.addInvalid(guest, blockSize, host, 'block-outside');
    });
    const start = Math.max(offset, table.count * blockSize);
    const { extents } = list;
    const reached = endOf(extents.at(-1)) ?? offset;
    // The table may be too short for the disk.
    if (start < end && reached >= start) list.add('unallocated', start, end - start, -1);
    return clip(extents, offset, end);
  }

  check(options: CheckOptions): Promise<CheckReport> {
    return checkParallels(this, options);
  }

  describe(): Description {
    const { header, clusterSize, extension } = this;
    const { fields } = header;
    const facts: Fact[] = [
      { key: 'subformat', value: header.magic },
      { key: 'format-version', value: fields.version },
      { key: 'block-size', value: clusterSize },
    ];
    if (fields.cylinders > 0) {
      facts.push({ key: 'geometry', value: `${fields.cylinders}/${fields.heads}` });
    }
    if (header.inUse) facts.push({ key: 'in-use', value: 'yes' });
    const bitmaps = 'bitmaps' in extension ? extension.bitmaps : [];
    for (const { id, granularity } of bitmaps) {
      facts.push({ key: 'features', value: `dirty bitmap ${id} (${granularity})` });
    }
    return {
      // The real program says neither how large the clusters are nor how it was closed.
      ...{ clusterSize: undefined, encrypted: false, dirty: undefined, specific: undefined, facts },
      fields: fieldValues(HEADER, fields),
    };
  }
}

function endOf(extent: Extent | undefined): number | undefined {
  return extent === undefined ? undefined : extent.offset + extent.length;
}

function findingsOf(header: ParallelsHeader, extension: Extension): Finding[] {
  const findings: Finding[] = [];
  const common = { severity: 'notice', repair: 'none' } as const;
  if (header.inUse) findings.push({ kind: 'dirty', ...common, values: { message: '' } });
  if ('problem' in extension) {
    const host = { offset: header.fields.extension * SECTOR, length: header.clusterSize };
    const values = { problem: extension.problem, message: '' };
    findings.push({ kind: 'extension-damaged', ...common, host, values });
  }
  return findings;
}
