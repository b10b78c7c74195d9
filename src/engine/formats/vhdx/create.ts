/** Making a VHDX, byte for byte as QEMU lays it out, but for what is made up at random. */
import { alignUp, MIB, SECTOR } from '../../binary/units.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DiskWriter, NewFiles } from '../format.ts';
import { BatLayout, entriesOf } from './bat.ts';
import { readHeaders } from './headers.ts';
import {
  CHUNK_SECTORS,
  CREATOR,
  FILE_PARAMETERS,
  FIRST_MIB,
  GUID_BYTES,
  guidBytes,
  HEADER,
  HEADER_AT,
  HEADER_BYTES,
  HEADER_FIELDS_END,
  HEADERS_AT,
  METADATA,
  METADATA_ENTRY,
  METADATA_ENTRY_BYTES,
  METADATA_FLAGS,
  METADATA_HEADER,
  METADATA_SIGNATURE,
  MOST_DISK,
  newGuid,
  PARAMETER_FLAGS,
  PAYLOAD,
  REGION_ENTRY,
  REGION_ENTRY_BYTES,
  REGION_HEADER,
  REGION_HEADER_BYTES,
  REGION_TABLES_AT,
  REGIONS,
  seal,
  SIGNATURE,
  SIGNATURES,
  TABLE_BYTES,
} from './layout.ts';
import { LogWriter } from './log-writer.ts';
import { HeaderSession } from './session.ts';
import { VhdxWriter } from './writer.ts';

/** Bytes where nothing else is said. */
export interface VhdxOptions {
  /** A multiple of 1 MiB; by default 1 MiB. */
  readonly logSize?: number | undefined;
  /** A power of two from 1 to 256 MiB; by default by the size of the disk. */
  readonly blockSize?: number | undefined;
  /** `fixed` keeps room for the whole disk. */
  readonly subformat?: 'dynamic' | 'fixed' | undefined;
  /**
   * Blocks that were never written are marked as zeros, as QEMU has it by default. In a fixed image
   * this keeps the blocks from using the room that was kept for them.
   */
  readonly blockStateZero?: boolean | undefined;
}

/** Bytes of the largest disk that the format has. */
export const VHDX_MAX_SIZE = MOST_DISK;

const CREATOR_NAME = 'QEMU v7.2.22';
/** QEMU leaves so much between the table and the first block: metadata, and room for more. */
const ROOM = 5 * MIB;
const METADATA_BYTES = MIB;
const DEFAULT_LOG = MIB;
const GIB = 2 ** 30;
/** Bytes of the table that are written at once. */
const TABLE_PIECE = MIB;

/** Bytes of a block where nobody says it. @param size of the disk, bytes */
export function usualBlockSize(size: number): number {
  if (size > 32 * 1024 * GIB) return 64 * MIB;
  if (size > 100 * GIB) return 32 * MIB;
  return size > GIB ? 16 * MIB : 8 * MIB;
}

/** Where the parts of a new image go. Bytes. */
interface Plan {
  readonly size: number;
  readonly blockSize: number;
  readonly logSize: number;
  readonly isFixed: boolean;
  readonly stateZero: boolean;
  readonly bat: { readonly offset: number; readonly length: number };
  readonly metadataAt: number;
  readonly dataAt: number;
}

/**
 * Makes an empty image.
 * @param size of the disk, bytes: whole sectors, at most 64 TiB
 * @throws ImageError those of writing
 */
export async function createVhdx(
  { main }: NewFiles,
  size: number,
  options: VhdxOptions = {},
): Promise<DiskWriter> {
  const plan = planOf(size, options);
  const { bat, dataAt, isFixed, blockSize, logSize, metadataAt } = plan;
  await main.resize(isFixed ? dataAt + size : dataAt);
  await main.write(0, identifier());
  const headers = newHeaders(logSize);
  for (const [index, bytes] of headers.entries()) await main.write(HEADERS_AT[index] ?? 0, bytes);
  await writeTable(main, plan);
  const regions = regionTable(plan);
  for (const at of REGION_TABLES_AT) await main.write(at, regions);
  await main.write(metadataAt, metadataTable());
  await main.write(metadataAt + TABLE_BYTES, metadataItems(plan));
  const metadata = { recordedSize: size, blockSize, sectorSize: SECTOR, parent: undefined };
  return new VhdxWriter({
    ...{ storage: main, blockSize },
    layout: new BatLayout(bat, metadata),
    session: new HeaderSession(main, await readHeaders(main)),
    log: new LogWriter(main, { offset: FIRST_MIB, length: logSize }),
  });
}

function planOf(size: number, options: VhdxOptions): Plan {
  const { logSize = DEFAULT_LOG, blockSize = usualBlockSize(size) } = options;
  const { subformat = 'dynamic', blockStateZero: stateZero = true } = options;
  if (size % SECTOR !== 0) throw new ImageError('internal', { reason: 'no whole sectors' });
  const ratio = (CHUNK_SECTORS * SECTOR) / blockSize;
  const length = alignUp(entriesOf(Math.ceil(size / blockSize), ratio) * 8, MIB);
  const bat = { offset: FIRST_MIB + logSize, length };
  return {
    ...{ size, blockSize, logSize, isFixed: subformat === 'fixed', stateZero, bat },
    metadataAt: bat.offset + length,
    dataAt: bat.offset + length + ROOM,
  };
}

