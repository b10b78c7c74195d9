/** Reading the header of a VDI: what qemu-img refuses, in its order and words. */
import { guidText, NULL_GUID } from '../../binary/guid.ts';
import type { Values } from '../../binary/struct.ts';
import { alignUp, SECTOR } from '../../binary/units.ts';
import { imageFault } from '../fault.ts';
import {
  BLOCK_SIZE,
  HEADER,
  MAX_BLOCKS,
  MAX_SIZE,
  SIGNATURE,
  TEXT_BYTES,
  UUID_AT,
  VERSION_1_1,
} from './layout.ts';

export interface VdiHeader {
  readonly fields: Values<typeof HEADER>;
  /** Of the disk, bytes, whole sectors. */
  readonly size: number;
  readonly blockSize: number;
  /** The text that the file begins with. */
  readonly creator: string;
  readonly uuid: string;
  readonly modification: string;
  /** The identifiers of the parent, '' for none. */
  readonly parent: string;
  readonly parentModification: string;
}

/**
 * @param bytes the first 512 of the file, zeros where it has fewer
 * @param lenient takes also what is beyond doubt although qemu-img does not know it: differencing
 * images, blocks of another size, tables that do not begin with a sector
 * @throws ImageError invalid-image
 */
export function parseHeader(bytes: Uint8Array, lenient: boolean): VdiHeader {
  const fields = HEADER.read(bytes);
  checkSignature(fields);
  const size = alignUp(Number(fields.diskSize), SECTOR);
  if (fields.version !== VERSION_1_1) {
    const value = `${fields.version >>> 16}.${fields.version & 0xffff}`;
    refuse('version', 'version', value, `(version ${value})`);
  }
  if (!lenient) checkAlignment(fields);
  if (fields.sectorSize !== SECTOR) {
    const value = fields.sectorSize;
    refuse('field', 'sector size', value, `(sector size ${value} is not ${SECTOR})`);
  }
  checkBlockSize(fields.blockSize, lenient);
  const room = fields.blocks * fields.blockSize;
  if (size > room) {
    const reason = `(disk size ${size}, image bitmap has room for ${room})`;
    refuse('disk-size', 'disk size', size, reason);
  }
  const [uuid, modification] = [UUID_AT.image, UUID_AT.modification].map((at) =>
    guidText(bytes, at),
  );
  const parent = orNone(guidText(bytes, UUID_AT.parent));
  const parentModification = orNone(guidText(bytes, UUID_AT.parentModification));
  if (!lenient) {
    if (parent !== '') refuse('field', 'link UUID', parent, '(non-NULL link UUID)');
    if (parentModification !== '') {
      refuse('field', 'parent UUID', parentModification, '(non-NULL parent UUID)');
    }
  }
  checkBlocks(fields, lenient);
  return {
    ...{ fields, size, blockSize: fields.blockSize, creator: creatorOf(bytes) },
    ...{ uuid: uuid ?? '', modification: modification ?? '', parent, parentModification },
  };
}

/** The size comes first with the real program, so that it is what other files are refused for. */
function checkSignature({ diskSize, signature }: VdiHeader['fields']): void {
  if (diskSize > BigInt(MAX_SIZE)) {
    const hex = `0x${diskSize.toString(16)}`;
    const limit = `0x${MAX_SIZE.toString(16)}`;
    const message = `Unsupported VDI image size (size is ${hex}, max supported is ${limit})`;
    if (signature === SIGNATURE) {
      imageFault('vdi', 'disk-size', { field: 'disk size', value: hex, limit, message });
    }
    imageFault('vdi', 'signature', { message });
  }
  if (signature !== SIGNATURE) {
    const value = signature.toString(16).padStart(8, '0');
    const message = `Image not in VDI format (bad signature ${value})`;
    imageFault('vdi', 'signature', { field: 'signature', value, message });
  }
}

function checkAlignment({ mapOffset, dataOffset }: VdiHeader['fields']): void {
  const places = [
    ['block map', mapOffset],
    ['data', dataOffset],
  ] as const;
  for (const [what, offset] of places) {
    if (offset % SECTOR === 0) continue;
    const value = hex(offset);
    refuse('table-place', `${what} offset`, value, `(unaligned ${what} offset ${value})`);
  }
}

/** Powers of two from a sector up to 1 GiB make sense, although only one size is ever used. */
function checkBlockSize(blockSize: number, lenient: boolean): void {
  if (blockSize === BLOCK_SIZE) return;
  const isPower = blockSize > 0 && (blockSize & (blockSize - 1)) === 0;
  if (lenient && isPower && blockSize >= SECTOR && blockSize <= 2 ** 30) return;
  refuse('field', 'block size', blockSize, `(block size ${blockSize} is not ${BLOCK_SIZE})`);
}

/** What stands in front of blocks would be taken for their content by the real program. */
function checkBlocks({ blocks, blockExtra }: VdiHeader['fields'], lenient: boolean): void {
  if (blocks > MAX_BLOCKS) {
    const reason = `(too many blocks ${blocks}, max is ${MAX_BLOCKS})`;
    refuse('table-size', 'blocks', blocks, reason, MAX_BLOCKS);
  }
  if (blockExtra === 0) return;
  const isGood = lenient && blockExtra <= BLOCK_SIZE;
  if (!isGood) refuse('field', 'block extra', blockExtra, `(block extra data ${blockExtra})`);
}

type Problem = Parameters<typeof imageFault>[1];

function refuse(
  problem: Problem,
  field: string,
  value: string | number,
  reason: string,
  limit: string | number = '',
): never {
  const message = `unsupported VDI image ${reason}`;
  return imageFault('vdi', problem, { field, value, limit, message });
}

function orNone(uuid: string): string {
  return uuid === NULL_GUID ? '' : uuid;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The text up to its line break, what cannot be printed left out. */
function creatorOf(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, TEXT_BYTES));
  return (/^[^\0\n\r]*/.exec(text)?.[0] ?? '').replace(/[^ -~]/g, '').trim();
}
