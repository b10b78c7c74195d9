/** Making VMDKs as qemu-img does: the same layout, the same descriptor. */
import { alignUp, divideRoundUp, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DiskWriter, NewFiles } from '../format.ts';
import { newContentId } from './content-id.ts';
import { EMBEDDED_AT, NO_PARENT } from './descriptor.ts';
import { GrainEditor } from './grain-editor.ts';
import { DEFLATE, FLAG, HOSTED_HEADER, HOSTED_MAGIC } from './layout.ts';
import { FlatWriter, SparseWriter, StreamWriter, type SegmentWriter } from './segment-writer.ts';
import type { SparseLayout } from './sparse-header.ts';
import { VmdkWriter } from './writer.ts';

/** Kinds of disks that can be made. */
export const VMDK_SUBFORMATS = [
  'monolithicSparse',
  'monolithicFlat',
  'twoGbMaxExtentSparse',
  'twoGbMaxExtentFlat',
  'streamOptimized',
] as const;
export type VmdkSubformat = (typeof VMDK_SUBFORMATS)[number];

export const VMDK_ADAPTERS = ['ide', 'buslogic', 'lsilogic', 'legacyESX'] as const;
export type VmdkAdapter = (typeof VMDK_ADAPTERS)[number];

/** What a new image is like. */
export interface VmdkOptions {
  /** What the image's file is called, without a directory: other files are called after it. */
  readonly name: string;
  readonly subformat: VmdkSubformat;
  readonly adapter: VmdkAdapter;
  readonly hardwareVersion: string;
  readonly toolsVersion: string;
  /** Grains can be zero without taking room. */
  readonly zeroedGrains: boolean;
  /** The image below, by its name and the id of its content. */
  readonly parent: { readonly name: string; readonly cid: number } | undefined;
}

/** Bytes of an extent where a disk is split. */
const SPLIT = 2 ** 31;
const GRAIN_SECTORS = 128;
const ENTRIES = 512;
/** Sectors of the embedded descriptor. */
const DESCRIPTOR_SECTORS = 20;
/** Grains whose tables 32 bits can count. */
const MOST_GRAINS = 2 ** 32 - 1;

/**
 * Makes an image and the files beside it that it needs.
 * @param size of the disk, bytes, whole sectors
 * @throws ImageError too-large and those of writing
 */
export async function createVmdk(
  files: NewFiles,
  size: number,
  options: VmdkOptions,
): Promise<DiskWriter> {
  const { subformat } = options;
  const isFlat = subformat.endsWith('Flat');
  const isSplit = subformat.startsWith('twoGb');
  const packs = subformat === 'streamOptimized';
  const isWhole = !isFlat && !isSplit;
  const writers: SegmentWriter[] = [];
  const lines: string[] = [];
  const add = async (storage: Storage, name: string, start: number, length: number) => {
    const kind = isFlat ? 'FLAT' : 'SPARSE';
    lines.push(`RW ${length / SECTOR} ${kind} "${name}"${isFlat ? ' 0' : ''}\n`);
    const stretch = { start, length };
    if (isFlat) {
      await storage.resize(length);
      writers.push(new FlatWriter(stretch, storage, 0));
      return;
    }
    const grains = await formatSparse(storage, length, options);
    const Writer = packs ? StreamWriter : SparseWriter;
    writers.push(new Writer(stretch, grains, undefined));
  };
  if (isWhole) await add(files.main, options.name, 0, size);
  const step = isSplit ? SPLIT : size;
  for (let start = 0; !isWhole && start < size; start += step) {
    const name = extentName(options.name, subformat, writers.length + 1);
    await add(await files.beside(name), name, start, Math.min(step, size - start));
  }
  const descriptor = new TextEncoder().encode(descriptorText(size, options, lines));
  const at = isWhole ? EMBEDDED_AT : 0;
  await files.main.write(at, descriptor);
  const clusterSize = isFlat ? 0 : GRAIN_SECTORS * SECTOR;
  return new VmdkWriter(writers, { storage: files.main, at }, { clusterSize, packs });
}

/** The name of an extent's file: after the image's, before its suffix. */
function extentName(image: string, subformat: VmdkSubformat, number: number): string {
  const dot = image.lastIndexOf('.');
  const [prefix, suffix] = dot < 0 ? [image, ''] : [image.slice(0, dot), image.slice(dot)];
  if (subformat === 'monolithicFlat') return `${prefix}-flat${suffix}`;
  const letter = subformat === 'twoGbMaxExtentFlat' ? 'f' : 's';
  return `${prefix}-${letter}${String(number).padStart(3, '0')}${suffix}`;
}

