/** Checking a DMG: what it is packed in, and the checksums that it has. qemu-img has no such check. */
import { crc32, crc32OfZeros } from '../../binary/crc32.ts';
import { SECTOR } from '../../binary/units.ts';
import { throwIfCancelled } from '../../errors.ts';
import type { CheckOptions, CheckReport } from '../../operations/check-report.ts';
import type { Finding } from '../../operations/finding.ts';
import { readPadded } from '../../storage/storage.ts';
import { yieldToEvents } from '../../yield.ts';
import { checkRuns, unpackExtent } from '../content-check.ts';
import { FindingCollector } from '../finding-collector.ts';
import type { Extent } from '../format.ts';
import type { Chunk, ChunkTable } from './chunks.ts';
import type { DmgDisk } from './image.ts';
import { CHECKSUM_CRC32, IGNORE } from './layout.ts';

const PIECE = 2 ** 20;
/** Tables that tell of the same places again and again are not followed for ever. */
const MOST_TIMES = 2;

/** @throws ImageError cancelled and those of reading */
export async function checkDmg(disk: DmgDisk, options: CheckOptions): Promise<CheckReport> {
  const collector = new FindingCollector(options);
  await checkRuns(disk, options, collector);
  // Where something cannot be unpacked, every checksum over it is wrong, too.
  if (collector.report.corruptions > 0) return collector.report;
  let left = disk.size * MOST_TIMES;
  for (const table of disk.parts.tables) {
    left -= table.sectors * SECTOR;
    if (left < 0) break;
    if (!hasCrc32(table.checksumType, table.checksumBits)) continue;
    const found = await crcOfTable(disk, table, options);
    if (found === undefined || found === table.checksum) continue;
    const { firstSector, sectors } = table;
    const guest = { offset: firstSector * SECTOR, length: sectors * SECTOR };
    collector.add({ ...mismatch(found, table.checksum), guest });
  }
  await checkFile(disk, options, collector);
  return collector.report;
}

function hasCrc32(type: number, bits: number): boolean {
  return type === CHECKSUM_CRC32 && bits === 32;
}

function mismatch(found: number, expected: number): Finding {
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  return {
    ...{ kind: 'content-checksum', severity: 'corruption', repair: 'none' },
    values: { found: hex(found), expected: hex(expected), message: '' },
  };
}

/** The checksums over the chunks as they are in the file, and over those of the tables. */
async function checkFile(
  { storage, parts }: DmgDisk,
  options: CheckOptions,
  collector: FindingCollector,
): Promise<void> {
  const { koly, tables } = parts;
  const { dataOffset, dataLength, dataChecksum, masterChecksum } = koly;
  if (hasCrc32(koly.dataChecksumType, koly.dataChecksumBits)) {
    const length = Math.min(dataLength, storage.size - dataOffset);
    const host = { offset: dataOffset, length };
    const found = await crcOfFile({ storage, ...host }, 0, options);
    if (found !== dataChecksum) collector.add({ ...mismatch(found, dataChecksum), host });
  }
  if (!hasCrc32(koly.masterChecksumType, koly.masterChecksumBits)) return;
  const bytes = new Uint8Array(tables.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, { checksum }] of tables.entries()) view.setUint32(index * 4, checksum);
  const found = crc32(bytes);
  const host = { offset: parts.kolyAt, length: 512 };
  if (found !== masterChecksum) collector.add({ ...mismatch(found, masterChecksum), host });
}

interface FilePart {
  readonly storage: DmgDisk['storage'];
  readonly offset: number;
  readonly length: number;
}

async function crcOfFile(part: FilePart, before: number, options: CheckOptions): Promise<number> {
  let crc = before;
  for (let done = 0; done < part.length; done += PIECE) {
    throwIfCancelled(options.signal);
    const length = Math.min(PIECE, part.length - done);
    crc = crc32(await readPadded(part.storage, part.offset + done, length), crc);
    await yieldToEvents(options.signal);
  }
  return crc;
}

/** Over all chunks but those that were never written; undefined where these cannot be had. */
async function crcOfTable(
  disk: DmgDisk,
  { firstSector, sectors }: ChunkTable,
  options: CheckOptions,
): Promise<number | undefined> {
  const start = firstSector * SECTOR;
  const end = start + sectors * SECTOR;
  if (end > disk.size) return undefined;
  let crc = 0;
  const { chunks } = disk.parts;
  for (let index = disk.find(start); index < chunks.length; index++) {
    const { type, guest, size } = chunks[index] as Chunk;
    if (guest >= end) break;
    if (type === IGNORE) continue;
    for (const extent of await disk.map(guest, size)) {
      const next = await crcOfRun(disk, extent, crc, options);
      if (next === undefined) return undefined;
      crc = next;
    }
  }
  return crc;
}

async function crcOfRun(
  disk: DmgDisk,
  extent: Extent,
  before: number,
  options: CheckOptions,
): Promise<number | undefined> {
  const { kind, length, storage, hostOffset: offset } = extent;
  throwIfCancelled(options.signal);
  if (kind === 'data') return crcOfFile({ storage, offset, length }, before, options);
  if (kind === 'compressed') {
    await yieldToEvents(options.signal);
    const content = await unpackExtent(disk, extent);
    const from = extent.offset - extent.clusterOffset;
    return content === undefined ? undefined : crc32(content.subarray(from, from + length), before);
  }
  if (kind !== 'zero') return undefined;
  return crc32OfZeros(length, before);
}
