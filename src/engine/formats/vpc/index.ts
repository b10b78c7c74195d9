/** VHD: the format of Virtual PC and Hyper-V, qemu-img's «vpc». */
import type { Finding } from '../../operations/finding.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DriverRequest, FormatDriver } from '../format.ts';
import { DifferencingDisk, VpcDisk, type VpcParts } from './disk.ts';
import { editVpc } from './edit.ts';
import { findAnyFooter, findFooter, sizeFindings, sizesOf } from './footer.ts';
import { readHeader, type Header } from './header.ts';
import { HEADER_SIZE, TYPE_DIFFERENCING, TYPE_FIXED } from './layout.ts';
import { parentNames } from './parent.ts';
import { readTable, refuseTruncated, type BlockTable } from './table.ts';

export const vpcDriver: FormatDriver = {
  name: 'vpc',
  async open(storage, request) {
    const parts = await readParts(storage, request);
    const { table, footer } = parts;
    const isOver = footer.type === TYPE_DIFFERENCING && table !== undefined;
    return isOver ? new DifferencingDisk(parts, table) : new VpcDisk(parts);
  },
  edit: editVpc,
};

async function readParts(storage: Storage, request: DriverRequest): Promise<VpcParts> {
  const { lenient, sizeRule } = request;
  const found = await (lenient ? findAnyFooter(storage) : findFooter(storage));
  const { footer, headless } = found;
  const sizes = sizesOf(footer, storage.name, sizeRule);
  const findings = [...found.findings, ...sizeFindings(footer, sizes)];
  const common = { storage, footer, sizes, lenient, findings };
  if (headless) {
    const content = lenient ? footer.at : Infinity;
    if (lenient && sizes.size > content) findings.push(shortened(content, sizes.size));
    return { ...common, content, table: undefined, parents: [] };
  }
  const header = await readHeader(storage, footer, sizes.size);
  if (!header.sound) findings.push(wrongChecksum(header));
  const table = await openTable(storage, header, lenient, findings);
  // What has a header and says that it has none is read as if that were so.
  if (footer.type === TYPE_FIXED) {
    return { ...common, content: Infinity, table: undefined, parents: [] };
  }
  const isOver = footer.type === TYPE_DIFFERENCING;
  const parents = isOver ? await parentNames(storage, header) : [];
  return { ...common, content: 0, table, parents };
}

async function openTable(
  storage: Storage,
  header: Header,
  lenient: boolean,
  findings: Finding[],
): Promise<BlockTable> {
  const { tableAt, entries } = header;
  if (!lenient) refuseTruncated(tableAt + entries * 4, storage.size);
  const table = await readTable(storage, header, lenient);
  const { end } = table;
  if (!lenient) refuseTruncated(end, storage.size);
  else if (end > storage.size || table.lostBlocks > 0) findings.push(shortened(storage.size, end));
  return table;
}

/** The file ends before what it should have. Bytes. */
function shortened(fileSize: number, end: number): Finding {
  const host = { offset: fileSize, length: Math.max(0, end - fileSize) };
  const values = { fileSize, end, message: '' };
  return { kind: 'truncated', severity: 'corruption', host, values, repair: 'none' };
}

function wrongChecksum({ at }: Header): Finding {
  const host = { offset: at, length: HEADER_SIZE };
  const values = { offset: at, message: '' };
  return { kind: 'header-checksum', severity: 'notice', host, values, repair: 'none' };
}
