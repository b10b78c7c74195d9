/**
 * Makes VMDKs for tests after the published structures, without a line of the engine: what VMware
 * makes and QEMU does not (streams with their directory at the end, COWD, seSparse, any grain size).
 */
import { deflateSync } from 'node:zlib';

const SECTOR = 512;

/** Grains by their number; `zero` reads as zeros whatever is below. */
export type Grains = ReadonlyMap<number, Uint8Array | 'zero'>;

export interface HostedSpec {
  /** Sectors of the disk. */
  sectors: number;
  /** Sectors of a grain. */
  grain?: number;
  entriesPerTable?: number;
  grains: Grains;
  version?: number;
  /** The descriptor; without one there are zeros in its place. */
  descriptor?: string;
}

export interface StreamSpec extends HostedSpec {
  /** Grains begin with a marker. */
  markers?: boolean;
  /** The directory is behind the grains, and a footer says where. */
  atEnd?: boolean;
}

/** A descriptor with the extents that are given, each as a line. */
export function vmdkDescriptor(
  createType: string,
  extents: readonly string[],
  { cid = '12345678', parentCid = 'ffffffff', parent = '', end = '\n', more = '' } = {},
): string {
  return [
    '# Disk DescriptorFile',
    'version=1',
    ...(more === '' ? [] : [more]),
    `CID=${cid}`,
    `parentCID=${parentCid}`,
    `createType="${createType}"`,
    ...(parent === '' ? [] : [`parentFileNameHint="${parent}"`]),
    '',
    '# Extent description',
    ...extents,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    'ddb.virtualHWVersion = "8"',
    '',
  ].join(end);
}

/** A file that grows. */
class Builder {
  #bytes = new Uint8Array(64 * 1024);
  size = 0;

