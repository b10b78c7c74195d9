/** Btrfs: «Superblock» of its documentation («On-disk Format»). Little-endian. */
import { crc32c } from '../../binary/crc32c.ts';
import { struct, u16le, u32le, u64le } from '../../binary/struct.ts';
import { bytesOf, type Recognised, says, textAt, unnamed, uuidAt } from '../file-system.ts';

const AT = 64 * 1024;
const BYTES = 4096;
const MAGIC = '_BHRfS_M';
const MAGIC_AT = 64;

const SUPER = struct({
  checksum: u32le(0, 'Checksum; CRC-32C takes the first four bytes of its place', 'bytes'),
  logRoot: u64le(96, 'Root of the log of what was synced and not committed'),
  totalBytes: u64le(112, 'Bytes on all devices', 'bytes'),
  usedBytes: u64le(120, 'Bytes in use', 'bytes'),
  devices: u64le(136, 'Devices', 'count'),
  sectorSize: u32le(144, 'Sector size, bytes', 'bytes'),
  checksumType: u16le(196, 'How checksums are made: 0 is CRC-32C'),
  deviceBytes: u64le(209, 'Bytes of this device', 'bytes'),
});
const UUID_AT = 32;
const LABEL_AT = 299;
const LABEL_BYTES = 256;
const CHECKSUM_BYTES = 32;

export function readBtrfs(first: Uint8Array): Recognised | undefined {
  const bytes = first.subarray(AT, AT + BYTES);
  if (bytes.length < BYTES || !says(bytes, MAGIC_AT, MAGIC)) return undefined;
  const values = SUPER.read(bytes);
  const isAlone = values.devices === 1;
  const size = bytesOf(values.deviceBytes, 1);
  const used = bytesOf(values.usedBytes, 1);
  const found = {
    ...unnamed('btrfs'),
    label: textAt(bytes, LABEL_AT, LABEL_BYTES),
    uuid: uuidAt(bytes, UUID_AT),
    size,
    // Of several devices nobody says how much is on this one.
    used: isAlone && used !== undefined && used <= (size ?? 0) ? used : undefined,
    blockSize: values.sectorSize,
    isDirty: values.logRoot !== 0,
    isDamaged: values.checksumType === 0 && crc32c(bytes, 0, CHECKSUM_BYTES) !== values.checksum,
  };
  return { found };
}
