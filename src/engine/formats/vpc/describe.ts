/** What is said of a VHD without reading its content. */
import type { Description, Fact, FactKey } from '../../operations/image-info.ts';
import { fieldValues } from '../field-values.ts';
import type { VpcParts } from './disk.ts';
import { creatorOf } from './footer.ts';
import { FOOTER, HEADER, lettersOf, timeText, TYPE_DIFFERENCING, TYPE_FIXED } from './layout.ts';

export function describeVpc(parts: VpcParts): Description {
  const { footer, table } = parts;
  const header = table?.header;
  return {
    // qemu-img has a sign there.
    clusterSize: header === undefined ? undefined : header.blockSize | 0,
    encrypted: false,
    dirty: false,
    specific: undefined,
    facts: facts(parts),
    fields: [
      ...fieldValues(FOOTER, FOOTER.read(footer.bytes), footer.at),
      ...(header === undefined ? [] : fieldValues(HEADER, header.fields, header.at)),
    ],
  };
}

function facts({ footer, sizes, table, parents }: VpcParts): Fact[] {
  const { cylinders, heads, sectors, type, savedState, uuid } = footer;
  const header = table?.header;
  const isOver = type === TYPE_DIFFERENCING && header !== undefined;
  const known: [FactKey, string | number | undefined][] = [
    ['subformat', subformat(type)],
    ['format-version', version(footer.version)],
    ['creator', creatorOf(footer)],
    ['creator-version', version(footer.creatorVersion)],
    ['creator-os', lettersOf(footer.creatorOs)],
    ['created', timeText(footer.timestamp)],
    ['uuid', uuid],
    ['parent-uuid', isOver ? header.parentUuid : undefined],
    ['parent-name', isOver ? parents[0] : undefined],
    ['parent-date', isOver ? timeText(header.fields.parentTimestamp) : undefined],
    ['block-size', header?.blockSize],
    ['geometry', `${cylinders}/${heads}/${sectors}`],
    ['geometry-size', sizes.geometry],
    ['current-size', footer.currentSize],
    ['in-use', savedState === 1 ? 'yes' : undefined],
  ];
  return known.flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [{ key, value }],
  );
}

function subformat(type: number): string {
  if (type === TYPE_FIXED) return 'fixed';
  return type === TYPE_DIFFERENCING ? 'differencing' : 'dynamic';
}

/** Two halves, the larger one first. */
function version(value: number): string {
  return `${value >>> 16}.${value & 0xffff}`;
}