  view(): DataView {
    return new DataView(this.#bytes.buffer);
  }

  /** Makes room up to a place, bytes. */
  extend(end: number): void {
    this.size = Math.max(this.size, end);
    if (end <= this.#bytes.length) return;
    const larger = new Uint8Array(end * 2);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }

  /** Goes on at the next multiple, of sectors. @returns the sector */
  align(sectors = 1): number {
    const unit = sectors * SECTOR;
    this.extend(Math.ceil(this.size / unit) * unit);
    return this.size / SECTOR;
  }

  put(at: number, bytes: Uint8Array): void {
    this.extend(at + bytes.length);
    this.#bytes.set(bytes, at);
  }

  u32(at: number, value: number): void {
    this.extend(at + 4);
    this.view().setUint32(at, value, true);
  }

  u64(at: number, value: bigint | number): void {
    this.extend(at + 8);
    this.view().setBigUint64(at, BigInt(value), true);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.size);
  }
}

interface HostedHeader {
  flags: number;
  directory: bigint | number;
  redundant: number;
  overhead: number;
  compression: number;
}

function putHeader(file: Builder, at: number, spec: HostedSpec, header: HostedHeader): void {
  const { sectors, grain = 128, entriesPerTable = 512, version = 1 } = spec;
  file.put(at, Buffer.from('KDMV'));
  file.u32(at + 4, version);
  file.u32(at + 8, header.flags);
  file.u64(at + 12, sectors);
  file.u64(at + 20, grain);
  file.u64(at + 28, 1);
  file.u64(at + 36, 20);
  file.u32(at + 44, entriesPerTable);
  file.u64(at + 48, header.redundant);
  file.u64(at + 56, header.directory);
  file.u64(at + 64, header.overhead);
  file.put(at + 72, Uint8Array.of(0, 0x0a, 0x20, 0x0d, 0x0a));
  file.put(at + 77, Uint8Array.of(header.compression, 0));
  file.extend(at + SECTOR);
}

/** How many tables a disk has. */
function tablesOf({ sectors, grain = 128, entriesPerTable = 512 }: HostedSpec): number {
  return Math.ceil(sectors / (grain * entriesPerTable));
}

/** A growing extent, with tables in two copies. Tables without a grain are left out. */
export function buildHosted(spec: HostedSpec): Uint8Array<ArrayBuffer> {
  const { grain = 128, entriesPerTable = 512, grains, descriptor = '' } = spec;
  const file = new Builder();
  file.extend(SECTOR);
  file.put(SECTOR, Buffer.from(descriptor));
  file.extend(21 * SECTOR);
  const count = tablesOf(spec);
  const used = new Set([...grains.keys()].map((index) => Math.floor(index / entriesPerTable)));
  const copies = [0, 1].map(() => {
    const directory = file.align();
    file.extend((directory + Math.ceil((count * 4) / SECTOR)) * SECTOR);
    const tables = new Map<number, number>();
    for (const index of used) {
      const sector = file.align();
      tables.set(index, sector);
      file.u32(directory * SECTOR + index * 4, sector);
      file.extend((sector + Math.ceil((entriesPerTable * 4) / SECTOR)) * SECTOR);
    }
    return { directory, tables };
  });
  const overhead = file.align(grain);
  for (const [index, content] of grains) {
    const sector = content === 'zero' ? 1 : file.align(grain);
    if (content !== 'zero') {
      file.put(sector * SECTOR, content);
      file.align(grain);
    }
    const table = Math.floor(index / entriesPerTable);
    for (const { tables } of copies) {
      const at = (tables.get(table) ?? 0) * SECTOR;
      file.u32(at + (index % entriesPerTable) * 4, sector);
    }
  }
  const [redundant, own] = copies.map(({ directory }) => directory);
  const flags = 1 | 2 | 4;
  putHeader(file, 0, spec, {
    ...{ flags, directory: own ?? 0, redundant: redundant ?? 0, overhead, compression: 0 },
  });
  return file.bytes();
}

function putMarker(file: Builder, value: number, type: number): void {
  const at = file.align() * SECTOR;
  file.u64(at, value);
  file.u32(at + 12, type);
  file.extend(at + SECTOR);
}

/** A stream: packed grains, each table behind its grains. */
export function buildStream(spec: StreamSpec): Uint8Array<ArrayBuffer> {
  const { entriesPerTable = 512, grain = 128, grains, markers = true, atEnd = true } = spec;
  const descriptor = spec.descriptor ?? vmdkDescriptor('streamOptimized', []);
  const file = new Builder();
  file.put(SECTOR, Buffer.from(descriptor));
  file.extend(21 * SECTOR);
  const overhead = file.align(grain);
  const count = tablesOf(spec);
  const tables = Array.from({ length: count }, () => new Map<number, number>());
  for (const [index, content] of grains) {
    if (content === 'zero') continue;
    const sector = file.align();
    const packed = deflateSync(content);
    let at = sector * SECTOR;
    if (markers) {
      file.u64(at, index * grain);
      file.u32(at + 8, packed.length);
      at += 12;
    }
    file.put(at, packed);
    file.align();
    tables[Math.floor(index / entriesPerTable)]?.set(index % entriesPerTable, sector);
  }
  const places = tables.map((table) => {
    if (table.size === 0) return 0;
    const tableSectors = Math.ceil((entriesPerTable * 4) / SECTOR);
    putMarker(file, tableSectors, 1);
    const sector = file.align();
    for (const [entry, place] of table) file.u32(sector * SECTOR + entry * 4, place);
    file.extend((sector + tableSectors) * SECTOR);
    return sector;
  });
  putMarker(file, Math.ceil((count * 4) / SECTOR), 2);
  const directory = file.align();
  for (const [index, sector] of places.entries()) file.u32(directory * SECTOR + index * 4, sector);
  file.align();
  const flags = 1 | (1 << 16) | (markers ? 1 << 17 : 0);
  const header = { flags, directory, redundant: 0, overhead, compression: 1 };
  const own = { version: 3, ...spec };
  if (atEnd) {
    putMarker(file, 1, 3);
    putHeader(file, file.align() * SECTOR, own, header);
    putMarker(file, 0, 0);
  }
  putHeader(file, 0, own, atEnd ? { ...header, directory: 2n ** 64n - 1n } : header);
  return file.bytes();
}

/** An extent of ESX's redo logs: big tables, one copy. */
export function buildCowd(spec: HostedSpec): Uint8Array<ArrayBuffer> {
  const { sectors, grain = 1, grains } = spec;
  const entries = 4096;
  const count = Math.ceil(sectors / (grain * entries));
  const file = new Builder();
  file.put(0, Buffer.from('COWD'));
  file.u32(4, 1);
  file.u32(8, 3);
  file.u32(12, sectors);
  file.u32(16, grain);
  file.u32(20, 4);
  file.u32(24, count);
  file.extend((4 + Math.ceil((count * 4) / SECTOR)) * SECTOR);
  const tables = new Map<number, number>();
  for (const [index, content] of grains) {
    if (content === 'zero') continue;
    const table = Math.floor(index / entries);
    if (!tables.has(table)) {
      const sector = file.align();
      tables.set(table, sector);
      file.u32(4 * SECTOR + table * 4, sector);
      file.extend((sector + (entries * 4) / SECTOR) * SECTOR);
    }
    const sector = file.align();
    file.put(sector * SECTOR, content);
    file.align();
    file.u32((tables.get(table) ?? 0) * SECTOR + (index % entries) * 4, sector);
  }
  file.u32(28, file.align());
  return file.bytes();
}

/** A space-efficient extent. Grains have 8 sectors; `zero` is written as the unmapped kind. */
export function buildSeSparse(spec: Pick<HostedSpec, 'sectors' | 'grains'>): Uint8Array<ArrayBuffer> {
  const { sectors, grains } = spec;
  const entries = 4096;
  const count = Math.ceil(sectors / (8 * entries));
  const directorySectors = Math.ceil((count * 8) / SECTOR);
  const [directory, tables] = [8, 8 + directorySectors];
  const file = new Builder();
  const used = [...new Set([...grains.keys()].map((index) => Math.floor(index / entries)))];
  // Tables are numbered as they are taken: here the last one first.
  const numbers = new Map(used.reverse().map((table, number) => [table, number]));
  const grainsAt = tables + used.length * 64;
  const fields: [number, bigint | number][] = [
    [0, 0xcafebabe],
    [8, 0x200000001n],
    [16, sectors],
    [24, 8],
    [32, 64],
    [80, 1],
    [88, 1],
    [128, directory],
    [136, directorySectors],
    [144, tables],
    [152, used.length * 64],
    [192, grainsAt],
    [200, grains.size * 8],
    [SECTOR, 0xcafecafe],
  ];
  for (const [at, value] of fields) file.u64(at, value);
  file.extend(grainsAt * SECTOR);
  for (const [table, number] of numbers) {
    file.u64(directory * SECTOR + table * 8, 0x1000000000000000n + BigInt(number));
  }
  let next = 0;
  for (const [index, content] of grains) {
    const number = numbers.get(Math.floor(index / entries)) ?? 0;
    const at = (tables + number * 64) * SECTOR + (index % entries) * 8;
    if (content === 'zero') {
      file.u64(at, index % 2 === 0 ? 0x1000000000000000n : 0x2000000000000000n);
      continue;
    }
    const grain = BigInt(next++);
    file.u64(at, 0x3000000000000000n | ((grain & 0xfffn) << 48n) | (grain >> 12n));
    file.put((grainsAt + Number(grain) * 8) * SECTOR, content);
    file.extend((grainsAt + next * 8) * SECTOR);
  }
  return file.bytes();
}
