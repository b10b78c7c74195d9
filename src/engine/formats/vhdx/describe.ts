/** What a VHDX says of itself. */
import type { Description, Fact, FieldValue } from '../../operations/image-info.ts';
import { fieldValues } from '../field-values.ts';
import type { Parts } from './image.ts';
import { FILE_PARAMETERS, HEADER, REGION_HEADER } from './layout.ts';

export function describeVhdx(parts: Parts): Description {
  const { metadata } = parts;
  return {
    ...{ clusterSize: metadata.blockSize, encrypted: false, dirty: false, specific: undefined },
    facts: factsOf(parts),
    fields: fieldsOf(parts),
  };
}

function factsOf({ metadata, log, creator }: Parts): Fact[] {
  const { parent } = metadata;
  const kind = metadata.isFixed ? 'fixed' : 'dynamic';
  const facts: Fact[] = [
    { key: 'subformat', value: parent === undefined ? kind : 'differencing' },
    { key: 'format-version', value: '1' },
    { key: 'block-size', value: metadata.blockSize },
    { key: 'sector-size', value: metadata.sectorSize },
    { key: 'physical-sector-size', value: metadata.physicalSectorSize },
    { key: 'uuid', value: metadata.diskId },
    { key: 'log', value: log.pending === undefined ? 'empty' : 'to be replayed' },
  ];
  if (creator !== '') facts.push({ key: 'creator', value: creator });
  if (parent === undefined) return facts;
  const [linkage] = parent.linkages;
  if (linkage !== undefined) facts.push({ key: 'parent-uuid', value: linkage });
  for (const name of parent.names) facts.push({ key: 'parent-name', value: name });
  return facts;
}

function fieldsOf({ headers, regions, metadata }: Parts): FieldValue[] {
  const { current } = headers;
  return [
    ...fieldValues(HEADER, current.fields, current.at),
    ...fieldValues(REGION_HEADER, REGION_HEADER.read(regions.bytes), regions.at),
    ...fieldValues(FILE_PARAMETERS, metadata.parameters, metadata.parametersAt),
  ];
}
