import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  DESTINATIONS,
  destinationOf,
  factsOf,
  judge,
  sizeFor,
  type DestinationId,
  type FileFacts,
  type ImageInfo,
  type Reason,
} from '../../src/engine/index.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

const PLAIN: FileFacts = {
  format: 'qcow2',
  subformat: '',
  container: '',
  virtualSize: 10 * GIB,
  geometrySize: 10 * GIB,
  encrypted: false,
  hasBacking: false,
  hasSnapshots: false,
  severalFiles: false,
  unclean: false,
  corrupt: false,
  version: 0,
  sectorSize: 512,
  adapter: '',
  zstd: false,
  extendedL2: false,
  dataFile: false,
  unknownFeatures: false,
};
const QCOW2 = { ...PLAIN, version: 3 };
const FIXED = { ...PLAIN, format: 'vpc', subformat: 'fixed' } as const;
const DYNAMIC = { ...FIXED, subformat: 'dynamic' };
const STREAM = { ...PLAIN, format: 'vmdk', subformat: 'streamOptimized', version: 3 } as const;
const VHDX = { ...PLAIN, format: 'vhdx', subformat: 'dynamic' } as const;

function reasons(id: DestinationId, facts: FileFacts): Reason[] {
  return judge(destinationOf(id)!, facts).reasons.map(({ reason }) => reason);
}

/** Each line: who, a file without the fault, what is different, and what is said then. */
const CASES: [DestinationId, FileFacts, Partial<FileFacts>, Reason][] = [
  ['azure', FIXED, { format: 'vhdx' }, 'format'],
  ['azure', FIXED, { subformat: 'dynamic' }, 'not-fixed'],
  ['azure', FIXED, { virtualSize: 10 * GIB + 512 }, 'size-multiple'],
  ['azure', FIXED, { virtualSize: 19 * MIB }, 'size-least'],
  ['azure', FIXED, { virtualSize: 2041 * GIB }, 'size-most'],
  ['azure', FIXED, { container: 'gz' }, 'container'],
  ['aws', STREAM, { subformat: 'monolithicSparse' }, 'not-stream-optimized'],
  ['aws', { ...PLAIN, format: 'raw' }, { encrypted: true }, 'encrypted'],
  ['aws', STREAM, { severalFiles: true }, 'several-files'],
  ['gcp', { ...PLAIN, format: 'raw', container: 'tar.gz' }, { container: '' }, 'needs-container'],
  [
    'gcp',
    { ...PLAIN, format: 'raw', container: 'tar.gz' },
    { virtualSize: GIB + MIB },
    'size-multiple',
  ],
  [
    'vmware',
    { ...STREAM, subformat: 'twoGbMaxExtentSparse' },
    { severalFiles: true },
    'several-files',
  ],
  ['openstack', QCOW2, { hasBacking: true }, 'backing'],
  ['openstack', QCOW2, { dataFile: true }, 'data-file'],
  ['openstack', QCOW2, { extendedL2: true }, 'extended-l2'],
  ['openstack', QCOW2, { unknownFeatures: true }, 'unknown-features'],
  ['openstack', QCOW2, { zstd: true }, 'zstd'],
  ['qemu', QCOW2, { corrupt: true }, 'corrupt'],
  ['qemu', QCOW2, { unclean: true }, 'unclean'],
  ['qemu', VHDX, { sectorSize: 4096 }, 'sector-size'],
  ['qemu', DYNAMIC, { geometrySize: 10 * GIB - MIB }, 'geometry'],
  ['qemu-old', { ...QCOW2, version: 2 }, { version: 3 }, 'version-3'],
  ['proxmox', QCOW2, { hasSnapshots: true }, 'snapshots'],
  ['esxi', { ...STREAM, container: 'ova' }, { subformat: 'monolithicSparse' }, 'hosted-sparse'],
  ['esxi', { ...STREAM, container: 'ova' }, { container: '' }, 'stream-optimized'],
  ['esxi', { ...STREAM, container: 'ova' }, { version: 1 }, 'vmdk-version'],
  ['esxi', { ...STREAM, container: 'ova' }, { adapter: 'ide' }, 'adapter-ide'],
  [
    'esxi-disk',
    { ...STREAM, subformat: 'vmfs' },
    { subformat: 'twoGbMaxExtentSparse' },
    'hosted-sparse',
  ],
  ['virtualbox', { ...QCOW2, version: 2 }, { version: 3 }, 'version-3'],
  ['virtualbox', { ...PLAIN, format: 'vdi' }, { format: 'raw' }, 'format'],
  ['xcp-ng', DYNAMIC, { virtualSize: 2041 * GIB }, 'size-most'],
  ['utm', QCOW2, { hasBacking: true }, 'backing'],
];

