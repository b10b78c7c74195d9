/** What was put up with when an image was opened, and what is wrong with its table. */
import type { Finding } from '../../operations/finding.ts';
import type { BlockFault } from './bat-scan.ts';
import type { Parts } from './image.ts';
import { HEADER_BYTES, REGION_TABLES_AT, TABLE_BYTES } from './layout.ts';

/** What was put up with. */
export function openingFindings({ headers, log, regions }: Parts): Finding[] {
  const findings: Finding[] = [];
  const notice = (kind: Finding['kind'], offset: number, length: number): void => {
    findings.push({
      ...{ kind, severity: 'notice', repair: 'safe' },
      host: { offset, length },
      values: { message: '' },
    });
  };
  if (log.pending !== undefined) {
    const { logOffset, logLength } = headers.current.fields;
    notice('log-pending', logOffset, logLength);
  }
  if (!headers.isOtherSound) notice('header-copy', headers.otherAt, HEADER_BYTES);
  if (regions.other === 'damaged') notice('header-copy', otherTableAt(regions), TABLE_BYTES);
  if (regions.other === 'different') notice('table-copy', otherTableAt(regions), TABLE_BYTES);
  return findings;
}

/** Where the copy of the region table is that was not used. */
export function otherTableAt({ at }: Parts['regions']): number {
  return REGION_TABLES_AT[0] === at ? REGION_TABLES_AT[1] : REGION_TABLES_AT[0];
}

/** As qemu-img counts it. */
export function blockFinding({ entry, offset, message }: BlockFault): Finding {
  return {
    ...{ kind: 'block-outside', severity: 'corruption', repair: 'none' },
    host: { offset, length: 0 },
    values: { index: entry, message: `qemu-img: ${message}\n` },
  };
}