function descriptorText(size: number, options: VmdkOptions, lines: readonly string[]): string {
  const { subformat, adapter, hardwareVersion, toolsVersion, parent } = options;
  const heads = adapter === 'ide' ? 16 : 255;
  const cylinders = Math.floor(size / (63 * heads * SECTOR));
  const parentLine = parent === undefined ? '' : `parentFileNameHint="${parent.name}"`;
  return [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${newContentId().toString(16)}`,
    `parentCID=${(parent?.cid ?? NO_PARENT).toString(16)}`,
    `createType="${subformat}"`,
    parentLine,
    '# Extent description',
    lines.join(''),
    '# The Disk Data Base',
    '#DDB',
    '',
    `ddb.virtualHWVersion = "${hardwareVersion}"`,
    `ddb.geometry.cylinders = "${cylinders}"`,
    `ddb.geometry.heads = "${heads}"`,
    'ddb.geometry.sectors = "63"',
    `ddb.adapterType = "${adapter}"`,
    `ddb.toolsVersion = "${toolsVersion}"`,
    '',
  ].join('\n');
}

/** Writes header and grain directories; the tables are all zeros, which the file has by itself. */
async function formatSparse(
  storage: Storage,
  length: number,
  { subformat, zeroedGrains }: VmdkOptions,
): Promise<GrainEditor> {
  const packs = subformat === 'streamOptimized';
  const sectors = length / SECTOR;
  const grains = divideRoundUp(sectors, GRAIN_SECTORS);
  if (grains > MOST_GRAINS) {
    const details = { what: 'grains', value: String(grains), limit: MOST_GRAINS };
    throw new ImageError('too-large', details);
  }
  const tableSectors = (ENTRIES * 4) / SECTOR;
  const tables = divideRoundUp(grains, ENTRIES);
  const directorySectors = divideRoundUp(tables * 4, SECTOR);
  const copySectors = directorySectors + tables * tableSectors;
  const redundantDirectory = 1 + DESCRIPTOR_SECTORS;
  const directory = redundantDirectory + copySectors;
  const overhead = alignUp(directory + copySectors, GRAIN_SECTORS);
  const header = new Uint8Array(HOSTED_HEADER.size);
  new DataView(header.buffer).setUint32(0, HOSTED_MAGIC);
  const version = packs ? 3 : zeroedGrains ? 2 : 1;
  HOSTED_HEADER.write(header, {
    version,
    flags:
      FLAG.redundantDirectory |
      FLAG.newlineTest |
      (packs ? FLAG.compressed | FLAG.markers : 0) |
      (zeroedGrains ? FLAG.zeroedGrains : 0),
    capacity: sectors,
    ...{ grainSize: GRAIN_SECTORS, entriesPerTable: ENTRIES },
    ...{ descriptorOffset: 1, descriptorSize: DESCRIPTOR_SECTORS },
    ...{ redundantDirectory, directory, overhead },
    ...{ uncleanShutdown: 0, singleEnd: 0x0a, nonEnd: 0x20, doubleEnd1: 0x0d, doubleEnd2: 0x0a },
    compression: packs ? DEFLATE : 0,
  });
  await storage.write(0, header);
  await storage.resize(overhead * SECTOR);
  const directories = [directory, redundantDirectory].map((at) =>
    directoryAt(at + directorySectors, tables, tableSectors),
  );
  const [own = new Uint32Array(), redundant] = directories;
  if (redundant !== undefined) await writeDirectory(storage, redundantDirectory, redundant);
  await writeDirectory(storage, directory, own);
  const layout: SparseLayout = {
    ...{ kind: 'hosted', version, sectors, grainSectors: GRAIN_SECTORS },
    ...{ entriesPerTable: ENTRIES, entrySize: 4, directory, directorySize: tables },
    ...{ redundantDirectory, overhead, compressed: packs, markers: packs, zeroedGrains },
    ...{ hasFooter: false, headerAt: 0, tablesBase: 0, grainsBase: 0 },
  };
  return new GrainEditor(storage, layout, [own, redundant]);
}

function directoryAt(first: number, tables: number, tableSectors: number) {
  const directory = new Uint32Array(tables);
  for (let i = 0; i < tables; i++) directory[i] = first + i * tableSectors;
  return directory;
}

async function writeDirectory(
  storage: Storage,
  sector: number,
  directory: Uint32Array,
): Promise<void> {
  const bytes = new Uint8Array(directory.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, table] of directory.entries()) view.setUint32(index * 4, table, true);
  await storage.write(sector * SECTOR, bytes);
}