describe('what the rules see of an image', () => {
  const info: ImageInfo = {
    ...{ name: 'disk', format: 'vhdx', virtualSize: GIB, fileSize: GIB, allocatedSize: undefined },
    ...{ clusterSize: 8 * MIB, encrypted: false, backing: undefined, snapshots: [] },
    qcow2: undefined,
    description: {
      ...{ clusterSize: 8 * MIB, encrypted: false, dirty: false, specific: undefined, fields: [] },
      facts: [
        { key: 'subformat', value: 'dynamic' },
        { key: 'log', value: 'to be replayed' },
        { key: 'sector-size', value: 4096 },
        { key: 'extents', value: 3 },
      ],
    },
  };

  it('takes the facts of the format', () => {
    expect(factsOf(info)).toMatchObject({
      ...{ format: 'vhdx', subformat: 'dynamic', unclean: true, sectorSize: 4096 },
      ...{ severalFiles: true, virtualSize: GIB, geometrySize: GIB, container: '' },
    });
  });
});

describe('who takes a file', () => {
  it.each(CASES)('%s says why (%#)', (id, without, difference, reason) => {
    expect(reasons(id, without)).not.toContain(reason);
    expect(reasons(id, { ...without, ...difference })).toContain(reason);
  });

  it('names the gravest reason first, each once', () => {
    const facts = { ...STREAM, adapter: 'ide', encrypted: true };
    const { verdict, reasons: list } = judge(destinationOf('esxi')!, facts);
    expect(verdict).toBe('no');
    expect(list[0]?.grade).toBe('no');
    expect(new Set(list.map(({ reason }) => reason)).size).toBe(list.length);
  });

  it('names where the rules are from, and no destination twice', () => {
    // As comments: no address of another host is to be in what is delivered.
    const text = readFileSync('src/engine/destinations/table.ts', 'utf8');
    const entries = text.split(/^ {4}id: /m).slice(1);
    expect(entries.length).toBe(DESTINATIONS.length);
    for (const entry of entries) expect(entry).toMatch(/^ {4}\/\/ Source: https:\/\//m);
    expect(new Set(DESTINATIONS.map(({ id }) => id)).size).toBe(DESTINATIONS.length);
  });

  it('gives the disk a size that is taken, and never a smaller one', () => {
    for (const destination of DESTINATIONS) {
      for (const size of [512, MIB, MIB + 512, 20 * MIB, GIB, GIB + 512]) {
        const given = sizeFor(destination, size);
        expect(given).toBeGreaterThanOrEqual(size);
        expect(given % destination.recipe.sizeMultiple).toBe(0);
        expect(sizeFor(destination, given)).toBe(given);
      }
    }
  });

  it('makes what it takes itself', () => {
    for (const destination of DESTINATIONS) {
      const { recipe } = destination;
      const container = recipe.container === 'vmfs-pair' ? '' : recipe.container;
      const facts: FileFacts = {
        ...PLAIN,
        format: recipe.container === 'vmfs-pair' ? 'vmdk' : recipe.format,
        subformat: recipe.container === 'vmfs-pair' ? 'vmfs' : (recipe.options['subformat'] ?? ''),
        container: container === 'none' ? '' : container,
        version: recipe.format === 'vmdk' ? 3 : recipe.options['compat'] === '0.10' ? 2 : 0,
        virtualSize: sizeFor(destination, 10 * GIB + 512),
        geometrySize: sizeFor(destination, 10 * GIB + 512),
      };
      expect(judge(destination, facts).verdict, destination.id).not.toBe('no');
    }
  });
});
