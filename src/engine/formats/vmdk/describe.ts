/** What a VMDK says of itself. */
import { SECTOR } from '../../binary/units.ts';
import type { Description, Fact, FactKey, InfoValue } from '../../operations/image-info.ts';
import { databaseValue, isFlat, NO_PARENT } from './descriptor.ts';
import type { VmdkParts } from './image.ts';
import { SparseSegment, type Segment } from './segments.ts';

/** For `info`: what qemu-img prints, in its order, and what people want to know. */
export function describeVmdk(parts: VmdkParts, clusterSize: number): Description {
  const { identity, createType, segments, fields } = parts;
  const uniform = isUniform(segments);
  return {
    clusterSize: uniform && clusterSize > 0 ? clusterSize : undefined,
    encrypted: false,
    dirty: uniform ? false : undefined,
    specific: {
      type: 'vmdk',
      data: {
        cid: identity.cid,
        'parent-cid': identity.parentCid,
        'create-type': createType,
        extents: segments.map(extentInfo),
      },
    },
    facts: factsOf(parts),
    fields: [...fields],
  };
}

/** qemu-img names a cluster size only where all extents are of one kind. */
function isUniform(segments: readonly Segment[]): boolean {
  const kindOf = (one: Segment) =>
    one instanceof SparseSegment ? `${one.grainBytes} ${one.layout.compressed}` : 'flat';
  return new Set(segments.map(kindOf)).size <= 1;
}

function extentInfo(segment: Segment): InfoValue {
  const { storage, type, length, grainBytes } = segment;
  const isCompressed = segment instanceof SparseSegment && segment.layout.compressed;
  return {
    ...(isCompressed ? { compressed: true } : {}),
    'virtual-size': length,
    filename: type === 'ZERO' ? '' : storage.name,
    ...(grainBytes > 0 ? { 'cluster-size': grainBytes } : {}),
    format: type,
  };
}

function hex(cid: number): string {
  return cid.toString(16).padStart(8, '0');
}

function factsOf({ identity, createType, descriptor, segments }: VmdkParts): Fact[] {
  const facts: Fact[] = [];
  const add = (key: FactKey, value: string | number) => {
    if (value !== '') facts.push({ key, value });
  };
  add('subformat', createType);
  const sparse = segments.find((one) => one instanceof SparseSegment);
  if (sparse instanceof SparseSegment) {
    add('format-version', sparse.layout.version);
    add('block-size', sparse.layout.grainSectors * SECTOR);
    if (sparse.layout.compressed) add('compression', 'deflate');
  }
  add('content-id', hex(identity.cid));
  if (identity.parentCid !== NO_PARENT) add('parent-content-id', hex(identity.parentCid));
  add('parent-name', identity.parentName);
  if (segments.length > 1 || segments.some((one) => isFlat(one.type))) {
    add('extents', segments.length);
  }
  add('adapter', databaseValue(descriptor, 'ddb.adapterType'));
  add('hardware-version', databaseValue(descriptor, 'ddb.virtualHWVersion'));
  add('tools-version', databaseValue(descriptor, 'ddb.toolsVersion'));
  add('uuid', databaseValue(descriptor, 'ddb.uuid') || databaseValue(descriptor, 'ddb.uuid.image'));
  add('geometry', geometryOf(descriptor));
  return facts;
}

/** Cylinders, heads and sectors. */
function geometryOf(descriptor: string): string {
  const values = ['cylinders', 'heads', 'sectors'].map((name) =>
    databaseValue(descriptor, `ddb.geometry.${name}`),
  );
  return values.every((value) => value !== '') ? values.join('/') : '';
}
