/** Making a VHD as qemu-img makes it. */
import { alignUp, divideRoundUp, SECTOR } from '../../binary/units.ts';
import { randomBytes } from '../../codecs/crypto/random.ts';
import { ImageError } from '../../errors.ts';
import type { Storage } from '../../storage/storage.ts';
import type { DiskWriter, NewFiles } from '../format.ts';
import { shapeFor } from './geometry.ts';
import { parseHeader } from './header.ts';
import {
  AT,
  checksumOf,
  COOKIE,
  EPOCH,
  FOOTER,
  FOOTER_SIZE,
  fromLetters,
  HEADER,
  HEADER_COOKIE,
  HEADER_SIZE,
  MAX_SECTORS,
  TYPE_DYNAMIC,
  TYPE_FIXED,
  UNUSED,
  VERSION_1,
} from './layout.ts';
import { BlockTable } from './table.ts';
import { DynamicWriter, FixedWriter } from './writer.ts';

export interface VpcOptions {
  /** The file is the disk, and a footer behind it; otherwise blocks come as they are written. */
  readonly isFixed?: boolean | undefined;
  /**
   * The disk has exactly the size that was asked for, which Virtual PC does not understand, and
   * Hyper-V and Azure want; otherwise it has a size that the geometry can express.
   */
  readonly exactSize?: boolean | undefined;
}

/** Bytes of the largest disk. */
export const VPC_MAX_SIZE = MAX_SECTORS * SECTOR;

const BLOCK_SIZE = 2 * 1024 * 1024;
const NOWHERE = 0xffffffffffffffffn;
const TABLE_AT = FOOTER_SIZE + HEADER_SIZE;
/** Bytes of the table that are written at once. */
const PIECE = 1024 * 1024;

/**
 * The size that a disk for so many bytes gets.
 * @param size whole sectors
 * @throws ImageError too-large
 */
export function vpcSize(size: number, { exactSize = false }: VpcOptions): number {
  const shape = shapeFor(size, exactSize);
  if (shape.size <= VPC_MAX_SIZE) return shape.size;
  throw new ImageError('too-large', { what: 'disk', value: String(size), limit: VPC_MAX_SIZE });
}

/**
 * Makes an empty image in `files.main`, which is empty.
 * @param size of the disk, bytes, as {@link vpcSize} gives it
 * @throws ImageError too-large and those of writing
 */
export async function createVpc(
  { main: storage }: NewFiles,
  size: number,
  options: VpcOptions,
): Promise<DiskWriter> {
  if (vpcSize(size, options) !== size) {
    throw new ImageError('internal', { reason: 'a size that no geometry has' });
  }
  const footer = newFooter(size, options);
  if (options.isFixed === true) {
    await storage.resize(size + FOOTER_SIZE);
    await storage.write(size, footer);
    return new FixedWriter(storage, size, true);
  }
  const entries = divideRoundUp(size, BLOCK_SIZE);
  await storage.write(0, footer);
  const bytes = newHeader(entries);
  await storage.write(FOOTER_SIZE, bytes);
  const end = TABLE_AT + alignUp(entries * 4, SECTOR);
  await fill(storage, TABLE_AT, end);
  const table = new BlockTable(
    parseHeader(bytes, FOOTER_SIZE),
    new Uint32Array(entries).fill(UNUSED),
  );
  return new DynamicWriter({ ...{ storage, size, footer, table, end }, isNew: true });
}

function newFooter(size: number, { isFixed, exactSize }: VpcOptions): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FOOTER_SIZE);
  putText(bytes, COOKIE);
  const { geometry } = shapeFor(size, exactSize === true);
  const fields = {
    ...{ features: 2, version: VERSION_1, creatorVersion: 0x00050003, ...geometry },
    dataOffset: isFixed === true ? NOWHERE : BigInt(FOOTER_SIZE),
    timestamp: Math.max(0, Math.floor(Date.now() / 1000) - EPOCH),
    creatorApp: fromLetters(exactSize === true ? 'qem2' : 'qemu'),
    creatorOs: fromLetters('Wi2k'),
    ...{ originalSize: size, currentSize: size, checksum: 0, savedState: 0 },
    type: isFixed === true ? TYPE_FIXED : TYPE_DYNAMIC,
  };
  FOOTER.write(bytes, fields);
  bytes.set(newUuid(), AT.uuid);
  FOOTER.write(bytes, { ...fields, checksum: checksumOf(bytes, AT.footerChecksum) });
  return bytes;
}

function newHeader(entries: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_SIZE);
  putText(bytes, HEADER_COOKIE);
  const fields = {
    ...{ nextOffset: NOWHERE, tableOffset: BigInt(TABLE_AT), version: VERSION_1 },
    ...{ tableEntries: entries, blockSize: BLOCK_SIZE, checksum: 0, parentTimestamp: 0 },
  };
  HEADER.write(bytes, fields);
  HEADER.write(bytes, { ...fields, checksum: checksumOf(bytes, AT.headerChecksum) });
  return bytes;
}

/** Version 4, at random. */
function newUuid(): Uint8Array<ArrayBuffer> {
  const bytes = randomBytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

function putText(bytes: Uint8Array, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
}

async function fill(storage: Storage, from: number, to: number): Promise<void> {
  const bytes = new Uint8Array(Math.min(PIECE, to - from)).fill(0xff);
  for (let at = from; at < to; at += PIECE) {
    await storage.write(at, bytes.subarray(0, Math.min(PIECE, to - at)));
  }
}