/** Section 2.2.1. */
function identifier(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(CREATOR.offset + CREATOR.length);
  for (let i = 0; i < SIGNATURE.length; i++) bytes[i] = SIGNATURE.charCodeAt(i);
  for (let i = 0; i < CREATOR_NAME.length; i++) {
    bytes[CREATOR.offset + i * 2] = CREATOR_NAME.charCodeAt(i);
  }
  return bytes;
}

/** Both headers; the second one is newer. The first number is any. */
function newHeaders(logLength: number): Uint8Array<ArrayBuffer>[] {
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
  const [fileWriteGuid, dataWriteGuid] = [newGuid(), newGuid()];
  return [0, 1].map((index) => {
    const bytes = new Uint8Array(HEADER_BYTES);
    HEADER.write(bytes, {
      ...{ signature: SIGNATURES.header, checksum: 0, sequenceNumber: BigInt(number + index) },
      ...{ logVersion: 0, version: 1, logLength, logOffset: FIRST_MIB },
    });
    bytes.set(fileWriteGuid, HEADER_AT.fileWriteGuid);
    bytes.set(dataWriteGuid, HEADER_AT.dataWriteGuid);
    seal(bytes);
    return bytes.subarray(0, HEADER_FIELDS_END);
  });
}

/** The block allocation table: what QEMU writes of it, a piece at a time. */
async function writeTable(storage: Storage, plan: Plan): Promise<void> {
  const { size, blockSize, isFixed, stateZero, bat, dataAt } = plan;
  if (!isFixed && !stateZero) return;
  const state = BigInt(stateZero ? PAYLOAD.zero : PAYLOAD.fullyPresent);
  const ratio = (CHUNK_SECTORS * SECTOR) / blockSize;
  const blocks = Math.ceil(size / blockSize);
  const bytes = new Uint8Array(TABLE_PIECE);
  const view = new DataView(bytes.buffer);
  let start = 0;
  let end = 0;
  for (let block = 0; block < blocks; block++) {
    const at = (block + Math.floor(block / ratio)) * 8;
    if (at >= start + TABLE_PIECE) {
      await storage.write(bat.offset + start, bytes.subarray(0, end - start));
      bytes.fill(0);
      start = at;
    }
    const place = stateZero ? 0n : BigInt(dataAt + block * blockSize);
    view.setBigUint64(at - start, place | state, true);
    end = at + 8;
  }
  if (end > start) await storage.write(bat.offset + start, bytes.subarray(0, end - start));
}

/** Section 2.2.3. QEMU marks neither region as required. */
function regionTable({ bat, metadataAt }: Plan): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TABLE_BYTES);
  const regions = [
    { guid: REGIONS.bat, ...bat },
    { guid: REGIONS.metadata, offset: metadataAt, length: METADATA_BYTES },
  ];
  const { regions: signature } = SIGNATURES;
  REGION_HEADER.write(bytes, { signature, checksum: 0, entryCount: regions.length });
  for (const [index, { guid, offset, length }] of regions.entries()) {
    const at = REGION_HEADER_BYTES + index * REGION_ENTRY_BYTES;
    bytes.set(guidBytes(guid), at);
    REGION_ENTRY.write(bytes, { fileOffset: BigInt(offset), length, required: 0 }, at);
  }
  seal(bytes);
  return bytes;
}

const { required, disk } = METADATA_FLAGS;
/** In the order in which they follow one another behind the table. */
const ITEMS = [
  { guid: METADATA.fileParameters, length: 8, flags: required },
  { guid: METADATA.diskSize, length: 8, flags: required | disk },
  { guid: METADATA.diskId, length: GUID_BYTES, flags: required | disk },
  { guid: METADATA.logicalSectorSize, length: 4, flags: required | disk },
  { guid: METADATA.physicalSectorSize, length: 4, flags: required | disk },
] as const;

/** Section 2.6.1. */
function metadataTable(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(TABLE_BYTES);
  for (let i = 0; i < METADATA_SIGNATURE.length; i++) bytes[i] = METADATA_SIGNATURE.charCodeAt(i);
  METADATA_HEADER.write(bytes, { entryCount: ITEMS.length });
  let offset = TABLE_BYTES;
  for (const [index, { guid, length, flags }] of ITEMS.entries()) {
    const at = (index + 1) * METADATA_ENTRY_BYTES;
    bytes.set(guidBytes(guid), at);
    METADATA_ENTRY.write(bytes, { offset, length, flags }, at);
    offset += length;
  }
  return bytes;
}

/** Section 2.6.2. */
function metadataItems({ size, blockSize, isFixed }: Plan): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ITEMS.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  const flags = isFixed ? PARAMETER_FLAGS.leaveAllocated : 0;
  FILE_PARAMETERS.write(bytes, { blockSize, flags });
  view.setBigUint64(8, BigInt(size), true);
  bytes.set(newGuid(), 16);
  view.setUint32(32, SECTOR, true);
  view.setUint32(36, SECTOR, true);
  return bytes;
}
